package elfcore

import (
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrNoBuildID says that an ELF file has no build ID.
var ErrNoBuildID = errors.New("no build ID")

const (
	// maxNote bounds how much of a file's note segment is read.
	maxNote = 64 << 10
	// maxFileSections bounds the sections; real files have about 40, C++
	// object files some thousand.
	maxFileSections = 16 << 10
)

// BuildID returns the GNU build ID of an ELF file, a program or a library, in
// hex; and if it has none, the one that the go command gave it, as "go:" and
// its text. r may as well be the memory of a library, from its first page on,
// where section headers are missing.
func BuildID(r io.ReaderAt) (string, error) {
	p, err := ReadProgram(r)
	if err != nil {
		return "", fmt.Errorf("build ID: %w", err)
	}
	id := ""
	for _, ph := range p.Progs {
		if ph.Type == uint32(elf.PT_NOTE) {
			id = betterID(id, noteAt(r, ph.Off, ph.Filesz))
		}
	}
	if !isGNU(id) {
		id = betterID(id, p.sectionsID(r))
	}
	if id == "" {
		return "", fmt.Errorf("build ID: %w", ErrNoBuildID)
	}
	return id, nil
}

// sectionsID looks in the sections: Go's linker describes only its own note in
// the program headers (cmd/link/internal/ld/elf.go, asmbElf).
func (p *Program) sectionsID(r io.ReaderAt) (id string) {
	if p.shoff > maxSize || p.shnum > maxFileSections || p.shent != shdrSize {
		return ""
	}
	b := make([]byte, p.shnum*shdrSize)
	n, _ := r.ReadAt(b, int64(p.shoff))
	for b = b[:n]; len(b) >= shdrSize; b = b[shdrSize:] {
		if elf.SectionType(le.Uint32(b[4:])) == elf.SHT_NOTE {
			id = betterID(id, noteAt(r, le.Uint64(b[24:]), le.Uint64(b[32:])))
		}
	}
	return id
}

func noteAt(r io.ReaderAt, off, size uint64) string {
	if off > maxSize {
		return ""
	}
	b := make([]byte, min(size, maxNote))
	n, _ := r.ReadAt(b, int64(off))
	return NoteBuildID(b[:n])
}

func betterID(a, b string) string {
	if a == "" || !isGNU(a) && isGNU(b) {
		return b
	}
	return a
}

func isGNU(id string) bool { return id != "" && !strings.HasPrefix(id, goPrefix) }

const goPrefix = "go:"

// NoteBuildID returns the build ID in the contents of a PT_NOTE segment, as
// [BuildID] does, "" if there is none. The notes are NT_GNU_BUILD_ID of owner
// GNU (include/uapi/linux/elf.h) and ELF_NOTE_GOBUILDID_TAG of owner Go
// (cmd/link/internal/ld/elf.go).
func NoteBuildID(notes []byte) (id string) {
	const (
		gnuBuildID = 3
		goBuildID  = 4
	)
	for n := range notesIn(notes) {
		switch {
		case n.Owner == "GNU" && n.Type == gnuBuildID && len(n.Desc) > 0:
			return hex.EncodeToString(n.Desc)
		case n.Owner == "Go" && n.Type == goBuildID && len(n.Desc) > 0 && id == "":
			id = goPrefix + string(n.Desc)
		}
	}
	return id
}
