package bgzf

import (
	"errors"
	"fmt"
	"io"
	"sort"
)

// Reader gives random access to the uncompressed contents of a blocked gzip
// file. Its methods may be called concurrently.
type Reader struct {
	r     io.ReaderAt
	index *index
	cache cache
}

// NewReader scans the file r of size bytes. A file that is cut off, or whose
// rest is not blocked gzip, opens up to its last whole block; a file that does
// not begin with a block gives [ErrFormat].
func NewReader(r io.ReaderAt, size int64) (*Reader, error) {
	x, err := scan(r, size)
	if err != nil {
		return nil, err
	}
	return &Reader{r: r, index: x}, nil
}

// Size returns the size of the uncompressed contents.
func (z *Reader) Size() int64 { return z.index.extents[z.blocks()].data }

// Truncated reports whether the file does not end as a whole file does.
func (z *Reader) Truncated() bool { return z.index.truncated }

func (z *Reader) blocks() int { return len(z.index.extents) - 1 }

// find returns the block that holds byte off, which is below Size.
func (z *Reader) find(off int64) int {
	e := z.index.extents
	return sort.Search(len(e), func(i int) bool { return e[i].data > off }) - 1
}

// bounds returns where the contents of block i begin and end.
func (z *Reader) bounds(i int) (start, end int64) {
	return z.index.extents[i].data, z.index.extents[i+1].data
}

// ReadAt implements [io.ReaderAt]. A damaged block gives [ErrCorrupt].
func (z *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("bgzf: negative offset")
	}
	done := 0
	if off < z.Size() && len(p) > 0 {
		for i := z.find(off); done < len(p) && i < z.blocks(); i++ {
			start, end := z.bounds(i)
			// A whole block goes to its place without passing the cache.
			if at := off + int64(done); at == start && int64(len(p)-done) >= end-start {
				if err := z.block(i, p[done:done+int(end-start)]); err != nil {
					return done, err
				}
				done += int(end - start)
				continue
			}
			data, err := z.cache.get(i, func() ([]byte, error) {
				b := make([]byte, end-start)
				return b, z.block(i, b)
			})
			if err != nil {
				return done, err
			}
			done += copy(p[done:], data[off+int64(done)-start:])
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// block decompresses block i into p, which is of its size.
func (z *Reader) block(i int, p []byte) error {
	d := getDecoder()
	defer putDecoder(d)
	from, to := z.index.extents[i].file, z.index.extents[i+1].file
	// Empty members between the two are not in the index: the size in the
	// header says where this one ends.
	raw := d.raw[:min(to-from, maxMember)]
	if err := readFull(z.r, raw, from); err != nil {
		return fmt.Errorf("bgzf: block at %d: %w", from, err)
	}
	if err := d.decode(raw, p); err != nil {
		return fmt.Errorf("bgzf: block at %d: %w", from, err)
	}
	return nil
}
