package elfcore

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
)

var le = binary.LittleEndian

// Header returns everything that comes before the memory in a core file: the
// ELF header, program headers, notes, and zeros up to the first segment. The
// contents of the segments follow, Filesz bytes each, in order and without
// gaps; so that a core can be streamed.
func (img *Image) Header() ([]byte, error) {
	if err := img.check(); err != nil {
		return nil, err
	}
	notes, err := img.notes()
	if err != nil {
		return nil, err
	}
	phnum := 1 + len(img.Segments)
	var b []byte
	b = append(b, elf.ELFMAG...)
	b = append(b, byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT), byte(elf.ELFOSABI_NONE))
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint16(b, uint16(elf.ET_CORE))
	b = le.AppendUint16(b, uint16(img.Machine))
	b = le.AppendUint32(b, uint32(elf.EV_CURRENT))
	b = le.AppendUint64(b, 0)        // e_entry
	b = le.AppendUint64(b, ehdrSize) // e_phoff
	shoff, shnum, ehPhnum := 0, 0, phnum
	if phnum >= pnXNum {
		// The kernel puts this section header at the end of the file
		// (fs/binfmt_elf.c, fill_extnum_info); here it must be known before.
		shoff, shnum, ehPhnum = ehdrSize+phnum*phdrSize, 1, pnXNum
	}
	b = le.AppendUint64(b, uint64(shoff))
	b = le.AppendUint32(b, 0) // e_flags
	b = le.AppendUint16(b, ehdrSize)
	b = le.AppendUint16(b, phdrSize)
	b = le.AppendUint16(b, uint16(ehPhnum))
	b = le.AppendUint16(b, uint16(shnum*shdrSize))
	b = le.AppendUint16(b, uint16(shnum))
	b = le.AppendUint16(b, 0) // e_shstrndx

	noteOff := ehdrSize + phnum*phdrSize + shnum*shdrSize
	b = appendPhdr(b, elf.Prog64{Type: uint32(elf.PT_NOTE), Off: uint64(noteOff), Filesz: uint64(len(notes)), Align: 4})
	off := alignUp(uint64(noteOff+len(notes)), pageSize)
	for _, s := range img.Segments {
		b = appendPhdr(b, elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(s.Flags), Off: off,
			Vaddr: s.Addr, Filesz: s.Filesz, Memsz: s.Memsz, Align: pageSize,
		})
		off += s.Filesz
	}
	if shnum > 0 {
		sh := make([]byte, shdrSize)
		le.PutUint64(sh[32:], 1)             // sh_size: number of section headers
		le.PutUint32(sh[44:], uint32(phnum)) // sh_info
		b = append(b, sh...)
	}
	b = append(b, notes...)
	return append(b, make([]byte, alignUp(uint64(len(b)), pageSize)-uint64(len(b)))...), nil
}

// Size returns the size of the whole core file in bytes.
func (img *Image) Size() (int64, error) {
	h, err := img.Header()
	if err != nil {
		return 0, err
	}
	n := uint64(len(h))
	for _, s := range img.Segments {
		if s.Filesz > maxSize || n > maxSize {
			return 0, fmt.Errorf("core file: more than %d bytes", uint64(maxSize))
		}
		n += s.Filesz
	}
	return int64(n), nil
}

// check refuses what would make a core that nobody can read.
func (img *Image) check() error {
	l, err := layoutOf(img.Machine)
	if err != nil {
		return err
	}
	if len(img.Threads) == 0 {
		return fmt.Errorf("core file: %w", ErrNoThreads)
	}
	for _, t := range img.Threads {
		if len(t.Regs) != l.regsSize {
			return fmt.Errorf("core file: thread %d has %d bytes of registers, want %d", t.TID, len(t.Regs), l.regsSize)
		}
	}
	for _, m := range img.Files {
		if m.Start >= m.End || strings.IndexByte(m.Path, 0) >= 0 {
			return fmt.Errorf("core file: mapping of %q at [%#x, %#x) makes no sense", m.Path, m.Start, m.End)
		}
	}
	end := uint64(0)
	for _, s := range img.Segments {
		if s.Addr < end || s.Addr+s.Memsz < s.Addr || s.Filesz > s.Memsz {
			return fmt.Errorf("core file: segment at %#x overlaps another, wraps around or holds more than it describes", s.Addr)
		}
		end = s.Addr + s.Memsz
	}
	return nil
}

func appendPhdr(b []byte, p elf.Prog64) []byte {
	b = le.AppendUint32(b, p.Type)
	b = le.AppendUint32(b, p.Flags)
	for _, v := range []uint64{p.Off, p.Vaddr, p.Paddr, p.Filesz, p.Memsz, p.Align} {
		b = le.AppendUint64(b, v)
	}
	return b
}

func alignUp(n, align uint64) uint64 { return (n + align - 1) &^ (align - 1) }
