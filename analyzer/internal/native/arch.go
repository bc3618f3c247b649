package native

import (
	"bytes"
	"debug/elf"
	"encoding/binary"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// numRegs bounds the registers that are tracked, by DWARF number: the general
// ones of both machines. Vector registers have higher numbers and are ignored.
const numRegs = 33

// arch is what differs between machines. Register numbers are DWARF's: the
// System V ABI's for amd64, "DWARF for the Arm 64-bit Architecture" for arm64.
type arch struct {
	pc, sp, fp  int
	lr          int    // -1 if calls push the return address
	calleeSaved uint64 // bit set of registers that a call preserves
	// pcMask clears the pointer authentication code of a signed return
	// address. User space has 48 bits of addresses; Linux gives out higher
	// ones only on request and never for code.
	pcMask uint64
	// trampolines are the instructions that return from a signal handler; the
	// pc may be at the first or at the system call behind it.
	trampolines []trampoline
	// uregs are the offsets of the saved registers from the stack pointer in
	// a trampoline.
	uregs func(reg int) uint64
}

type trampoline struct {
	code    []byte
	syscall int // offset of the system call in code
}

func archOf(m elf.Machine) *arch {
	switch m {
	case elf.EM_X86_64:
		return &amd64
	case elf.EM_AARCH64:
		return &arm64
	}
	return nil
}

func bits(regs ...int) (set uint64) {
	for _, r := range regs {
		set |= 1 << r
	}
	return set
}

var amd64 = arch{
	pc: 16, sp: 7, fp: 6, lr: -1,
	calleeSaved: bits(3, 6, 12, 13, 14, 15),
	pcMask:      ^uint64(0),
	trampolines: []trampoline{
		{[]byte{0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05}, 7}, // mov $15,%rax; syscall (libc)
		{[]byte{0xb8, 15, 0, 0, 0, 0x0f, 0x05}, 5},             // mov $15,%eax; syscall (the Go runtime)
	},
	// The return address has been popped, so that sp is at struct ucontext:
	// flags, link and stack take 40 bytes, then comes struct sigcontext
	// (arch/x86/include/uapi/asm/sigcontext.h).
	uregs: func(reg int) uint64 {
		order := [17]uint64{13, 12, 14, 11, 9, 8, 10, 15, 0, 1, 2, 3, 4, 5, 6, 7, 16}
		return 40 + 8*order[reg]
	},
}

var arm64 = arch{
	pc: 32, sp: 31, fp: 29, lr: 30,
	calleeSaved: bits(19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29),
	pcMask:      1<<48 - 1,
	trampolines: []trampoline{
		{[]byte{0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4}, 4}, // mov x8,#139; svc #0
	},
	// struct rt_sigframe (arch/arm64/kernel/signal.c): 128 bytes of siginfo,
	// then struct ucontext: flags, link, stack, 128 bytes of signal mask and
	// 8 to align struct sigcontext, which begins with the fault address.
	uregs: func(reg int) uint64 { return 128 + 176 + 8 + 8*uint64(reg) },
}

// inTrampoline reports whether the bytes before and at a pc belong to a signal
// trampoline.
func (a *arch) inTrampoline(before, at []byte) bool {
	for _, t := range a.trampolines {
		if bytes.HasPrefix(at, t.code) {
			return true
		}
		if bytes.HasPrefix(at, t.code[t.syscall:]) && bytes.HasSuffix(before, t.code[:t.syscall]) {
			return true
		}
	}
	return false
}

// regSet is a set of registers of which some are known.
type regSet struct {
	val   [numRegs]uint64
	known uint64
}

func (r *regSet) set(reg int, v uint64) {
	r.val[reg] = v
	r.known |= 1 << reg
}

func (r *regSet) get(reg uint64) (uint64, bool) {
	if reg >= numRegs || r.known&(1<<reg) == 0 {
		return 0, false
	}
	return r.val[reg], true
}

// load converts from the engine's form.
func (a *arch) load(regs goruntime.Regs) *regSet {
	r := new(regSet)
	for n, v := range regs.G {
		if n >= 0 && n <= a.maxReg() {
			r.set(n, v)
		}
	}
	r.set(a.pc, regs.PC&a.pcMask)
	r.set(a.sp, regs.SP)
	if regs.G == nil || regs.FP != 0 {
		r.set(a.fp, regs.FP)
	}
	if a.lr >= 0 && (regs.G == nil || regs.LR != 0) {
		r.set(a.lr, regs.LR)
	}
	return r
}

// store converts to the engine's form.
func (a *arch) store(r *regSet) goruntime.Regs {
	out := goruntime.Regs{PC: r.val[a.pc], SP: r.val[a.sp], G: make(map[int]uint64)}
	out.FP, _ = r.get(uint64(a.fp))
	if a.lr >= 0 {
		out.LR, _ = r.get(uint64(a.lr))
	}
	for n := range numRegs {
		if v, ok := r.get(uint64(n)); ok {
			out.G[n] = v
		}
	}
	return out
}

// maxReg is the highest register number: the pc's on both machines.
func (a *arch) maxReg() int { return a.pc }

func word(mem goruntime.Memory, addr uint64) (uint64, error) {
	var b [8]byte
	if _, err := mem.ReadMemory(b[:], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}
