package goruntime

import (
	"debug/elf"
	"encoding/binary"
)

// sigcontext is what the kernel saved on the signal stack when it interrupted
// a thread.
type sigcontext struct {
	regs  Regs // all of them
	sig   uint32
	code  int32
	addr  uint64 // si_addr
	valid bool
}

// Offsets in struct ucontext and rt_sigframe:
// arch/x86/include/uapi/asm/{ucontext,sigcontext}.h, arch/x86/include/asm/sigframe.h;
// arch/arm64/include/uapi/asm/{ucontext,sigcontext}.h, arch/arm64/kernel/signal.c.
const (
	ucLink = 8

	amd64Gregs   = 40  // uc_mcontext in ucontext
	amd64Siginfo = 304 // siginfo after ucontext: rt_sigframe.info
	amd64RSP     = 15  // index of rsp in the gregs below, and of rip
	amd64RIP     = 16

	arm64Siginfo  = 128 // sizeof siginfo, which comes first
	arm64Mcontext = 176 // uc_mcontext in ucontext
)

// amd64Dwarf is the DWARF number of each register of struct sigcontext_64, in
// its order: r8-r15 rdi rsi rbp rbx rdx rax rcx rsp rip.
var amd64Dwarf = [...]int{8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16}

// sigcontextAt reads the signal frame whose handler's frame ends at cfa: what
// lies just above runtime.sigtramp's frame.
func (p *Process) sigcontextAt(cfa uint64) sigcontext {
	uc, info := cfa, cfa+amd64Siginfo
	if p.in.Machine == elf.EM_AARCH64 {
		uc, info = cfa+arm64Siginfo, cfa
	}
	// The kernel always sets uc_link to 0.
	if link, err := p.mem.word(uc + ucLink); err != nil || link != 0 {
		return sigcontext{}
	}
	c := sigcontext{}
	if c.regs, c.valid = p.ucontextRegs(uc); !c.valid {
		return sigcontext{}
	}
	if b, err := p.mem.read(info, 24); err == nil {
		c.sig, c.code, c.addr = decodeSiginfo(b)
	}
	return c
}

// decodeSiginfo reads si_signo, si_code and si_addr (include/uapi/asm-generic/siginfo.h).
func decodeSiginfo(b []byte) (sig uint32, code int32, addr uint64) {
	if len(b) < 24 {
		return 0, 0, 0
	}
	return binary.LittleEndian.Uint32(b), int32(binary.LittleEndian.Uint32(b[8:])), binary.LittleEndian.Uint64(b[16:])
}

// ucontextRegs reads the registers of the ucontext at uc.
func (p *Process) ucontextRegs(uc uint64) (Regs, bool) {
	if p.in.Machine == elf.EM_AARCH64 {
		b, err := p.mem.read(uc+arm64Mcontext, 8+33*8)
		if err != nil {
			return Regs{}, false
		}
		b = b[8:] // fault_address
		all := make(map[int]uint64, 33)
		for i := range 33 {
			all[i] = u64(b, int32(i*8))
		}
		return Regs{PC: all[32], SP: all[31], FP: all[29], LR: all[30], G: all}, true
	}
	b, err := p.mem.read(uc+amd64Gregs, uint64(len(amd64Dwarf))*8)
	if err != nil {
		return Regs{}, false
	}
	all := make(map[int]uint64, len(amd64Dwarf))
	for i, reg := range amd64Dwarf {
		all[reg] = u64(b, int32(i*8))
	}
	return Regs{PC: all[16], SP: all[7], FP: all[6], G: all}, true
}

// start returns where to walk from registers that were not saved by a call.
func (r Regs) start() start {
	return start{pc: r.PC, sp: r.SP, lr: r.LR, fp: r.FP, trap: true, all: r.G}
}

// faultRegs looks for the registers that the fault under sigpanic left: the
// kernel saved them on the signal stack, and the signal handler's frames,
// long returned, do not reach up to there. sp is sigpanic's CFA, pc the
// faulting instruction.
func (p *Process) faultRegs(m *m, pc, sp uint64) map[int]uint64 {
	sig, ok := p.readG(m.gsignal)
	const maxSignalStack = 1 << 20
	if !ok || sig.hi <= sig.lo || sig.hi-sig.lo > maxSignalStack || p.in.Machine != elf.EM_X86_64 {
		return nil
	}
	b, err := p.mem.read(sig.lo, sig.hi-sig.lo)
	if err != nil {
		return nil
	}
	// preparePanic pushed the faulting PC and set RIP to sigpanic0.
	for off := amd64RIP * 8; off+8 <= len(b); off += 8 {
		if u64(b, int32(off-8)) != sp-8 {
			continue
		}
		fn := p.findFunc(u64(b, int32(off)))
		if fn == nil || trimABI(fn.name) != "runtime.sigpanic0" {
			continue
		}
		regs, ok := p.ucontextRegs(sig.lo + uint64(off) - amd64RIP*8 - amd64Gregs)
		if !ok {
			return nil
		}
		regs.G[16], regs.G[7] = pc, sp
		return regs.G
	}
	return nil
}
