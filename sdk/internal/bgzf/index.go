package bgzf

import (
	"encoding/binary"
	"fmt"
	"io"
)

// extent is a block: where its member begins in the file and its contents in
// the uncompressed stream.
type extent struct{ file, data int64 }

// index lists the blocks that hold data. The last extent is the end of both.
type index struct {
	extents   []extent
	truncated bool
}

const (
	// A small block costs 16 bytes of index for its 29 in the file. A file of
	// very many of them is no writer's work but meant to fill memory.
	manyBlocks   = 1 << 22
	minMeanBlock = 4096
)

// scan finds the blocks of a file. It looks at the headers and the lengths
// only, one read of a few bytes per block.
func scan(r io.ReaderAt, size int64) (*index, error) {
	x := &index{truncated: true}
	var at extent
	var buf [4 + headerSize]byte // ISIZE of the previous member, then a header
	member, head, err := readHeader(r, 0, size, buf[4:])
	if err != nil {
		return nil, err
	}
	if member == 0 {
		return nil, ErrFormat
	}
	for member > 0 && at.file+int64(member) <= size {
		next := at.file + int64(member)
		// The length and the header of the next member are neighbours.
		n := min(int64(len(buf)), size-next+4)
		if err := readFull(r, buf[:n], next-4); err != nil {
			return nil, fmt.Errorf("bgzf: read index: %w", err)
		}
		isize := binary.LittleEndian.Uint32(buf[:])
		// A deflate stream makes at most 1032 bytes out of one.
		if isize > MaxBlock || int64(isize) > 1032*int64(member-head-footerSize) {
			break
		}
		if isize > 0 {
			if len(x.extents) >= manyBlocks && at.data/int64(len(x.extents)) < minMeanBlock {
				return nil, fmt.Errorf("%w: %d blocks of %d bytes on average", ErrFormat, len(x.extents), at.data/int64(len(x.extents)))
			}
			x.extents = append(x.extents, at)
			at.data += int64(isize)
		}
		at.file = next
		if next == size {
			x.truncated = isize > 0
			break
		}
		var ok bool
		if member, head, ok = parseHeader(buf[4:n]); !ok {
			if member, head, err = readHeader(r, next, size, buf[4:]); err != nil {
				return nil, err
			}
		}
	}
	x.extents = append(x.extents, at)
	return x, nil
}

// readHeader reads the header at off, however many subfields it has. A size
// of zero means that there is none.
func readHeader(r io.ReaderAt, off, size int64, buf []byte) (member, head int, err error) {
	if size-off < headerSize {
		return 0, 0, nil
	}
	b := buf[:headerSize]
	if err := readFull(r, b, off); err != nil {
		return 0, 0, fmt.Errorf("bgzf: read header: %w", err)
	}
	if member, head, ok := parseHeader(b); ok {
		return member, head, nil
	}
	if b[0] != 0x1f || b[1] != 0x8b || b[3] != 4 {
		return 0, 0, nil
	}
	n := 12 + int64(binary.LittleEndian.Uint16(b[10:]))
	if n <= headerSize || n > size-off {
		return 0, 0, nil
	}
	b = make([]byte, n)
	if err := readFull(r, b, off); err != nil {
		return 0, 0, fmt.Errorf("bgzf: read header: %w", err)
	}
	member, head, _ = parseHeader(b)
	return member, head, nil
}

// readFull fills p from off; a source shorter than it said is an error.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
