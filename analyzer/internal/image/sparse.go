package image

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/corekit/corekit/platform/elfcore"
)

// maxSparse bounds the logical size of a file that [Image.WriteSparse] writes.
// Larger holes stay segments that are described only.
const maxSparse = 1 << 40

// WriteSparse writes the core to f once more, for Delve, which cannot read
// what a segment describes but does not hold: the parts of anonymous memory
// that are zero become holes of a sparse file. The thread with id first, if
// there is one, comes first.
func (im *Image) WriteSparse(f *os.File, first int) error {
	img := im.core.Image
	img.Threads = reorder(img.Threads, first)
	img.Segments = append([]elfcore.Segment(nil), img.Segments...)
	budget := uint64(maxSparse)
	for i, s := range img.Segments {
		if hole := s.Memsz - s.Filesz; hole <= budget && im.anonymous(s) {
			budget -= hole
			img.Segments[i].Filesz = s.Memsz
		}
	}
	h, err := img.Header()
	if err != nil {
		return err
	}
	if _, err := f.Write(h); err != nil {
		return fmt.Errorf("write core for delve: %w", err)
	}
	off := int64(len(h))
	for i, s := range img.Segments {
		if err := copySparse(f, off, im.core, im.core.Segments[i]); err != nil {
			return fmt.Errorf("write core for delve: %w", err)
		}
		off += int64(s.Filesz)
	}
	if err := f.Truncate(off); err != nil {
		return fmt.Errorf("write core for delve: %w", err)
	}
	return nil
}

func reorder(threads []elfcore.Thread, first int) []elfcore.Thread {
	out := make([]elfcore.Thread, 0, len(threads))
	for _, t := range threads {
		if t.TID == first {
			out = append([]elfcore.Thread{t}, out...)
		} else {
			out = append(out, t)
		}
	}
	return out
}

// anonymous reports whether no file is mapped in what s describes.
func (im *Image) anonymous(s elfcore.Segment) bool {
	for _, m := range im.core.Files {
		if m.Start < s.Addr+s.Memsz && s.Addr < m.End {
			return false
		}
	}
	return true
}

// copySparse copies what the core holds of a segment, leaving pages of zeros
// out. A core that was cut off ends early.
func copySparse(f *os.File, off int64, core *elfcore.File, s elfcore.Segment) error {
	buf := make([]byte, 1<<20)
	for done := uint64(0); done < s.Filesz; done += uint64(len(buf)) {
		buf = buf[:min(uint64(cap(buf)), s.Filesz-done)]
		if _, err := core.ReadMemory(buf, s.Addr+done); err != nil {
			if core.Missing() > 0 {
				return nil
			}
			return err
		}
		if err := writePages(f, off+int64(done), buf); err != nil {
			return err
		}
	}
	return nil
}

var zeroPage [4096]byte

func writePages(f io.WriterAt, off int64, b []byte) error {
	for len(b) > 0 {
		n := 0
		for n < len(b) && !isZero(b[n:min(n+len(zeroPage), len(b))]) {
			n = min(n+len(zeroPage), len(b))
		}
		if n > 0 {
			if _, err := f.WriteAt(b[:n], off); err != nil {
				return err
			}
		}
		skip := min(n+len(zeroPage), len(b))
		b, off = b[skip:], off+int64(skip)
	}
	return nil
}

func isZero(b []byte) bool { return bytes.Equal(b, zeroPage[:len(b)]) }
