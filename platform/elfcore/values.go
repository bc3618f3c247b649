package elfcore

import (
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

// ParseSiginfo returns what a siginfo_t says; addr is the faulting address if
// the signal is one of a fault.
func ParseSiginfo(b []byte) (signo, code int, addr uint64, err error) {
	if len(b) < 24 {
		return 0, 0, 0, fmt.Errorf("siginfo: %d bytes are too few", len(b))
	}
	return int(int32(le.Uint32(b))), int(int32(le.Uint32(b[8:]))), le.Uint64(b[16:]), nil
}

// ErrNoBuildID says that an ELF file has no build ID.
var ErrNoBuildID = errors.New("no build ID")

// maxNote bounds how much of a file's note is read.
const maxNote = 64 << 10

// BuildID returns the GNU build ID of an ELF file, a program or a library, in
// hex; and if it has none, the one that the go command gave it, as "go:" and
// its text.
func BuildID(r io.ReaderAt) (id string, err error) {
	// debug/elf has panicked on bad input before.
	defer func() {
		if recover() != nil {
			id, err = "", fmt.Errorf("build ID: %w", ErrFormat)
		}
	}()
	f, err := elf.NewFile(r)
	if err != nil {
		return "", fmt.Errorf("build ID: %w: %v", ErrFormat, err)
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		b := make([]byte, min(p.Filesz, maxNote))
		n, _ := p.ReadAt(b, 0)
		id = preferGNU(id, NoteBuildID(b[:n]))
	}
	if id == "" {
		return "", ErrNoBuildID
	}
	return id, nil
}

func preferGNU(a, b string) string {
	if a == "" || len(b) > 3 && b[:3] != "go:" {
		return b
	}
	return a
}

// NoteBuildID returns the build ID in the contents of a note section or
// segment, as [BuildID] does, or "". It looks for NT_GNU_BUILD_ID (3) of owner GNU and for Go's note (4)
// of owner Go (cmd/link/internal/ld/elf.go).
func NoteBuildID(b []byte) (id string) {
	for len(b) >= 12 {
		namesz, descsz, typ := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:])), le.Uint32(b[8:])
		desc := 12 + alignUp(namesz, 4)
		end := desc + descsz
		if end > uint64(len(b)) {
			return id
		}
		switch owner := cString(b[12 : 12+namesz]); {
		case owner == "GNU" && typ == 3:
			id = hex.EncodeToString(b[desc:end])
		case owner == "Go" && typ == 4 && id == "":
			id = "go:" + string(b[desc:end])
		}
		b = b[min(alignUp(end, 4), uint64(len(b))):]
	}
	return id
}
