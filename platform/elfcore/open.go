package elfcore

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
)

// File is an open core file. It is safe for concurrent use if its reader is.
type File struct {
	// Image is what the file says. Segments ascend and do not overlap here
	// too, whatever they do in the file.
	Image

	r       io.ReaderAt
	size    int64
	offsets []uint64 // in the file, of Segments
	missing int64
	notes   uint64 // bytes of notes so far
}

// maxSegments bounds the program headers; a process has at most
// vm.max_map_count mappings, 65 530 by default.
const maxSegments = 4 << 20

// Open reads the headers and notes of a core file of the given size in bytes.
// A core that was cut off opens as far as it goes, see [File.Missing]. The
// error wraps one of [ErrFormat], [ErrNotCore], [ErrMachine] and
// [ErrNoThreads], unless reading failed.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r, size: max(size, 0)}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("core file: %w", err)
	}
	return f, nil
}

func (f *File) open() error {
	h, err := f.header()
	if err != nil {
		return err
	}
	progs, err := f.programs(h)
	if err != nil {
		return err
	}
	var segs []placed
	for p := range programs(progs) {
		switch elf.ProgType(p.Type) {
		case elf.PT_NOTE:
			if err := f.readNotes(p); err != nil {
				return err
			}
		case elf.PT_LOAD:
			// One that wraps around is no memory of any process.
			if p.Memsz > 0 && p.Vaddr+p.Memsz > p.Vaddr {
				segs = append(segs, placed{Segment{
					Addr: p.Vaddr, Memsz: p.Memsz, Filesz: min(p.Filesz, p.Memsz), Flags: elf.ProgFlag(p.Flags),
				}, min(p.Off, maxSize)})
			}
		}
		f.needs(p.Off, p.Filesz)
	}
	if len(f.Threads) == 0 {
		if f.missing > 0 {
			return fmt.Errorf("%w: the file is cut off, %d bytes are missing", ErrNoThreads, f.missing)
		}
		return ErrNoThreads
	}
	f.inherit()
	f.arrange(segs)
	return nil
}

// header reads the ELF header and tells what kind of file this is.
func (f *File) header() ([]byte, error) {
	h := make([]byte, ehdrSize)
	n, err := f.ReadAt(h, 0)
	switch {
	case n < len(h) && !errors.Is(err, io.EOF):
		return nil, err
	case n == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrFormat)
	case string(h[:4]) != elf.ELFMAG:
		return nil, ErrFormat
	case n < len(h):
		return nil, fmt.Errorf("%w: it is cut off after %d bytes", ErrFormat, n)
	case h[elf.EI_DATA] == byte(elf.ELFDATA2MSB):
		return nil, fmt.Errorf("%w: it is of a big-endian machine", ErrMachine)
	}
	if t := elf.Type(le.Uint16(h[16:])); t != elf.ET_CORE {
		what := map[elf.Type]string{elf.ET_EXEC: "an executable", elf.ET_DYN: "an executable or a library", elf.ET_REL: "an object file"}[t]
		if what == "" {
			what = t.String()
		}
		return nil, fmt.Errorf("%w: it is %s", ErrNotCore, what)
	}
	f.Machine = elf.Machine(le.Uint16(h[18:]))
	if h[elf.EI_CLASS] != byte(elf.ELFCLASS64) {
		return nil, fmt.Errorf("%w: it is of a 32-bit program (%v)", ErrMachine, f.Machine)
	}
	if _, err := layoutOf(f.Machine); err != nil {
		return nil, fmt.Errorf("%w: it is of %v", ErrMachine, f.Machine)
	}
	return h, nil
}

