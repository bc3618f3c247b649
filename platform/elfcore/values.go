package elfcore

import (
	"debug/elf"
	"fmt"
)

// Tags of the auxiliary vector (include/uapi/linux/auxvec.h).
const (
	AuxPHDR   = 3  // AT_PHDR: the program headers of the executable
	AuxPHNum  = 5  // AT_PHNUM
	AuxBase   = 7  // AT_BASE: the dynamic linker
	AuxEntry  = 9  // AT_ENTRY: the entry point of the executable
	AuxExecFn = 31 // AT_EXECFN
	AuxVDSO   = 33 // AT_SYSINFO_EHDR
)

// Aux returns an entry of the auxiliary vector.
func (img *Image) Aux(tag uint64) (value uint64, ok bool) {
	for a := img.Auxv; len(a) >= 16; a = a[16:] {
		if t := le.Uint64(a); t == tag {
			return le.Uint64(a[8:]), true
		} else if t == 0 {
			break
		}
	}
	return 0, false
}

// amd64Order gives, for each DWARF register number from 0 to 16, the index in
// user_regs_struct (System V ABI for AMD64, figure 3.36;
// arch/x86/include/asm/user_64.h): rax rdx rcx rbx rsi rdi rbp rsp r8-r15 rip.
var amd64Order = [17]int{10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16}

// GeneralRegisters returns the general registers in regs, an elf_gregset_t, by
// their DWARF numbers: 0 to 16 on amd64, the last one rip; 0 to 32 on arm64,
// the last ones sp and pc.
func GeneralRegisters(m elf.Machine, regs []byte) (map[int]uint64, error) {
	l, err := layoutOf(m)
	if err != nil {
		return nil, err
	}
	if len(regs) < l.regsSize {
		return nil, fmt.Errorf("registers: %d bytes, want %d", len(regs), l.regsSize)
	}
	out := make(map[int]uint64, 33)
	if m == elf.EM_X86_64 {
		for dwarf, i := range amd64Order {
			out[dwarf] = le.Uint64(regs[8*i:])
		}
		return out, nil
	}
	// user_pt_regs: x0-x30, sp, pc, pstate (arch/arm64/include/uapi/asm/ptrace.h).
	for i := range 33 {
		out[i] = le.Uint64(regs[8*i:])
	}
	return out, nil
}

// OrigRAX returns orig_rax of regs, an elf_gregset_t of amd64: the number of
// the system call that the thread is in, else -1.
func OrigRAX(m elf.Machine, regs []byte) (int64, bool) {
	if m != elf.EM_X86_64 || len(regs) < 16*8 {
		return 0, false
	}
	return int64(le.Uint64(regs[8*15:])), true
}

// ParseSiginfo returns what a siginfo_t says; addr is the faulting address if
// the signal is one of a fault.
func ParseSiginfo(b []byte) (signo, code int, addr uint64, err error) {
	if len(b) < 24 {
		return 0, 0, 0, fmt.Errorf("siginfo: %d bytes are too few", len(b))
	}
	return int(int32(le.Uint32(b))), int(int32(le.Uint32(b[8:]))), le.Uint64(b[16:]), nil
}
