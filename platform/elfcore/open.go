package elfcore

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"sort"
)

// File is an open core file. It is safe for concurrent use if its reader is.
type File struct {
	Image // Segments ascend here too, whatever their order in the file

	r       io.ReaderAt
	size    int64
	offsets []uint64 // in the file, of Segments
	missing int64
}

const (
	// maxNotes bounds the memory that notes may take: 10 000 threads of 12 KiB
	// each fit.
	maxNotes = 256 << 20
	// maxSegments bounds the program headers; a process has at most
	// vm.max_map_count mappings, 65 530 by default.
	maxSegments = 4 << 20
)

// Open reads the headers and notes of a core file of the given size in bytes.
// A core that was cut off opens as far as it goes, see [File.Missing]. The
// error is, or wraps, one of [ErrFormat], [ErrNotCore], [ErrMachine] and
// [ErrNoThreads], unless reading failed.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r, size: size}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("core file: %w", err)
	}
	return f, nil
}

func (f *File) open() error {
	var h [ehdrSize]byte
	if _, err := f.r.ReadAt(h[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case string(h[:4]) != elf.ELFMAG:
		return ErrFormat
	case h[elf.EI_CLASS] != byte(elf.ELFCLASS64) || h[elf.EI_DATA] != byte(elf.ELFDATA2LSB):
		return ErrMachine
	case elf.Type(le.Uint16(h[16:])) != elf.ET_CORE:
		return ErrNotCore
	}
	f.Machine = elf.Machine(le.Uint16(h[18:]))
	if _, err := layoutOf(f.Machine); err != nil {
		return ErrMachine
	}
	progs, err := f.programs(h[:])
	if err != nil {
		return err
	}
	for _, p := range progs {
		switch elf.ProgType(p.Type) {
		case elf.PT_NOTE:
			if err := f.readNotes(p); err != nil {
				return err
			}
		case elf.PT_LOAD:
			f.addSegment(p)
		}
		f.needs(p)
	}
	if len(f.Threads) == 0 {
		if f.missing > 0 {
			return fmt.Errorf("%w: the file is cut off", ErrNoThreads)
		}
		return ErrNoThreads
	}
	f.sort()
	return nil
}

// programs reads the program headers.
func (f *File) programs(h []byte) ([]elf.Prog64, error) {
	off, num := le.Uint64(h[32:]), uint64(le.Uint16(h[56:]))
	if num == pnXNum {
		// The true number is in the first section header.
		var sh [shdrSize]byte
		if err := f.read(sh[:], le.Uint64(h[40:])); err != nil {
			return nil, fmt.Errorf("section header with the number of segments: %w", err)
		}
		num = uint64(le.Uint32(sh[44:]))
	}
	if entry := le.Uint16(h[54:]); entry != phdrSize && num > 0 {
		return nil, fmt.Errorf("program headers of %d bytes: %w", entry, ErrFormat)
	}
	if num > maxSegments || num*phdrSize > uint64(f.size) {
		return nil, fmt.Errorf("%d program headers: %w", num, ErrFormat)
	}
	b := make([]byte, num*phdrSize)
	if err := f.read(b, off); err != nil {
		return nil, fmt.Errorf("program headers: %w", err)
	}
	progs := make([]elf.Prog64, num)
	for i := range progs {
		p := b[i*phdrSize:]
		progs[i] = elf.Prog64{
			Type: le.Uint32(p), Flags: le.Uint32(p[4:]), Off: le.Uint64(p[8:]), Vaddr: le.Uint64(p[16:]),
			Filesz: le.Uint64(p[32:]), Memsz: le.Uint64(p[40:]), Align: le.Uint64(p[48:]),
		}
	}
	return progs, nil
}

// read fills b from the file at off.
func (f *File) read(b []byte, off uint64) error {
	if off > uint64(f.size) || uint64(len(b)) > uint64(f.size)-off {
		return io.ErrUnexpectedEOF
	}
	n, err := f.r.ReadAt(b, int64(off))
	if n == len(b) {
		return nil
	}
	return err
}

func (f *File) addSegment(p elf.Prog64) {
	if p.Vaddr+p.Memsz < p.Vaddr || p.Off+p.Filesz < p.Off {
		return // wraps around: no process has such a mapping
	}
	f.Segments = append(f.Segments, Segment{
		Addr: p.Vaddr, Memsz: max(p.Memsz, p.Filesz), Filesz: p.Filesz, Flags: elf.ProgFlag(p.Flags),
	})
	f.offsets = append(f.offsets, p.Off)
}

// needs notes how much of a segment is beyond the end of the file.
func (f *File) needs(p elf.Prog64) {
	if end := p.Off + p.Filesz; end >= p.Off && end < 1<<62 && int64(end)-f.size > f.missing {
		f.missing = int64(end) - f.size
	}
}

// sort puts the segments in order and cuts what overlaps, so that a look-up is
// a binary search whatever the file says.
func (f *File) sort() {
	sort.Sort((*bySegment)(f))
	end := uint64(0)
	keep := 0
	for i, s := range f.Segments {
		if s.Addr < end {
			cut := end - s.Addr
			if cut >= s.Memsz {
				continue
			}
			s.Addr, s.Memsz = end, s.Memsz-cut
			f.offsets[i] += min(cut, s.Filesz)
			s.Filesz -= min(cut, s.Filesz)
		}
		end = s.Addr + s.Memsz
		f.Segments[keep], f.offsets[keep] = s, f.offsets[i]
		keep++
	}
	f.Segments, f.offsets = f.Segments[:keep], f.offsets[:keep]
}

type bySegment File

func (f *bySegment) Len() int           { return len(f.Segments) }
func (f *bySegment) Less(i, j int) bool { return f.Segments[i].Addr < f.Segments[j].Addr }
func (f *bySegment) Swap(i, j int) {
	f.Segments[i], f.Segments[j] = f.Segments[j], f.Segments[i]
	f.offsets[i], f.offsets[j] = f.offsets[j], f.offsets[i]
}

// Missing returns how many bytes the file is shorter than its headers say: more
// than 0 for a core that was cut off, by a full disk or a limit.
func (f *File) Missing() int64 { return f.missing }

// Offset returns where in the file the contents of Segments[i] begin.
func (f *File) Offset(i int) int64 { return int64(f.offsets[i]) }

// ReadMemory fills p with the memory at addr, which may span segments. It
// returns [ErrNotPresent], wrapped, for what the core does not hold: addresses
// in no segment, and the part of a segment that is described but not stored.
func (f *File) ReadMemory(p []byte, addr uint64) (int, error) {
	n := 0
	for n < len(p) {
		at := addr + uint64(n)
		i := sort.Search(len(f.Segments), func(i int) bool {
			return f.Segments[i].Addr+f.Segments[i].Memsz > at
		})
		if i == len(f.Segments) || at < f.Segments[i].Addr || at-f.Segments[i].Addr >= f.Segments[i].Filesz {
			return n, fmt.Errorf("memory at %#x: %w", at, ErrNotPresent)
		}
		s := f.Segments[i]
		b := p[n:min(uint64(len(p)), uint64(n)+s.Addr+s.Filesz-at)]
		if err := f.read(b, f.offsets[i]+at-s.Addr); err != nil {
			return n, fmt.Errorf("memory at %#x: the core is cut off: %w", at, err)
		}
		n += len(b)
	}
	return n, nil
}
