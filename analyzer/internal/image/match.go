package image

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/corekit/corekit/platform/elfcore"
)

// MismatchError says that an executable is not the one that dumped the core.
type MismatchError struct {
	What      string // what differs: "build ID", "entry point", …
	Core, Exe string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("the executable does not belong to the core: its %s is %s, the core's is %s", e.What, e.Exe, e.Core)
}

// ErrUnverified says that the core holds nothing to tell whether an executable
// belongs to it.
var ErrUnverified = errors.New("the core holds nothing that identifies its executable")

// Match tells whether exe is the executable that dumped the core. It returns
// nil if it is, a [*MismatchError] if not, and [ErrUnverified] if that cannot
// be known. An executable of the same build that was stripped, or was not,
// matches.
//
// The build ID and the program headers count, which cores hold if the first
// page of the executable is in them. An entry point that differs refutes; that
// it is the same proves nothing, since it often is for two versions of one
// program.
func Match(core *elfcore.File, exe io.ReaderAt) error {
	p, err := elfcore.ReadProgram(exe)
	if err != nil {
		return fmt.Errorf("executable: %w", err)
	}
	switch {
	case p.Type == elf.ET_CORE:
		return errors.New("executable: it is a core itself")
	case p.Type != elf.ET_EXEC && p.Type != elf.ET_DYN:
		return fmt.Errorf("executable: an ELF file of type %v, not a program", p.Type)
	case p.Machine != core.Machine:
		return &MismatchError{"machine", core.Machine.String(), p.Machine.String()}
	}
	verified := false
	if mem, ok := programInCore(core, exePath(core)); ok {
		if verified, err = compare(mem, headers{p, exe, false}); err != nil {
			return err
		}
	}
	if entry, ok := core.Aux(elfcore.AuxEntry); ok {
		// A position-independent executable moves by whole pages.
		if moved := entry - p.Entry; moved%pageSize != 0 || moved != 0 && p.Type == elf.ET_EXEC {
			return &MismatchError{"entry point", fmt.Sprintf("%#x", entry), fmt.Sprintf("%#x", p.Entry)}
		}
	}
	if !verified {
		return ErrUnverified
	}
	return nil
}

// headers are the headers of a program and where to read what they point to:
// its memory, or its file.
type headers struct {
	*elfcore.Program
	r      io.ReaderAt
	memory bool // r is memory
}

// buildID returns the build ID that the program headers lead to. The file may
// have another one in its sections, see [elfcore.BuildID].
func (h headers) buildID() (id string) {
	const maxNote = 64 << 10
	for _, ph := range h.Progs {
		if ph.Type != uint32(elf.PT_NOTE) || id != "" {
			continue
		}
		b := make([]byte, min(ph.Filesz, maxNote))
		off := ph.Off
		if h.memory {
			off = ph.Vaddr - h.Base()
		}
		n, _ := h.r.ReadAt(b, int64(min(off, math.MaxInt64)))
		id = elfcore.NoteBuildID(b[:n])
	}
	return id
}

// programInCore returns the headers of a mapped file as the core has them in
// memory; ok is false if they are not in the core.
func programInCore(core *elfcore.File, path string) (h headers, ok bool) {
	base, ok := firstPage(core, path)
	if !ok {
		return headers{}, false
	}
	w := window{core, base}
	p, err := elfcore.ReadProgram(w)
	if err != nil {
		return headers{}, false
	}
	return headers{p, w, true}, true
}

// firstPage returns where the first page of a mapped file is in memory.
func firstPage(core *elfcore.File, path string) (uint64, bool) {
	for _, m := range core.Files {
		if m.Path == path && m.Offset == 0 {
			return m.Start, true
		}
	}
	// Without NT_FILE the kernel's pointer to the program headers leads there:
	// every linker puts them right behind the ELF header.
	const ehdrSize = 64
	if addr, ok := core.Aux(elfcore.AuxPHDR); ok && path == "" && addr%pageSize == ehdrSize {
		return addr - ehdrSize, true
	}
	return 0, false
}

