// Package image is the address space of a dead process, put together from its
// core, its executable and its libraries. It knows ELF files and nothing of Go,
// of bundles or of how the core was taken.
package image

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/corekit/corekit/platform/elfcore"
)

// Files opens the files that were mapped, by their paths in the dead process.
type Files interface {
	// Open returns the file and its size in bytes, or an error that wraps
	// fs.ErrNotExist.
	Open(path string) (io.ReaderAt, int64, error)
}

// ErrUnmapped says that an address is in nothing that is known of the process.
var ErrUnmapped = errors.New("no memory there, or not captured")

// Image is an address space. It is safe for concurrent use if the readers that
// it was made from are.
type Image struct {
	core    *elfcore.File
	exe     source
	exePath string // as in the core, "" if unknown
	files   Files
	bias    uint64
	regions []region
	lacks   []string
	lacking map[string]bool // those in lacks

	mu      sync.Mutex
	sources map[string]*source          // by path as in the core; nil: not at hand
	objects map[string]*elfcore.Program // likewise; nil: no ELF file
}

// New puts together the image of core. exe may be nil; then what only the
// executable's file holds cannot be read. files may be nil.
//
// What the core describes without storing it is taken from the mapped file,
// and reads as zeros where there is none: so it is with pages that were never
// touched, but also with memory that the process kept out of its cores by
// madvise(MADV_DONTDUMP), which a core does not tell apart.
//
// New does not check that exe belongs to the core, see [Match].
func New(core *elfcore.File, exe io.ReaderAt, exeSize int64, files Files) (*Image, error) {
	im := &Image{
		core: core, files: files, exePath: exePath(core),
		lacking: map[string]bool{},
		sources: map[string]*source{}, objects: map[string]*elfcore.Program{},
	}
	if exe != nil {
		p, err := elfcore.ReadProgram(exe)
		if err != nil {
			return nil, fmt.Errorf("executable: %w", err)
		}
		im.exe = source{exe, uint64(max(exeSize, 0))}
		im.bias = bias(core, p, im.exePath)
		im.objects[im.exePath] = p
	}
	im.layout()
	return im, nil
}

// Core returns the core that the image was made from.
func (im *Image) Core() *elfcore.File { return im.core }

// Bias returns how far the executable was moved when it was loaded: run-time
// minus link-time addresses. It is 0 unless the executable is
// position-independent.
func (im *Image) Bias() uint64 { return im.bias }

// ExePath returns the path that the executable had in the process, "" if the
// core does not tell.
func (im *Image) ExePath() string { return cleanPath(im.exePath) }

// Mappings returns the mapped files, by address.
func (im *Image) Mappings() []elfcore.Mapping { return im.core.Files }

// Lacks names the mapped files that the core needs and that could not be
// opened, or are not the ones that were mapped.
func (im *Image) Lacks() []string { return im.lacks }

// ReadMemory fills p with the memory at addr, and returns how much it could
// read. Its error names the address where it had to stop, and wraps
// [ErrUnmapped], or [elfcore.ErrTruncated] for what a core that was cut off
// has lost.
func (im *Image) ReadMemory(p []byte, addr uint64) (int, error) {
	i := sort.Search(len(im.regions), func(i int) bool { return im.regions[i].end > addr })
	for n := 0; n < len(p); i++ {
		at := addr + uint64(n)
		if i == len(im.regions) || im.regions[i].start > at || at < addr {
			return n, fmt.Errorf("address %#x: %w", at, ErrUnmapped)
		}
		r := &im.regions[i]
		b := p[n:]
		if left := r.end - at; uint64(len(b)) > left {
			b = b[:left]
		}
		m, err := im.read(r, b, r.off+at-r.start)
		n += m
		if err != nil {
			return n, fmt.Errorf("address %#x: %w", at+uint64(m), err)
		}
	}
	return len(p), nil
}

// read reads from the source of a region.
func (im *Image) read(r *region, b []byte, off uint64) (n int, err error) {
	switch r.kind {
	case zeros:
		clear(b)
		return len(b), nil
	case stored:
		n, err = im.core.ReadAt(b, int64(off))
	case file:
		n, err = r.src.r.ReadAt(b, int64(off))
	case lost:
		return 0, elfcore.ErrTruncated
	default:
		return 0, ErrUnmapped
	}
	if n == len(b) {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF // the file became shorter
	}
	return n, err
}
