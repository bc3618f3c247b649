package image

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"

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
// be known.
func Match(core *elfcore.File, exe io.ReaderAt) error {
	f, err := openELF(exe)
	if err != nil {
		return fmt.Errorf("executable: %w", err)
	}
	if f.Machine != core.Machine {
		return &MismatchError{"machine", core.Machine.String(), f.Machine.String()}
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return fmt.Errorf("executable: an ELF file of type %v, not a program", f.Type)
	}
	entry, hasEntry := core.Aux(elfcore.AuxEntry)
	bias := uint64(0)
	if hasEntry {
		// A position-independent executable moves by whole pages.
		if f.Type == elf.ET_DYN {
			bias = entry - f.Entry
		}
		if (f.Entry+bias != entry) || bias&0xfff != 0 {
			return &MismatchError{"entry point", fmt.Sprintf("%#x", entry), fmt.Sprintf("%#x", f.Entry)}
		}
	}
	evidence := hasEntry
	if ok, err := matchHeaders(core, exe); err != nil {
		return err
	} else if ok {
		evidence = true
	}
	if ok, err := matchNotes(core, f, bias); err != nil {
		return err
	} else if ok {
		return nil
	}
	if !evidence {
		return ErrUnverified
	}
	return matchText(core, f, bias)
}

// matchHeaders compares the program headers in memory with the file's.
func matchHeaders(core *elfcore.File, exe io.ReaderAt) (bool, error) {
	addr, ok := core.Aux(elfcore.AuxPHDR)
	num, ok2 := core.Aux(elfcore.AuxPHNum)
	if !ok || !ok2 || num > 1000 {
		return false, nil
	}
	var h [64]byte
	if _, err := exe.ReadAt(h[:], 0); err != nil {
		return false, fmt.Errorf("executable: %w", err)
	}
	mem, file := make([]byte, num*56), make([]byte, num*56)
	if _, err := core.ReadMemory(mem, addr); err != nil {
		return false, nil // not in this core
	}
	off := int64(0)
	for i := range 8 { // e_phoff
		off |= int64(h[32+i]) << (8 * i)
	}
	if n, _ := exe.ReadAt(file, off); n < len(file) || !bytes.Equal(mem, file) {
		return false, &MismatchError{"list of segments", "another", "not the one in memory"}
	}
	return true, nil
}

// matchNotes compares the notes with the build IDs.
func matchNotes(core *elfcore.File, f *elf.File, bias uint64) (bool, error) {
	found := false
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE || p.Filesz == 0 || p.Filesz > 64<<10 {
			continue
		}
		file, mem := make([]byte, p.Filesz), make([]byte, p.Filesz)
		if _, err := p.ReadAt(file, 0); err != nil {
			continue
		}
		if _, err := core.ReadMemory(mem, p.Vaddr+bias); err != nil {
			continue
		}
		if !bytes.Equal(file, mem) {
			return false, &MismatchError{"build ID", elfcore.NoteBuildID(mem), elfcore.NoteBuildID(file)}
		}
		found = found || elfcore.NoteBuildID(file) != ""
	}
	return found, nil
}

// matchText compares the beginning of every stored page run of code with the
// file's, for a core that has code but no notes.
func matchText(core *elfcore.File, f *elf.File, bias uint64) error {
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_W != 0 || p.Filesz == 0 {
			continue
		}
		n := min(p.Filesz, 4096)
		file, mem := make([]byte, n), make([]byte, n)
		if _, err := p.ReadAt(file, 0); err != nil {
			continue
		}
		if _, err := core.ReadMemory(mem, p.Vaddr+bias); err != nil {
			continue
		}
		if !bytes.Equal(file, mem) {
			return &MismatchError{"code", "other code", fmt.Sprintf("not that at %#x", p.Vaddr+bias)}
		}
	}
	return nil
}