// programs reads the program headers, as far as they are there.
func (f *File) programs(h []byte) ([]byte, error) {
	off, shoff, num := le.Uint64(h[32:]), le.Uint64(h[40:]), uint64(le.Uint16(h[56:]))
	if num == pnXNum && shoff != 0 {
		// The true number is in the first section header, which the kernel
		// puts at the very end: a core that was cut off lacks it. What lies
		// between the headers and the first segment tells it then.
		var sh [shdrSize]byte
		if n, err := f.ReadAt(sh[:], int64(min(shoff, maxSize))); n == len(sh) {
			num = uint64(le.Uint32(sh[44:]))
		} else if !errors.Is(err, io.EOF) {
			return nil, err
		} else {
			f.needs(shoff, shdrSize)
			num = f.countPrograms(off)
		}
	}
	if entry := le.Uint16(h[54:]); entry != phdrSize && num > 0 {
		return nil, fmt.Errorf("program headers of %d bytes: %w", entry, ErrFormat)
	}
	if num > maxSegments || off > maxSize {
		return nil, fmt.Errorf("%d program headers at %#x: %w", num, off, ErrFormat)
	}
	f.needs(off, num*phdrSize)
	b := make([]byte, min(num*phdrSize, uint64(max(f.size-int64(off), 0))))
	if n, err := f.ReadAt(b, int64(off)); n < len(b) {
		return nil, fmt.Errorf("program headers: %w", err)
	}
	return b[:len(b)/phdrSize*phdrSize], nil
}

// countPrograms tells the number of program headers of a core with more than
// e_phnum can say: the first one is the PT_NOTE, whose contents follow the
// last one at once.
func (f *File) countPrograms(off uint64) uint64 {
	var b [phdrSize]byte
	if n, _ := f.ReadAt(b[:], int64(min(off, maxSize))); n == len(b) {
		if end := le.Uint64(b[8:]); elf.ProgType(le.Uint32(b[:])) == elf.PT_NOTE && end > off {
			return max((end-off)/phdrSize, pnXNum)
		}
	}
	return pnXNum
}

// programs decodes a table of program headers.
func programs(b []byte) iter.Seq[elf.Prog64] {
	return func(yield func(elf.Prog64) bool) {
		for ; len(b) >= phdrSize; b = b[phdrSize:] {
			if !yield(elf.Prog64{
				Type: le.Uint32(b), Flags: le.Uint32(b[4:]), Off: le.Uint64(b[8:]), Vaddr: le.Uint64(b[16:]),
				Paddr: le.Uint64(b[24:]), Filesz: le.Uint64(b[32:]), Memsz: le.Uint64(b[40:]), Align: le.Uint64(b[48:]),
			}) {
				return
			}
		}
	}
}

// needs notes how much of n bytes at off is beyond the end of the file.
func (f *File) needs(off, n uint64) {
	if n > 0 {
		f.missing = max(f.missing, int64(min(min(off, maxSize-1)+min(n, maxSize), maxSize))-f.size)
	}
}

// inherit gives threads the process's identity where theirs says nothing.
func (f *File) inherit() {
	for i := range f.Threads {
		t := &f.Threads[i]
		t.PPID = cmp.Or(t.PPID, f.Process.PPID)
		t.PGRP = cmp.Or(t.PGRP, f.Process.PGRP)
		t.SID = cmp.Or(t.SID, f.Process.SID)
	}
}

// placed is a segment and where its contents are in the file.
type placed struct {
	Segment
	off uint64
}

// arrange puts the segments in order and cuts what overlaps, so that a look-up
// is a binary search whatever the file says.
func (f *File) arrange(segs []placed) {
	slices.SortStableFunc(segs, func(a, b placed) int { return cmp.Compare(a.Addr, b.Addr) })
	end := uint64(0)
	for _, s := range segs {
		if s.Addr < end {
			cut := end - s.Addr
			if cut >= s.Memsz {
				continue
			}
			stored := min(cut, s.Filesz)
			s.Addr, s.Memsz, s.Filesz = end, s.Memsz-cut, s.Filesz-stored
			s.off = min(s.off+min(stored, maxSize), maxSize)
		}
		end = s.Addr + s.Memsz
		f.Segments = append(f.Segments, s.Segment)
		f.offsets = append(f.offsets, s.off)
	}
}
