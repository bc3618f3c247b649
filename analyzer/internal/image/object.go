package image

import (
	"debug/elf"
	"fmt"
	"io"

	"github.com/corekit/corekit/platform/elfcore"
)

// Object is an ELF file in the address space.
type Object struct {
	Path string
	File io.ReaderAt
	Bias uint64 // run-time minus link-time addresses
}

// maxVDSO bounds the kernel's own shared object, which has no mapping to say
// how long it is; it has some pages.
const maxVDSO = 1 << 20

// ObjectAt returns the ELF file that is mapped at addr, or the vDSO.
func (im *Image) ObjectAt(addr uint64) (Object, error) {
	m, ok := im.MappingAt(addr)
	if !ok {
		return im.vdso(addr)
	}
	src := im.source(m)
	if src == nil {
		return Object{}, fmt.Errorf("address %#x: %s is not at hand", addr, cleanPath(m.Path))
	}
	p, err := im.program(m.Path, src)
	if err != nil {
		return Object{}, fmt.Errorf("address %#x: %s: %w", addr, cleanPath(m.Path), err)
	}
	o := Object{Path: cleanPath(m.Path), File: src.r, Bias: im.bias}
	if src == &im.exe {
		return o, nil
	}
	// Segments that share a page of the file are told apart by what they
	// contain; the first match is that of the padding around them.
	off := m.Offset + addr - m.Start
	found := false
	for _, ph := range p.Progs {
		if ph.Type != uint32(elf.PT_LOAD) {
			continue
		}
		inside := off >= ph.Off && off-ph.Off < ph.Filesz
		around := off >= ph.Off&^(pageSize-1) && off < (ph.Off+ph.Filesz+pageSize-1)&^(pageSize-1)
		if bias := addr - (ph.Vaddr + off - ph.Off); inside || around && !found {
			o.Bias, found = bias, true
			if inside && ph.Flags&uint32(elf.PF_X) != 0 {
				break
			}
		}
	}
	if !found {
		return Object{}, fmt.Errorf("address %#x: %s: no segment of it", addr, cleanPath(m.Path))
	}
	return o, nil
}

func (im *Image) vdso(addr uint64) (Object, error) {
	base, ok := im.core.Aux(elfcore.AuxVDSO)
	if !ok || addr < base || addr-base >= maxVDSO {
		return Object{}, fmt.Errorf("address %#x: %w", addr, ErrUnmapped)
	}
	w := window{im, base}
	p, err := im.program("[vdso]", &source{r: w})
	if err != nil {
		return Object{}, fmt.Errorf("address %#x: vDSO: %w", addr, err)
	}
	for _, ph := range p.Progs {
		if at := addr - base + p.Base(); ph.Type == uint32(elf.PT_LOAD) && at >= ph.Vaddr && at-ph.Vaddr < ph.Memsz {
			return Object{Path: "[vdso]", File: w, Bias: base - p.Base()}, nil
		}
	}
	return Object{}, fmt.Errorf("address %#x: %w", addr, ErrUnmapped)
}

// program reads the headers of a file once.
func (im *Image) program(path string, src *source) (*elfcore.Program, error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	p, ok := im.objects[path]
	if !ok {
		p, _ = elfcore.ReadProgram(src.r)
		im.objects[path] = p
	}
	if p == nil {
		return nil, elfcore.ErrFormat
	}
	return p, nil
}
