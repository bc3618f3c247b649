package image

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/corekit/corekit/platform/elfcore"
)

const (
	// maxSparse bounds the logical size of a file that [Image.WriteSparse]
	// writes. The largest zero parts beyond it stay described only.
	maxSparse = 1 << 40
	// maxDelveSegments is what debug/elf, and with it Delve, can count: it does
	// not know PN_XNUM. One header is for the notes.
	maxDelveSegments = 0xffff - 2
	// chunk is how much is copied at a time.
	chunk = 1 << 20
)

// WriteSparse writes the core to f, an empty file, once more, for Delve, which
// cannot read what a segment describes but does not hold: the parts of
// anonymous memory that are zero become holes of a sparse file. The parts that
// come from mapped files stay out. The thread with id first, if there is one,
// comes first.
func (im *Image) WriteSparse(f *os.File, first int) error {
	if err := im.writeSparse(f, first); err != nil {
		return fmt.Errorf("write core for delve: %w", err)
	}
	return nil
}

func (im *Image) writeSparse(f *os.File, first int) error {
	img := im.core.Image
	img.Threads = slices.Clone(img.Threads)
	slices.SortStableFunc(img.Threads, func(a, b elfcore.Thread) int {
		return cmp.Compare(b2i(b.TID == first), b2i(a.TID == first))
	})
	described := im.tooLarge()
	pieces := im.pieces(described, false)
	if len(pieces) > maxDelveSegments {
		pieces = im.pieces(described, true)
	}
	img.Segments = make([]elfcore.Segment, len(pieces))
	for i, p := range pieces {
		img.Segments[i] = p.Segment
	}
	h, err := img.Header()
	if err != nil {
		return err
	}
	size, err := img.Size()
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	if _, err := f.WriteAt(h, 0); err != nil {
		return err
	}
	var jobs []job
	off := int64(len(h))
	for _, p := range pieces {
		for _, r := range p.regions {
			for at := r.start; at < r.end; at += chunk {
				jobs = append(jobs, job{int64(r.off + at - r.start), off + int64(at-p.Addr), min(chunk, r.end-at)})
			}
		}
		off += int64(p.Filesz)
	}
	return im.copyAll(f, jobs)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tooLarge returns the zero regions that have to stay out, by their addresses.
func (im *Image) tooLarge() map[uint64]bool {
	total := uint64(0)
	var holes []region
	for _, r := range im.regions {
		if r.kind == stored || r.kind == zeros {
			total += min(r.end-r.start, 2*maxSparse)
		}
		if r.kind == zeros {
			holes = append(holes, r)
		}
	}
	if total <= maxSparse {
		return nil
	}
	slices.SortFunc(holes, func(a, b region) int { return cmp.Compare(b.end-b.start, a.end-a.start) })
	out := map[uint64]bool{}
	for _, h := range holes {
		if total <= maxSparse {
			break
		}
		total -= min(h.end-h.start, 2*maxSparse)
		out[h.start] = true
	}
	return out
}

// piece is a segment of the sparse core, with the regions in it that have
// contents.
type piece struct {
	elfcore.Segment
	regions []region
}

// pieces joins regions to as few segments as there can be: Delve searches them
// one by one. coarse disregards how they are protected, which nobody asks for.
func (im *Image) pieces(described map[uint64]bool, coarse bool) []piece {
	var out []piece
	for _, r := range im.regions {
		if r.seg < 0 {
			continue // of a file, in no segment
		}
		flags := im.core.Segments[r.seg].Flags
		size := r.end - r.start
		present := r.kind == stored || r.kind == zeros && !described[r.start]
		join := false
		if len(out) > 0 {
			last := &out[len(out)-1]
			join = last.Addr+last.Memsz == r.start && (coarse || last.Flags == flags) &&
				(last.Filesz == last.Memsz || !present)
		}
		if !join {
			out = append(out, piece{Segment: elfcore.Segment{Addr: r.start, Flags: flags}})
		}
		p := &out[len(out)-1]
		p.Memsz += size
		p.Flags |= flags
		if present {
			p.Filesz += size
		}
		if r.kind == stored {
			p.regions = append(p.regions, r)
		}
	}
	return out
}

// job is a range of the core to be copied.
type job struct {
	from, to int64
	n        uint64
}

// copyAll runs the jobs on all processors: the core may have to be
// decompressed.
func (im *Image) copyAll(f *os.File, jobs []job) error {
	var (
		next   atomic.Int64
		failed atomic.Bool
		wg     sync.WaitGroup
		once   sync.Once
		first  error
	)
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		wg.Go(func() {
			buf := make([]byte, chunk)
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				if err := im.copyOne(f, jobs[i], buf); err != nil {
					once.Do(func() { first = err })
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	return first
}

func (im *Image) copyOne(f *os.File, j job, buf []byte) error {
	buf = buf[:j.n]
	if n, err := im.core.ReadAt(buf, j.from); n < len(buf) {
		return fmt.Errorf("core file at %#x: %w", j.from+int64(n), err)
	}
	return writePages(f, j.to, buf)
}

var zeroPage [pageSize]byte

// writePages leaves out the pages that are zero: the file is empty yet.
func writePages(f *os.File, off int64, b []byte) error {
	for len(b) > 0 {
		n := 0
		for n < len(b) && !isZero(b[n:min(n+pageSize, len(b))]) {
			n = min(n+pageSize, len(b))
		}
		if n > 0 {
			if _, err := f.WriteAt(b[:n], off); err != nil {
				return err
			}
		}
		skip := min(n+pageSize, len(b))
		b, off = b[skip:], off+int64(skip)
	}
	return nil
}

func isZero(b []byte) bool { return bytes.Equal(b, zeroPage[:len(b)]) }
