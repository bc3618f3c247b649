package dlv

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/go-delve/delve/pkg/proc"
)

var (
	errNotInCore = errors.New("not in the core")
	errReadOnly  = errors.New("a core is read-only")
)

// coreMemory is the memory of the dead process. Delve's own view of it takes
// every mapped file for the executable and knows nothing of pages that are not
// in the core because they are zero.
type coreMemory struct {
	segments []segment // PT_LOADs by address
	files    []mapping // NT_FILE by address
	entry    uint64    // AT_ENTRY: lies in the executable
	exe      proc.MemoryReader
}

type segment struct {
	addr, filesz, memsz uint64
	data                io.ReaderAt
}

type mapping struct {
	lo, hi uint64
	path   string
}

// newCoreMemory reads the tables of a core. exe reads what the executable
// says is at an address.
func newCoreMemory(core io.ReaderAt, exe proc.MemoryReader) (*coreMemory, error) {
	f, err := elf.NewFile(core)
	if err != nil {
		return nil, err
	}
	m := &coreMemory{exe: exe}
	for _, p := range f.Progs {
		switch {
		case p.Type == elf.PT_LOAD && p.Vaddr+p.Memsz >= p.Vaddr:
			m.segments = append(m.segments, segment{p.Vaddr, min(p.Filesz, p.Memsz), p.Memsz, p.ReaderAt})
		case p.Type == elf.PT_NOTE:
			m.readNotes(p, f.ByteOrder)
		}
	}
	slices.SortStableFunc(m.segments, func(a, b segment) int { return cmp.Compare(a.addr, b.addr) })
	slices.SortStableFunc(m.files, func(a, b mapping) int { return cmp.Compare(a.lo, b.lo) })
	return m, nil
}

// Types of notes: include/uapi/linux/elf.h.
const (
	noteAuxv = 6
	noteFile = 0x46494c45
	atEntry  = 9 // include/uapi/linux/auxvec.h

	maxNotes = 64 << 20
)

// readNotes finds NT_FILE and NT_AUXV in a PT_NOTE.
func (m *coreMemory) readNotes(p *elf.Prog, order binary.ByteOrder) {
	b, _ := io.ReadAll(io.LimitReader(p.Open(), maxNotes))
	for len(b) >= 12 {
		namesz, descsz := uint64(order.Uint32(b)), uint64(order.Uint32(b[4:]))
		typ := order.Uint32(b[8:])
		lo := 12 + (namesz+3)&^3
		hi := lo + descsz
		if hi > uint64(len(b)) {
			return
		}
		switch typ {
		case noteAuxv:
			m.readAuxv(b[lo:hi], order)
		case noteFile:
			m.readFiles(b[lo:hi], order)
		}
		b = b[min((hi+3)&^3, uint64(len(b))):]
	}
}

func (m *coreMemory) readAuxv(b []byte, order binary.ByteOrder) {
	for ; len(b) >= 16; b = b[16:] {
		if order.Uint64(b) == atEntry {
			m.entry = order.Uint64(b[8:])
		}
	}
}

// readFiles reads NT_FILE: count, page size, as many triples of start, end and
// offset, then as many paths (fill_files_note in fs/binfmt_elf.c).
func (m *coreMemory) readFiles(b []byte, order binary.ByteOrder) {
	if len(b) < 16 {
		return
	}
	count := order.Uint64(b)
	b = b[16:]
	if count > uint64(len(b))/24 {
		return
	}
	paths := b[count*24:]
	for i := range count {
		end := slices.Index(paths, 0)
		if end < 0 {
			return
		}
		m.files = append(m.files, mapping{order.Uint64(b[i*24:]), order.Uint64(b[i*24+8:]), string(paths[:end])})
		paths = paths[end+1:]
	}
}

// ReadMemory implements [proc.MemoryReader].
func (m *coreMemory) ReadMemory(p []byte, addr uint64) (int, error) {
	if addr+uint64(len(p)) < addr {
		return 0, errNotInCore
	}
	done := 0
	for done < len(p) {
		n, err := m.read(p[done:], addr+uint64(done))
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// read reads at least one byte, up to where the source changes.
func (m *coreMemory) read(p []byte, addr uint64) (int, error) {
	i, found := slices.BinarySearchFunc(m.segments, addr, func(s segment, a uint64) int { return cmp.Compare(s.addr, a) })
	if !found {
		i--
	}
	next := ^uint64(0)
	if i+1 < len(m.segments) {
		next = m.segments[i+1].addr
	}
	var s segment
	if i >= 0 {
		s = m.segments[i]
	}
	off := addr - s.addr
	if off < s.filesz {
		p = p[:min(uint64(len(p)), s.filesz-off)]
		if n, err := s.data.ReadAt(p, int64(off)); n < len(p) {
			return 0, errors.Join(errNotInCore, err)
		}
		return len(p), nil
	}
	file, isFile := m.fileAt(addr)
	if isFile {
		next = min(next, file.hi)
	}
	inSegment := off < s.memsz
	if inSegment {
		next = min(next, s.addr+s.memsz)
	}
	p = p[:min(uint64(len(p)), next-addr)]
	switch {
	case isFile && m.isExe(file):
		if n, err := m.exe.ReadMemory(p, addr); err != nil || n < len(p) {
			return 0, errNotInCore
		}
		return len(p), nil
	case isFile || !inSegment:
		return 0, errNotInCore
	}
	clear(p) // anonymous memory that was never written
	return len(p), nil
}

// fileAt returns the file mapped at addr.
func (m *coreMemory) fileAt(addr uint64) (mapping, bool) {
	i, found := slices.BinarySearchFunc(m.files, addr, func(f mapping, a uint64) int { return cmp.Compare(f.lo, a) })
	if !found {
		i--
	}
	if i < 0 || addr >= m.files[i].hi {
		return mapping{}, false
	}
	return m.files[i], true
}

func (m *coreMemory) isExe(f mapping) bool {
	e, ok := m.fileAt(m.entry)
	return ok && e.path == f.path
}

// WriteMemory implements [proc.MemoryReadWriter].
func (m *coreMemory) WriteMemory(uint64, []byte) (int, error) { return 0, errReadOnly }
