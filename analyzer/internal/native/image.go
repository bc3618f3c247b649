package native

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"sync"
)

// The largest tables that are read; far above any real file's, so that only a
// damaged or hostile header exceeds them.
const (
	maxFrameSection = 256 << 20
	maxSymbols      = 512 << 20 // bytes of one symbol or string table
	maxDWARF        = 2 << 30   // all .debug_ sections together, uncompressed
)

// image is one ELF file with its tables, each read when first needed. All
// addresses in it are link-time addresses.
type image struct {
	src io.ReaderAt

	open sync.Once
	file *elf.File
	err  error

	ehOnce, debugOnce sync.Once
	eh, debug         *frameTable

	symOnce sync.Once
	syms    []symbol

	dwarfMu   sync.Mutex
	dwarfRead bool
	dwarf     *debugInfo
}

// elf returns the parsed file header.
func (m *image) elf() (*elf.File, error) {
	m.open.Do(func() {
		m.err = guard("elf", func() error {
			f, err := elf.NewFile(m.src)
			if err != nil {
				return err
			}
			if f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB {
				return errors.New("elf: not a 64-bit little-endian file")
			}
			m.file = f
			return nil
		})
	})
	return m.file, m.err
}

// find returns the unwind entry for pc: from .eh_frame, which is there even in
// stripped files, else from .debug_frame.
func (m *image) find(pc uint64) (fde, bool) {
	f, err := m.elf()
	if err != nil {
		return fde{}, false
	}
	m.ehOnce.Do(func() { m.eh = newFrameTable(ehFrame(f)) })
	if d, ok := m.eh.find(pc); ok {
		return d, true
	}
	m.debugOnce.Do(func() { m.debug = newFrameTable(debugFrame(f)) })
	return m.debug.find(pc)
}

// readAt reads link-time memory from the file, for cores without the text.
func (m *image) readAt(p []byte, addr uint64) error {
	f, err := m.elf()
	if err != nil {
		return err
	}
	for _, prog := range f.Progs {
		off := addr - prog.Vaddr
		if prog.Type != elf.PT_LOAD || addr < prog.Vaddr || off > prog.Filesz || prog.Filesz-off < uint64(len(p)) {
			continue
		}
		_, err := prog.ReadAt(p, int64(off))
		if err == io.EOF {
			err = nil // ReaderAt may report it with a full read up to the end
		}
		return err
	}
	return fmt.Errorf("no segment at %#x", addr)
}

// ehFrame returns the exception handling frames of f. The section headers are
// not part of the memory image; without them the program header for
// .eh_frame_hdr leads there.
func ehFrame(f *elf.File) *section {
	if s := f.Section(".eh_frame"); s != nil && s.Type != elf.SHT_NOBITS {
		if data := sectionData(s, maxFrameSection); len(data) > 0 {
			return &section{data: data, addr: s.Addr, eh: true}
		}
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_GNU_EH_FRAME {
			continue
		}
		hdr := make([]byte, min(p.Filesz, 16))
		if n, _ := p.ReadAt(hdr, 0); n < len(hdr) {
			return nil
		}
		addr, ok := ehFramePointer(hdr, p.Vaddr)
		if !ok {
			return nil
		}
		return &section{data: segmentFrom(f, addr, maxFrameSection), addr: addr, eh: true, terminated: true}
	}
	return nil
}

// debugFrame returns the frames meant for debuggers, nil if there are none.
func debugFrame(f *elf.File) *section {
	s := f.Section(".debug_frame")
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil
	}
	data := sectionData(s, maxFrameSection)
	if len(data) == 0 {
		return nil
	}
	return &section{data: data, addr: s.Addr}
}

// ehFramePointer reads where .eh_frame begins from .eh_frame_hdr at addr.
func ehFramePointer(hdr []byte, addr uint64) (uint64, bool) {
	c := cursor{data: hdr}
	version, enc := c.u8(), c.u8()
	c.u8() // encoding of the table's length
	c.u8() // encoding of the table
	s := section{data: hdr, addr: addr, dataBase: addr}
	p, ok := s.pointer(&c, enc)
	return p, ok && version == 1
}

// sectionData returns the uncompressed contents of s, nil if they cannot be
// read or exceed limit.
func sectionData(s *elf.Section, limit uint64) []byte {
	if s.Size > limit {
		return nil
	}
	var data []byte
	err := guard(s.Name, func() (err error) {
		data, err = s.Data()
		return err
	})
	if err != nil {
		return nil
	}
	return data
}

// segmentFrom returns the bytes from addr to the end of its segment.
func segmentFrom(f *elf.File, addr, limit uint64) []byte {
	for _, p := range f.Progs {
		off := addr - p.Vaddr
		if p.Type != elf.PT_LOAD || addr < p.Vaddr || off >= p.Filesz {
			continue
		}
		// ReadAll grows with what is there, not with what the header claims.
		n := min(p.Filesz-off, limit)
		data, _ := io.ReadAll(io.NewSectionReader(p, int64(off), int64(n)))
		return data
	}
	return nil
}