// compare tells whether a program in memory is the one in a file: verified if
// something that identifies it agrees, an error if anything does not.
func compare(mem, inFile headers) (verified bool, err error) {
	memID, fileID := mem.buildID(), inFile.buildID()
	sameID := memID != "" && memID == fileID
	if memID != "" && !sameID {
		if fileID == "" {
			fileID = "missing"
		}
		return false, &MismatchError{"build ID", memID, fileID}
	}
	if mem.Type != inFile.Type || mem.Machine != inFile.Machine {
		return false, &MismatchError{"type", fmt.Sprint(mem.Type, mem.Machine), fmt.Sprint(inFile.Type, inFile.Machine)}
	}
	if mem.Entry != inFile.Entry {
		return false, &MismatchError{"entry point", fmt.Sprintf("%#x", mem.Entry), fmt.Sprintf("%#x", inFile.Entry)}
	}
	if err := comparePrograms(mem.Progs, inFile.Progs, sameID); err != nil {
		return false, err
	}
	if sameID {
		return true, nil
	}
	return compareText(mem, inFile)
}

// comparePrograms compares program headers. If the build is the same then it
// only matters whether the file has what is missing in memory: strip cuts the
// padding at the end of the data and moves what is empty.
func comparePrograms(mem, file []elf.Prog64, sameBuild bool) error {
	if len(mem) != len(file) {
		return &MismatchError{"number of segments", fmt.Sprint(len(mem)), fmt.Sprint(len(file))}
	}
	for i, a := range mem {
		b := file[i]
		a.Align, a.Paddr = b.Align, b.Paddr
		if load := a.Type == uint32(elf.PT_LOAD); sameBuild && (!load || a.Flags&uint32(elf.PF_W) != 0) {
			a.Filesz = b.Filesz
			if !load {
				a.Off = b.Off
			}
		}
		if a != b {
			return &MismatchError{fmt.Sprintf("segment %d", i), describe(a), describe(b)}
		}
	}
	return nil
}

func describe(p elf.Prog64) string {
	return fmt.Sprintf("%v at %#x+%#x (%#x bytes in the file at %#x)", elf.ProgType(p.Type), p.Vaddr, p.Memsz, p.Filesz, p.Off)
}

// compareText compares the first page, for programs without a build ID. It
// has the program headers, which tell the sizes of code and data to the byte,
// and with C the beginning of the symbol tables.
func compareText(mem, inFile headers) (verified bool, err error) {
	a, b := make([]byte, pageSize), make([]byte, pageSize)
	if n, _ := mem.r.ReadAt(a, 0); n < len(a) {
		return false, nil
	}
	if n, _ := inFile.r.ReadAt(b, 0); n < len(b) {
		return false, nil
	}
	const shoff, shent = 40, 58 // e_shoff; e_shentsize, e_shnum, e_shstrndx: strip changes them
	for _, p := range [][]byte{a, b} {
		clear(p[shoff : shoff+8])
		clear(p[shent:64])
	}
	if !bytes.Equal(a, b) {
		return false, &MismatchError{"first page", "another", "not the one in memory"}
	}
	return true, nil
}

// exePath returns the path under which the executable is mapped, as the core
// has it.
func exePath(core *elfcore.File) string {
	for _, tag := range []uint64{elfcore.AuxPHDR, elfcore.AuxEntry} {
		if addr, ok := core.Aux(tag); ok {
			if m, ok := mappingAt(core, addr); ok {
				return m.Path
			}
		}
	}
	return ""
}

// bias returns how far a program was moved.
func bias(core *elfcore.File, p *elfcore.Program, path string) uint64 {
	if p.Type != elf.ET_DYN {
		return 0
	}
	if entry, ok := core.Aux(elfcore.AuxEntry); ok && (entry-p.Entry)%pageSize == 0 {
		return entry - p.Entry
	}
	if phdr, ok := core.Aux(elfcore.AuxPHDR); ok && (phdr-p.Phoff)%pageSize == 0 {
		return phdr - p.Phoff - p.Base()
	}
	if base, ok := firstPage(core, path); ok {
		return base - p.Base()
	}
	return 0
}
