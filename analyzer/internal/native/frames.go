package native

import (
	"cmp"
	"slices"
)

// section is .eh_frame or .debug_frame. The two differ in how an entry is
// told to be a CIE and how an FDE refers to it.
type section struct {
	data     []byte
	addr     uint64
	dataBase uint64 // of DW_EH_PE_datarel; 0: not supported
	eh       bool
	// terminated says that data may run on behind the end of the section,
	// which is then marked by an entry of length zero.
	terminated bool
}

// cie is a common information entry: what a file's FDEs share.
type cie struct {
	codeAlign uint64
	dataAlign int64
	ra        uint64 // column of the return address
	enc       byte   // DW_EH_PE_* of the FDEs' addresses
	sized     bool   // FDEs have augmentation data with a length
	signal    bool   // frames are signal trampolines
	program   span
}

// span is a part of a section.
type span struct{ off, end int }

// fde is a frame description entry: how to unwind from [start, end).
type fde struct {
	start, end uint64
	sec        *section
	cie        *cie
	program    span
}

// frameTable is the index of a section, ascending by start.
type frameTable struct {
	sec     *section
	entries []frameEntry
}

type frameEntry struct {
	start, end uint64
	off        int // of the FDE in the section
}

// newFrameTable indexes s, which may be nil. Entries that cannot be
// understood are left out.
func newFrameTable(s *section) *frameTable {
	t := &frameTable{sec: s}
	if s == nil {
		return t
	}
	cies := make(map[uint64]*cie)
	for off := 0; off < len(s.data); {
		h, ok := s.header(off)
		if !ok {
			break
		}
		if h.next == off+4 && s.terminated {
			break
		}
		if !h.empty && !h.isCIE {
			c, known := cies[h.cie]
			if !known {
				c, _ = s.cieAt(h.cie)
				cies[h.cie] = c // nil too: do not parse a bad one again
			}
			// Linkers leave the entries of discarded functions in
			// .debug_frame with a start of zero, where no code can be.
			if d, ok := s.fde(h, c); ok && d.start != 0 {
				t.entries = append(t.entries, frameEntry{d.start, d.end, off})
			}
		}
		off = h.next
	}
	slices.SortStableFunc(t.entries, func(a, b frameEntry) int { return cmp.Compare(a.start, b.start) })
	return t
}

// find returns the entry that covers pc.
func (t *frameTable) find(pc uint64) (fde, bool) {
	i, found := slices.BinarySearchFunc(t.entries, pc, func(e frameEntry, pc uint64) int { return cmp.Compare(e.start, pc) })
	if !found {
		i--
	}
	if i < 0 || pc >= t.entries[i].end {
		return fde{}, false
	}
	h, ok := t.sec.header(t.entries[i].off)
	if !ok {
		return fde{}, false
	}
	c, ok := t.sec.cieAt(h.cie)
	if !ok {
		return fde{}, false
	}
	return t.sec.fde(h, c)
}

// header is the part that CIEs and FDEs have in common.
type header struct {
	empty bool
	isCIE bool
	cie   uint64 // offset of an FDE's CIE
	body  int    // offset of what follows the header
	next  int    // offset of the next entry
}

// header reads the entry at off.
func (s *section) header(off int) (header, bool) {
	c := cursor{data: s.data, pos: off}
	length, wide := uint64(c.u32()), false
	if length == 0xffffffff {
		length, wide = c.u64(), true
	}
	if c.bad || length > uint64(len(s.data)-c.pos) {
		return header{}, false
	}
	h := header{next: c.pos + int(length)}
	if length == 0 {
		h.empty = true
		return h, true
	}
	c.data = s.data[:h.next]
	idPos := uint64(c.pos)
	id, cieID := uint64(0), uint64(0xffffffff)
	// In .eh_frame the field has 4 bytes even in 64-bit entries; binutils and
	// LLVM agree on that against the LSB text.
	if wide && !s.eh {
		id, cieID = c.u64(), ^uint64(0)
	} else {
		id = uint64(c.u32())
	}
	if s.eh {
		h.isCIE = id == 0
		h.cie = idPos - id // wraps to something cieAt rejects
	} else {
		h.isCIE = id == cieID
		h.cie = id
	}
	h.body = c.pos
	return h, !c.bad
}

