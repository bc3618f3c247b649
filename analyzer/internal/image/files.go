package image

import (
	"io"
	"sort"
	"strings"

	"github.com/corekit/corekit/platform/elfcore"
)

// source is a mapped file.
type source struct {
	r    io.ReaderAt
	size uint64
}

// cleanPath removes what the kernel adds to the name of a file that is gone.
func cleanPath(path string) string { return strings.TrimSuffix(path, " (deleted)") }

// hasFile tells files from memory that only has a name: shared anonymous
// memory, memfd_create, System V shared memory (mm/shmem.c, ipc/shm.c), and
// from devices.
func hasFile(path string) bool {
	if strings.HasPrefix(path, "/dev/") && !strings.HasPrefix(path, "/dev/shm/") {
		return false
	}
	if !strings.HasSuffix(path, " (deleted)") {
		return true
	}
	return !strings.HasPrefix(path, "/memfd:") && !strings.HasPrefix(path, "/SYSV")
}

// source opens a mapped file once; nil if it cannot be had.
func (im *Image) source(m elfcore.Mapping) *source {
	im.mu.Lock()
	defer im.mu.Unlock()
	s, ok := im.sources[m.Path]
	if !ok {
		s = im.openSource(m)
		im.sources[m.Path] = s
	}
	return s
}

func (im *Image) openSource(m elfcore.Mapping) *source {
	if m.Path == im.exePath && im.exe.r != nil {
		return &im.exe
	}
	if im.files == nil {
		return nil
	}
	r, size, err := im.files.Open(cleanPath(m.Path))
	if err != nil || size <= 0 {
		return nil
	}
	// A library may have been replaced since; the core has its first page.
	if mem, ok := programInCore(im.core, m.Path); ok {
		p, err := elfcore.ReadProgram(r)
		if err != nil {
			return nil
		}
		if _, err := compare(mem, headers{p, r, false}); err != nil {
			return nil
		}
	}
	return &source{r, uint64(size)}
}

// MappingAt returns the mapped file at addr.
func (im *Image) MappingAt(addr uint64) (elfcore.Mapping, bool) { return mappingAt(im.core, addr) }

func mappingAt(core *elfcore.File, addr uint64) (elfcore.Mapping, bool) {
	// The last one that begins at addr or before; they ascend.
	i := sort.Search(len(core.Files), func(i int) bool { return core.Files[i].Start > addr }) - 1
	if i < 0 || addr >= core.Files[i].End {
		return elfcore.Mapping{}, false
	}
	return core.Files[i], true
}

// FileAt returns the path of the file that is mapped at addr, and where in the
// file that is.
func (im *Image) FileAt(addr uint64) (path string, offset uint64, ok bool) {
	m, ok := im.MappingAt(addr)
	if !ok {
		return "", 0, false
	}
	return cleanPath(m.Path), m.Offset + addr - m.Start, true
}

// window reads memory as if it were a file.
type window struct {
	mem interface {
		ReadMemory([]byte, uint64) (int, error)
	}
	base uint64
}

func (w window) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.mem.ReadMemory(p, w.base+uint64(off))
	if err != nil {
		err = io.EOF
	}
	return n, err
}
