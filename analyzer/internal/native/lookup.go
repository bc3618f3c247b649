package native

// Symbol names one function at a pc.
type Symbol struct {
	Function string // C++ names are mangled; "" if unknown
	// File is the source file; without line information it is the path of
	// the ELF file, and Line is 0.
	File string
	Line int
}

// maxNames bounds the cache of looked up addresses.
const maxNames = 1 << 16

// Lookup names the code at pc; call is as in [Unwinder.Step]. Where calls are
// inlined it names the innermost function, the one that the line belongs to;
// [Unwinder.Inlined] has them all. The name is "??" in a file without a symbol
// for pc, and ok is false if pc is in no known file.
func (u *Unwinder) Lookup(pc uint64, call bool) (fn, file string, line int, ok bool) {
	syms := u.Inlined(pc, call)
	if len(syms) == 0 {
		return "", "", 0, false
	}
	s := syms[0]
	if s.Function == "" {
		s.Function = "??"
	}
	return s.Function, s.File, s.Line, true
}

// Inlined returns the functions that the code at pc belongs to, innermost
// first; all but the last are inlined into the next one, at the line that is
// given for that. It returns nil if pc is in no known file.
func (u *Unwinder) Inlined(pc uint64, call bool) []Symbol {
	at := lookupPC(pc, call)
	u.mu.Lock()
	syms, known := u.names[at]
	u.mu.Unlock()
	if known {
		return syms
	}
	img, m, ok := u.image(at)
	if !ok {
		return nil
	}
	syms = img.name(at-m.Bias, m.Path)
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.names) >= maxNames {
		clear(u.names)
	}
	u.names[at] = syms
	return syms
}

// name names a link-time address in the file at path.
func (m *image) name(pc uint64, path string) []Symbol {
	if syms := m.dwarfName(pc); len(syms) > 0 {
		if outer := &syms[len(syms)-1]; outer.Function == "" {
			outer.Function = m.symbolAt(pc)
		}
		return syms
	}
	return []Symbol{{Function: m.symbolAt(pc), File: path}}
}
