package process

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

func ptrace(request, tid int, addr, data uintptr) error {
	_, _, e := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// The register sets, by their note types (include/uapi/linux/elf.h).
const (
	noteStatus = 1     // NT_PRSTATUS
	noteFP     = 2     // NT_PRFPREG
	noteXState = 0x202 // NT_X86_XSTATE
)

// getRegisterSet reads a register set of a stopped thread; at most 16 KiB,
// which holds the largest XSAVE area there is (AMX: 11 KiB).
func getRegisterSet(tid int, set uintptr) ([]byte, error) {
	buf := make([]byte, 16<<10)
	iov := unix.Iovec{Base: &buf[0]}
	iov.SetLen(len(buf))
	if err := ptrace(unix.PTRACE_GETREGSET, tid, set, uintptr(unsafe.Pointer(&iov))); err != nil {
		return nil, fmt.Errorf("registers of thread %d: %w", tid, err)
	}
	return append([]byte(nil), buf[:iov.Len]...), nil
}

func setRegisterSet(tid int, set uintptr, regs []byte) error {
	iov := unix.Iovec{Base: &regs[0]}
	iov.SetLen(len(regs))
	if err := ptrace(unix.PTRACE_SETREGSET, tid, set, uintptr(unsafe.Pointer(&iov))); err != nil {
		return fmt.Errorf("set registers of thread %d: %w", tid, err)
	}
	return nil
}

func (h *Held) readRegisters() error {
	for _, t := range h.live() {
		var err error
		t.Regs, err = getRegisterSet(t.TID, noteStatus)
		if err == nil {
			t.FPRegs, _ = getRegisterSet(t.TID, noteFP)
			t.XState, _ = getRegisterSet(t.TID, noteXState) // EINVAL except on x86
			continue
		}
		if unwrapErrno(err) == unix.ESRCH { // killed this moment
			t.gone = true
			continue
		}
		return err
	}
	return nil
}
