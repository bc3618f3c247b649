// Package image is the address space of a dead process, put together from its
// core, its executable and its libraries. It knows ELF files and nothing of Go,
// of bundles or of how the core was taken.
package image

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/corekit/corekit/platform/elfcore"
)

// Files opens the files that were mapped, by their paths in the dead process.
type Files interface {
	// Open returns the file and its size in bytes, or an error that wraps
	// fs.ErrNotExist.
	Open(path string) (io.ReaderAt, int64, error)
}

// Image is an address space. It is safe for concurrent use if the readers that
// it was made from are.
type Image struct {
	core    *elfcore.File
	exe     io.ReaderAt
	exeSize int64
	exePath string
	files   Files
	regions []region
	bias    uint64
	lacks   []string
}

// region is a piece of the address space with one source. Regions ascend and
// do not overlap.
type region struct {
	start, end uint64
	r          io.ReaderAt // nil: zeros
	off        uint64      // in r, of start
}

// New puts together the image of core. exe may be nil; then what only the
// executable's file holds cannot be read. files may be nil.
func New(core *elfcore.File, exe io.ReaderAt, exeSize int64, files Files) (*Image, error) {
	im := &Image{core: core, exe: exe, exeSize: exeSize, files: files}
	im.exePath = im.findExe()
	if exe != nil {
		var err error
		if im.bias, err = loadBias(core, exe); err != nil {
			return nil, err
		}
	}
	im.build()
	return im, nil
}

// Core returns the core that the image was made from.
func (im *Image) Core() *elfcore.File { return im.core }

// Bias returns how far the executable was moved when it was loaded: run-time
// minus link-time addresses. It is 0 unless the executable is
// position-independent.
func (im *Image) Bias() uint64 { return im.bias }

// Lacks names the mapped files that could not be opened.
func (im *Image) Lacks() []string { return im.lacks }

// build lays out the regions: what the core stores, then for what it only
// describes the mapped files, then zeros.
func (im *Image) build() {
	opened := map[string]*source{}
	im.regions = make([]region, 0, len(im.core.Segments)*2)
	for i, s := range im.core.Segments {
		if stored := s.Filesz; stored > 0 {
			im.add(s.Addr, s.Addr+stored, &coreReader{im.core, i}, 0)
		}
		if s.Memsz > s.Filesz {
			im.describe(s.Addr+s.Filesz, s.Addr+s.Memsz, opened)
		}
	}
	// A mapping that no segment describes is in the file all the same.
	var more []region
	for _, m := range im.core.Files {
		for _, gap := range im.gaps(m.Start, m.End) {
			if src := im.source(m.Path, opened); src != nil {
				more = append(more, src.region(gap, m)...)
			}
		}
	}
	im.regions = append(im.regions, more...)
	sort.Slice(im.regions, func(i, j int) bool { return im.regions[i].start < im.regions[j].start })
	im.flatten()
}

func (im *Image) add(start, end uint64, r io.ReaderAt, off uint64) {
	im.regions = append(im.regions, region{start, end, r, off})
}

// describe adds [start, end), which the core has no contents for: from mapped
// files where there are any, else zeros.
func (im *Image) describe(start, end uint64, opened map[string]*source) {
	files := im.core.Files
	i := sort.Search(len(files), func(i int) bool { return files[i].End > start })
	for start < end {
		if i == len(files) || files[i].Start >= end {
			im.add(start, end, nil, 0)
			return
		}
		m := files[i]
		if m.Start > start {
			im.add(start, m.Start, nil, 0)
			start = m.Start
		}
		stop := min(end, m.End)
		if src := im.source(m.Path, opened); src != nil {
			im.regions = append(im.regions, src.region(span{start, stop}, m)...)
		}
		start = max(start, stop)
		i++
	}
}

type span struct{ start, end uint64 }

// gaps returns the parts of [start, end) that no region covers yet; regions
// are sorted because segments are.
func (im *Image) gaps(start, end uint64) (out []span) {
	i := sort.Search(len(im.regions), func(i int) bool { return im.regions[i].end > start })
	for ; i < len(im.regions) && im.regions[i].start < end; i++ {
		if r := im.regions[i]; r.start > start {
			out = append(out, span{start, r.start})
		}
		start = im.regions[i].end
	}
	if start < end {
		out = append(out, span{start, end})
	}
	return out
}

// flatten cuts overlaps, which only a damaged core has.
func (im *Image) flatten() {
	end := uint64(0)
	keep := im.regions[:0]
	for _, r := range im.regions {
		if r.start < end {
			cut := min(end, r.end) - r.start
			r.start += cut
			r.off += cut
		}
		if r.start >= r.end {
			continue
		}
		end = r.end
		keep = append(keep, r)
	}
	im.regions = keep
}

// ErrUnmapped says that an address is in nothing that is known of the process.
var ErrUnmapped = errors.New("no memory there, or not captured")

// ReadMemory fills p with the memory at addr.
func (im *Image) ReadMemory(p []byte, addr uint64) (int, error) {
	i := sort.Search(len(im.regions), func(i int) bool { return im.regions[i].end > addr })
	n := 0
	for ; n < len(p); i++ {
		at := addr + uint64(n)
		if i == len(im.regions) || im.regions[i].start > at || at < addr {
			return n, fmt.Errorf("address %#x: %w", at, ErrUnmapped)
		}
		r := im.regions[i]
		b := p[n:]
		if left := r.end - at; uint64(len(b)) > left {
			b = b[:left]
		}
		if r.r == nil {
			clear(b)
		} else if m, err := r.r.ReadAt(b, int64(r.off+at-r.start)); m < len(b) {
			return n, fmt.Errorf("address %#x: %w", at, err)
		}
		n += len(b)
	}
	return n, nil
}

// coreReader reads the contents of one segment.
type coreReader struct {
	core *elfcore.File
	i    int
}

func (c *coreReader) ReadAt(p []byte, off int64) (int, error) {
	return c.core.ReadMemory(p, c.core.Segments[c.i].Addr+uint64(off))
}

// cleanPath removes what the kernel adds to the name of a file that is gone.
func cleanPath(path string) string { return strings.TrimSuffix(path, " (deleted)") }
