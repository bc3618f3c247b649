package elfcore

import (
	"debug/elf"
	"fmt"
	"io"
)

// maxFileProgs bounds the program headers of an executable or a library; real
// ones have about a dozen.
const maxFileProgs = 1 << 10

// Program is what an executable or a library says of itself in the headers
// that are mapped into memory along with it. debug/elf insists on the section
// headers, which are not.
type Program struct {
	Type    elf.Type
	Machine elf.Machine
	Entry   uint64
	Phoff   uint64
	Progs   []elf.Prog64

	shoff        uint64
	shnum, shent int
}

// ReadProgram reads the headers of an executable or a library, from its file
// or from its memory, where it begins at its first page. The error wraps
// [ErrFormat] unless reading failed.
func ReadProgram(r io.ReaderAt) (*Program, error) {
	var h [ehdrSize]byte
	if n, err := r.ReadAt(h[:], 0); n < len(h) && err != io.EOF {
		return nil, err
	}
	if string(h[:4]) != elf.ELFMAG {
		return nil, ErrFormat
	}
	if h[elf.EI_CLASS] != byte(elf.ELFCLASS64) || h[elf.EI_DATA] != byte(elf.ELFDATA2LSB) {
		return nil, fmt.Errorf("%w of a 64-bit little-endian machine", ErrFormat)
	}
	p := &Program{
		Type: elf.Type(le.Uint16(h[16:])), Machine: elf.Machine(le.Uint16(h[18:])),
		Entry: le.Uint64(h[24:]), Phoff: le.Uint64(h[32:]),
		shoff: le.Uint64(h[40:]), shent: int(le.Uint16(h[58:])), shnum: int(le.Uint16(h[60:])),
	}
	num := int(le.Uint16(h[56:]))
	if p.Phoff > maxSize || num > maxFileProgs || num > 0 && le.Uint16(h[54:]) != phdrSize {
		return nil, fmt.Errorf("%w: bad program headers", ErrFormat)
	}
	b := make([]byte, num*phdrSize)
	if n, err := r.ReadAt(b, int64(p.Phoff)); n < len(b) {
		if err != io.EOF {
			return nil, err
		}
		return nil, fmt.Errorf("%w: it is cut off in its program headers", ErrFormat)
	}
	for ph := range programs(b) {
		p.Progs = append(p.Progs, ph)
	}
	return p, nil
}

// Base returns the link-time address of the first byte of the file.
func (p *Program) Base() uint64 {
	for _, ph := range p.Progs {
		if ph.Type == uint32(elf.PT_LOAD) {
			return ph.Vaddr - ph.Off
		}
	}
	return 0
}
