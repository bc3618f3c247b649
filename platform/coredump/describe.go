package coredump

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"

	"github.com/corekit/corekit/platform"
	"github.com/corekit/corekit/platform/elfcore"
)

// siginfoSize is sizeof(siginfo_t) (include/uapi/asm-generic/siginfo.h).
const siginfoSize = 128

// describe fills in what a core says besides memory: the process, its threads
// and the signal.
func (c *Core) describe(opts Options) error {
	switch runtime.GOARCH {
	case "amd64":
		c.Image.Machine = elf.EM_X86_64
	case "arm64":
		c.Image.Machine = elf.EM_AARCH64
	default:
		return platform.Unsupported("core of another process", "")
	}
	st, err := c.held.Stat()
	if err != nil {
		return err
	}
	c.Image.Process = elfcore.Process{
		PID: c.held.PID, PPID: st.PPID, PGRP: st.PGRP, SID: st.SID,
		UID: st.UID, GID: st.GID, State: 'R', Nice: int8(st.Nice),
		Name: st.Comm, Args: strings.Join(st.Args, " "),
	}
	if c.Image.Auxv, err = c.held.Auxv(); err != nil {
		return err
	}
	if opts.Signal != 0 {
		c.Image.Siginfo = siginfo(opts, c.held.PID, st.UID)
	}
	for _, t := range c.held.Threads {
		if t.Regs == nil { // it ended while the others were stopped
			continue
		}
		// The kernel gives every thread the process's signal (fs/binfmt_elf.c,
		// fill_prstatus), and gdb takes it from the last one.
		et := elfcore.Thread{TID: t.TID, Signal: opts.Signal, Regs: t.Regs, FPRegs: t.FPRegs, XState: t.XState}
		if t.TID != opts.First {
			c.Image.Threads = append(c.Image.Threads, et)
			continue
		}
		c.Image.Threads = append([]elfcore.Thread{et}, c.Image.Threads...)
	}
	for _, tid := range c.held.Unstopped {
		c.Missing = append(c.Missing, fmt.Sprintf("registers of thread %d: it sleeps uninterruptibly in the kernel", tid))
	}
	return nil
}

// siginfo makes the siginfo_t of a signal that the process sends to itself.
func siginfo(opts Options, pid int, uid uint32) []byte {
	b := make([]byte, siginfoSize)
	put := func(off int, v uint32) { binary.NativeEndian.PutUint32(b[off:], v) }
	put(0, uint32(opts.Signal))
	put(8, uint32(opts.Code))
	put(16, uint32(pid)) // _sifields._kill, which begins 8-aligned
	put(20, uid)
	return b
}
