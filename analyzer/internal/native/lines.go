package native

import "debug/dwarf"

// line returns where pc comes from, and the files of the unit.
func (d *debugInfo) line(cu *dwarf.Entry, pc uint64) (files []*dwarf.LineFile, pos Symbol) {
	off, ok := cu.Val(dwarf.AttrStmtList).(int64)
	if !ok || !saneLineTable(d.lines, off) {
		return nil, Symbol{}
	}
	lr, err := d.data.LineReader(cu)
	if err != nil || lr == nil {
		return nil, Symbol{}
	}
	files = lr.Files()
	// Not LineReader.SeekPC, which gives up at the first sequence above pc:
	// GCC puts main and cold code into sequences of their own.
	var e, prev dwarf.LineEntry
	for prev.EndSequence = true; lr.Next(&e) == nil; prev = e {
		if !prev.EndSequence && prev.Address <= pc && pc < e.Address && prev.File != nil {
			return files, Symbol{File: prev.File.Name, Line: prev.Line}
		}
	}
	return files, Symbol{}
}

// saneLineTable reports whether the counts of directories and files in the
// line table at off are possible. debug/dwarf allocates for what a version 5
// table claims, and running out of memory cannot be recovered from.
func saneLineTable(lines []byte, off int64) bool {
	if off < 0 || off >= int64(len(lines)) {
		return false
	}
	c := &cursor{data: lines, pos: int(off)}
	wide := false
	length := uint64(c.u32())
	if length == 0xffffffff {
		length, wide = c.u64(), true
	}
	if c.bad || length > uint64(len(lines)-c.pos) {
		return false
	}
	c.data = lines[:c.pos+int(length)]
	if version := c.u16(); version < 5 {
		return !c.bad
	}
	c.bytes(2) // address and segment selector size
	if wide {
		c.u64()
	} else {
		c.u32()
	}
	c.bytes(5) // instruction length, operations, is_stmt, line base, line range
	if base := c.u8(); base > 0 {
		c.bytes(uint64(base) - 1)
	}
	for range 2 { // directories, files
		var forms []uint64
		for range c.u8() {
			c.uleb()
			forms = append(forms, c.uleb())
		}
		count := c.uleb()
		// Every entry takes a byte at least, or none is of use.
		if c.bad || count > uint64(len(c.data)-c.pos) {
			return false
		}
		for range count {
			for _, form := range forms {
				if !skipForm(c, form, wide) {
					return false
				}
			}
		}
	}
	return !c.bad
}

// skipForm skips a value of one of the DW_FORM_* allowed in line tables.
func skipForm(c *cursor, form uint64, wide bool) bool {
	switch form {
	case 0x08: // string
		c.cstring()
	case 0x0e, 0x1f, 0x17: // strp, line_strp, sec_offset
		if c.bytes(4); wide {
			c.bytes(4)
		}
	case 0x0b: // data1
		c.u8()
	case 0x05: // data2
		c.u16()
	case 0x06: // data4
		c.u32()
	case 0x07: // data8
		c.u64()
	case 0x1e: // data16
		c.bytes(16)
	case 0x0f: // udata
		c.uleb()
	case 0x09: // block
		c.bytes(c.uleb())
	default:
		return false
	}
	return !c.bad
}
