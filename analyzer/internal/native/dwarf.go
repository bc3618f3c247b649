package native

import (
	"debug/dwarf"
	"errors"
)

// Bounds of a search in DWARF: entries of one compile unit that are looked at,
// and depth of references between entries and of inlined calls.
const (
	maxEntries = 1 << 20
	maxDepth   = 64
)

// DW_LANG_* of DWARF 5, section 7.12, and the vendors' range.
const (
	langC89         = 0x01
	langC           = 0x02
	langCPlusPlus   = 0x04
	langC99         = 0x0c
	langCPlusPlus03 = 0x19
	langCPlusPlus11 = 0x1a
	langC11         = 0x1d
	langCPlusPlus14 = 0x21
	langCPlusPlus17 = 0x2b
	langCPlusPlus20 = 0x2c
	langC17         = 0x2d
	langMipsAsm     = 0x8001 // what GNU as says on every machine
)

// debugInfo is a file's DWARF.
type debugInfo struct {
	data  *dwarf.Data
	lines []byte // .debug_line
}

// dwarfName names pc, innermost function first; nil if the file's DWARF does
// not cover pc or is of another language.
func (m *image) dwarfName(pc uint64) (syms []Symbol) {
	// A dwarf.Data is not safe for concurrent use.
	m.dwarfMu.Lock()
	defer m.dwarfMu.Unlock()
	if !m.dwarfRead {
		m.dwarfRead = true
		_ = guard("dwarf", func() (err error) {
			m.dwarf, err = m.readDWARF()
			return err
		})
	}
	if m.dwarf == nil {
		return nil
	}
	err := guard("dwarf", func() (err error) {
		syms, err = m.dwarf.find(pc)
		return err
	})
	if err != nil {
		return nil
	}
	return syms
}

// readDWARF reads the sections that naming needs. Not elf.File.DWARF, which
// reads all and keeps the line table, to be checked first, to itself.
func (m *image) readDWARF() (*debugInfo, error) {
	f, err := m.elf()
	if err != nil {
		return nil, err
	}
	var left uint64 = maxDWARF
	read := func(name string) []byte {
		s := f.Section(name)
		if s == nil {
			return nil
		}
		data := sectionData(s, left)
		left -= uint64(len(data))
		return data
	}
	info := read(".debug_info")
	if len(info) == 0 {
		return nil, errors.New("no .debug_info")
	}
	d := &debugInfo{lines: read(".debug_line")}
	d.data, err = dwarf.New(read(".debug_abbrev"), nil, nil, info, d.lines, nil, read(".debug_ranges"), read(".debug_str"))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{".debug_addr", ".debug_line_str", ".debug_str_offsets", ".debug_rnglists"} {
		if data := read(name); data != nil {
			if err := d.data.AddSection(name, data); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

// find names pc.
func (d *debugInfo) find(pc uint64) ([]Symbol, error) {
	r := d.data.Reader()
	cu, err := r.SeekPC(pc)
	if err != nil || !isC(cu) {
		return nil, err
	}
	files, pos := d.line(cu, pc)
	chain, err := d.chain(r, cu, pc)
	if err != nil {
		return nil, err
	}
	var syms []Symbol
	for i := len(chain) - 1; i >= 0; i-- {
		syms = append(syms, Symbol{d.nameOf(chain[i]), pos.File, pos.Line})
		// The next one out is at the call of this one.
		pos = Symbol{}
		if n, ok := chain[i].Val(dwarf.AttrCallFile).(int64); ok && n >= 0 && n < int64(len(files)) && files[n] != nil {
			pos.File = files[n].Name
		}
		if n, ok := chain[i].Val(dwarf.AttrCallLine).(int64); ok {
			pos.Line = int(n)
		}
	}
	if len(syms) == 0 && pos.Line > 0 {
		syms = append(syms, pos) // assembly: lines but no functions
	}
	return syms, nil
}

// isC reports whether a compile unit is C, C++ or assembly.
func isC(cu *dwarf.Entry) bool {
	switch lang, _ := cu.Val(dwarf.AttrLanguage).(int64); lang {
	case langC89, langC, langC99, langC11, langC17, langMipsAsm,
		langCPlusPlus, langCPlusPlus03, langCPlusPlus11, langCPlusPlus14, langCPlusPlus17, langCPlusPlus20:
		return true
	}
	return false
}

// chain returns the function of cu that contains pc and the calls inlined
// there, outermost first. r has just read cu.
func (d *debugInfo) chain(r *dwarf.Reader, cu *dwarf.Entry, pc uint64) ([]*dwarf.Entry, error) {
	var chain []*dwarf.Entry
	left := maxEntries
	depth := 0
	for e := cu; ; left-- {
		descend := e == cu
		switch e.Tag {
		case 0:
			depth--
		case dwarf.TagNamespace:
			descend = true
		case dwarf.TagSubprogram, dwarf.TagInlinedSubroutine:
			if descend = d.contains(e, pc); descend {
				chain = append(chain, e)
			}
		case dwarf.TagLexDwarfBlock:
			descend = len(chain) > 0 && d.contains(e, pc)
		}
		switch {
		case e.Children && descend && depth < maxDepth:
			depth++
		case e.Children:
			if err := skipChildren(r, e, &left); err != nil {
				return nil, err
			}
		}
		// The end of the innermost scope around pc ends the search.
		if depth <= 0 || left <= 0 || e.Tag == 0 && len(chain) > 0 {
			return chain, nil
		}
		var err error
		if e, err = r.Next(); err != nil || e == nil {
			return chain, err
		}
	}
}

// skipChildren is like [dwarf.Reader.SkipChildren] but cannot be sent
// backwards and counts what it reads.
func skipChildren(r *dwarf.Reader, e *dwarf.Entry, left *int) error {
	if sibling, ok := e.Val(dwarf.AttrSibling).(dwarf.Offset); ok && sibling > e.Offset {
		r.Seek(sibling)
		return nil
	}
	for depth := 1; depth > 0 && *left > 0; *left-- {
		child, err := r.Next()
		switch {
		case err != nil:
			return err
		case child == nil:
			return nil
		case child.Tag == 0:
			depth--
		case child.Children:
			depth++
		}
	}
	return nil
}

func (d *debugInfo) contains(e *dwarf.Entry, pc uint64) bool {
	ranges, err := d.data.Ranges(e)
	if err != nil {
		return false
	}
	for _, r := range ranges {
		if r[0] <= pc && pc < r[1] {
			return true
		}
	}
	return false
}

// nameOf returns a function's name as a symbol table has it. The name may be
// with the abstract instance or the declaration.
func (d *debugInfo) nameOf(e *dwarf.Entry) string {
	name := ""
	for range maxDepth {
		if linkage, ok := e.Val(dwarf.AttrLinkageName).(string); ok {
			return linkage
		}
		if s, ok := e.Val(dwarf.AttrName).(string); ok && name == "" {
			name = s
		}
		ref, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			ref, ok = e.Val(dwarf.AttrSpecification).(dwarf.Offset)
		}
		if !ok {
			break
		}
		r := d.data.Reader()
		r.Seek(ref)
		next, err := r.Next()
		if err != nil || next == nil {
			break
		}
		e = next
	}
	return name
}