// cieAt reads the CIE at off.
func (s *section) cieAt(off uint64) (*cie, bool) {
	if off >= uint64(len(s.data)) {
		return nil, false
	}
	h, ok := s.header(int(off))
	if !ok || h.empty || !h.isCIE {
		return nil, false
	}
	c := cursor{data: s.data[:h.next], pos: h.body}
	version := c.u8()
	aug := c.cstring()
	switch version {
	case 1, 3:
	case 4:
		if size, seg := c.u8(), c.u8(); size != 8 || seg != 0 {
			return nil, false
		}
	default:
		return nil, false
	}
	e := &cie{codeAlign: c.uleb(), dataAlign: c.sleb()}
	if version == 1 {
		e.ra = uint64(c.u8())
	} else {
		e.ra = c.uleb()
	}
	if aug != "" && !s.augmentation(&c, e, aug) {
		return nil, false
	}
	e.program = span{c.pos, h.next}
	return e, !c.bad
}

// augmentation reads the data that the letters of aug announce; see the
// Linux Standard Base, "Exception Frames".
func (s *section) augmentation(c *cursor, e *cie, aug string) bool {
	if aug[0] != 'z' {
		return false // of unknown length
	}
	e.sized = true
	n := c.uleb()
	start := c.pos
	data := c.bytes(n)
	if c.bad {
		return false
	}
	a := cursor{data: s.data[:start+len(data)], pos: start}
	for _, letter := range aug[1:] {
		switch letter {
		case 'R':
			e.enc = a.u8()
		case 'L':
			a.u8()
		case 'P':
			s.pointer(&a, a.u8()) // the personality routine is of no use here
		case 'S':
			e.signal = true
		case 'B', 'G': // arm64: signed with the B key; MTE-tagged frame
		default:
			// What follows cannot be found, but the FDEs' encoding comes
			// before anything that a compiler may add.
			return !a.bad
		}
	}
	return !a.bad
}

// fde reads the FDE with header h, whose CIE is e.
func (s *section) fde(h header, e *cie) (fde, bool) {
	if e == nil {
		return fde{}, false
	}
	c := cursor{data: s.data[:h.next], pos: h.body}
	start, ok := s.pointer(&c, e.enc)
	if !ok {
		return fde{}, false
	}
	size, ok := s.pointer(&c, e.enc&formatMask) // a plain number
	if !ok || size == 0 || start+size < start {
		return fde{}, false
	}
	if e.sized {
		c.bytes(c.uleb())
	}
	d := fde{start: start, end: start + size, sec: s, cie: e, program: span{c.pos, h.next}}
	return d, !c.bad
}

// DW_EH_PE_* from the Linux Standard Base.
const (
	formatMask = 0x0f
	applyMask  = 0x70
	peOmit     = 0xff
	peIndirect = 0x80
	pePCRel    = 0x10
	peDataRel  = 0x30
)

// pointer reads an encoded pointer. An indirect one cannot be followed
// without memory, so that ok is false for it, though it has been skipped.
func (s *section) pointer(c *cursor, enc byte) (v uint64, ok bool) {
	if enc == peOmit {
		return 0, false
	}
	pos := s.addr + uint64(c.pos)
	switch enc & formatMask {
	case 0x00, 0x04, 0x0c: // absptr, udata8, sdata8
		v = c.u64()
	case 0x01:
		v = c.uleb()
	case 0x02:
		v = uint64(c.u16())
	case 0x03:
		v = uint64(c.u32())
	case 0x09:
		v = uint64(c.sleb())
	case 0x0a:
		v = uint64(int16(c.u16()))
	case 0x0b:
		v = uint64(int32(c.u32()))
	default:
		c.bad = true
		return 0, false
	}
	switch enc & applyMask {
	case 0:
	case pePCRel:
		v += pos
	case peDataRel:
		if s.dataBase == 0 {
			return 0, false
		}
		v += s.dataBase
	default:
		return 0, false
	}
	return v, !c.bad && enc&peIndirect == 0
}
