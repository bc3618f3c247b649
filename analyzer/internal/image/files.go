package image

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/corekit/corekit/platform/elfcore"
)

// source is a mapped file.
type source struct {
	r    io.ReaderAt
	size uint64
}

// region maps part of the file at s, which lies in m. What is beyond the end
// of the file reads as zero up to the page's end, and that is where a mapping
// ends that the kernel lets anybody read.
func (f *source) region(s span, m elfcore.Mapping) []region {
	off := m.Offset + s.start - m.Start
	if off >= f.size {
		return []region{{s.start, s.end, nil, 0}}
	}
	have := min(s.end-s.start, f.size-off)
	out := []region{{s.start, s.start + have, f.r, off}}
	if s.start+have < s.end {
		out = append(out, region{s.start + have, s.end, nil, 0})
	}
	return out
}

// source opens a mapped file once; nil if it cannot be had.
func (im *Image) source(path string, opened map[string]*source) *source {
	if s, ok := opened[path]; ok {
		return s
	}
	var s *source
	if path == im.exePath && im.exe != nil {
		s = &source{im.exe, uint64(im.exeSize)}
	} else if im.files != nil {
		r, size, err := im.files.Open(cleanPath(path))
		if err == nil && size > 0 {
			s = &source{r, uint64(size)}
		}
	}
	if s == nil {
		im.lacks = append(im.lacks, cleanPath(path))
	}
	opened[path] = s
	return s
}

// findExe returns the path under which the executable is mapped: it holds the
// program headers that the kernel pointed the process to.
func (im *Image) findExe() string {
	for _, tag := range []uint64{elfcore.AuxPHDR, elfcore.AuxEntry} {
		if addr, ok := im.core.Aux(tag); ok {
			if m, ok := im.MappingAt(addr); ok {
				return m.Path
			}
		}
	}
	return ""
}

// ExePath returns the path that the executable had in the process, "" if the
// core does not tell.
func (im *Image) ExePath() string { return cleanPath(im.exePath) }

// MappingAt returns the mapped file at addr.
func (im *Image) MappingAt(addr uint64) (elfcore.Mapping, bool) {
	i := slices.IndexFunc(im.core.Files, func(m elfcore.Mapping) bool { return m.Start <= addr && addr < m.End })
	if i < 0 {
		return elfcore.Mapping{}, false
	}
	return im.core.Files[i], true
}

// Object is an ELF file in the address space.
type Object struct {
	Path string
	File io.ReaderAt
	Bias uint64 // run-time minus link-time addresses
}

// ObjectAt returns the ELF file that is mapped at addr, or the vDSO.
func (im *Image) ObjectAt(addr uint64) (Object, error) {
	if vdso, ok := im.core.Aux(elfcore.AuxVDSO); ok && addr >= vdso && addr-vdso < 1<<20 {
		if _, mapped := im.MappingAt(addr); !mapped {
			return Object{Path: "[vdso]", File: &window{im, vdso}, Bias: vdso}, nil
		}
	}
	m, ok := im.MappingAt(addr)
	if !ok {
		return Object{}, fmt.Errorf("address %#x: %w", addr, ErrUnmapped)
	}
	if m.Path == im.exePath && im.exe != nil {
		return Object{Path: cleanPath(m.Path), File: im.exe, Bias: im.bias}, nil
	}
	if im.files == nil {
		return Object{}, errors.New(cleanPath(m.Path) + " is not at hand")
	}
	r, _, err := im.files.Open(cleanPath(m.Path))
	if err != nil {
		return Object{}, err
	}
	// The segment that the file offset lies in tells how far it was moved.
	f, err := openELF(r)
	if err != nil {
		return Object{}, fmt.Errorf("%s: %w", cleanPath(m.Path), err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && m.Offset >= p.Off&^0xfff && m.Offset < p.Off+p.Filesz {
			return Object{Path: cleanPath(m.Path), File: r, Bias: m.Start - (p.Vaddr + m.Offset - p.Off)}, nil
		}
	}
	return Object{}, fmt.Errorf("%s: no segment is mapped at %#x", cleanPath(m.Path), addr)
}

// window reads memory as if it were a file.
type window struct {
	im   *Image
	base uint64
}

func (w *window) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.im.ReadMemory(p, w.base+uint64(off))
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// openELF is elf.NewFile for files that nobody vouches for: debug/elf has
// panicked on bad input before.
func openELF(r io.ReaderAt) (f *elf.File, err error) {
	defer func() {
		if v := recover(); v != nil {
			f, err = nil, fmt.Errorf("%w: %v", elfcore.ErrFormat, v)
		}
	}()
	return elf.NewFile(r)
}

// loadBias compares where the executable's entry point is with where it was
// linked to be.
func loadBias(core *elfcore.File, exe io.ReaderAt) (uint64, error) {
	f, err := openELF(exe)
	if err != nil {
		return 0, fmt.Errorf("executable: %w", err)
	}
	entry, ok := core.Aux(elfcore.AuxEntry)
	if !ok || f.Type != elf.ET_DYN {
		return 0, nil
	}
	return entry - f.Entry, nil
}
