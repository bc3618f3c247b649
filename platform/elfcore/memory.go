package elfcore

import (
	"fmt"
	"io"
	"sort"
)

// Missing returns how many bytes the file is shorter than its headers say: more
// than 0 for a core that was cut off, by a full disk or a limit.
func (f *File) Missing() int64 { return f.missing }

// Offset returns where in the file the contents of Segments[i] begin.
func (f *File) Offset(i int) int64 { return int64(f.offsets[i]) }

// Stored returns how many bytes of Segments[i] the file really holds: Filesz,
// or less if the file is cut off.
func (f *File) Stored(i int) uint64 {
	if f.offsets[i] >= uint64(f.size) {
		return 0
	}
	return min(f.Segments[i].Filesz, uint64(f.size)-f.offsets[i])
}

// ReadAt reads from the file itself. It implements [io.ReaderAt].
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= f.size {
		return 0, io.EOF
	}
	want := int(min(int64(len(p)), f.size-off))
	n, err := f.r.ReadAt(p[:want], off)
	switch {
	case n < want:
		return n, err
	case want < len(p):
		return n, io.EOF
	}
	return n, nil // a ReaderAt may report io.EOF with the last bytes
}

// ReadMemory fills p with the memory at addr, which may span segments, and
// returns how much it could read. It returns [ErrNotPresent], wrapped, for what
// the core does not hold: addresses in no segment, and the part of a segment
// that is described but not stored; and [ErrTruncated] for what it would hold
// if it were complete.
func (f *File) ReadMemory(p []byte, addr uint64) (int, error) {
	for n := 0; n < len(p); {
		at := addr + uint64(n)
		i := f.segment(at)
		if i < 0 || at-f.Segments[i].Addr >= f.Segments[i].Filesz {
			return n, fmt.Errorf("memory at %#x: %w", at, ErrNotPresent)
		}
		off, stored := at-f.Segments[i].Addr, f.Stored(i)
		if off >= stored {
			return n, fmt.Errorf("memory at %#x: %w", at, ErrTruncated)
		}
		b := p[n:]
		b = b[:min(uint64(len(b)), stored-off)]
		got, err := f.ReadAt(b, int64(f.offsets[i]+off))
		n += got
		if got < len(b) {
			return n, fmt.Errorf("memory at %#x: %w", at+uint64(got), err)
		}
	}
	return len(p), nil
}

// segment returns the index of the segment that addr lies in, -1 if in none.
func (f *File) segment(addr uint64) int {
	i := sort.Search(len(f.Segments), func(i int) bool { return f.Segments[i].Addr > addr }) - 1
	if i < 0 || addr-f.Segments[i].Addr >= f.Segments[i].Memsz {
		return -1
	}
	return i
}
