package native

import (
	"cmp"
	"debug/elf"
	"slices"
	"strings"
)

// symbol is a function in a symbol table.
type symbol struct {
	start, end uint64 // end is start if the table gives no size
	name       string
	rank       int // among symbols with the same start, the lowest is taken
}

// maxNesting is how many symbols may lie between a function's start and an
// address in it, as local labels with a size do.
const maxNesting = 16

// symbolAt returns the name of the function that contains pc, "" if there is
// none: a stripped library knows only what it exports, and the nearest
// exported name would be wrong.
func (m *image) symbolAt(pc uint64) string {
	m.symOnce.Do(func() { m.syms = m.functions() })
	i, _ := slices.BinarySearchFunc(m.syms, pc, func(s symbol, pc uint64) int {
		if s.start <= pc {
			return -1
		}
		return 1
	})
	for n := 0; n < maxNesting && i > 0; n++ {
		i--
		s := &m.syms[i]
		if pc < s.end || s.end == s.start && pc == s.start {
			return s.name
		}
		// One without a size, in assembly, extends to the next.
		if s.end == s.start && n == 0 {
			return s.name
		}
	}
	return ""
}

// functions returns the functions of both symbol tables, ascending and one
// for each address.
func (m *image) functions() []symbol {
	f, err := m.elf()
	if err != nil {
		return nil
	}
	for _, s := range f.Sections {
		if (s.Type == elf.SHT_SYMTAB || s.Type == elf.SHT_DYNSYM || s.Type == elf.SHT_STRTAB) && s.Size > maxSymbols {
			return nil
		}
	}
	var all []symbol
	// Errors mean that the file has no such table.
	_ = guard("symbols", func() error {
		syms, err := f.Symbols()
		all = appendFunctions(all, f, syms)
		return err
	})
	_ = guard("dynamic symbols", func() error {
		syms, err := f.DynamicSymbols()
		all = appendFunctions(all, f, syms)
		return err
	})
	slices.SortStableFunc(all, func(a, b symbol) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.rank, b.rank), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	return slices.CompactFunc(all, func(a, b symbol) bool { return a.start == b.start })
}

func appendFunctions(all []symbol, f *elf.File, syms []elf.Symbol) []symbol {
	for _, s := range syms {
		if s.Name == "" || s.Section == elf.SHN_UNDEF || int(s.Section) >= len(f.Sections) {
			continue
		}
		typ, bind := elf.ST_TYPE(s.Info), elf.ST_BIND(s.Info)
		// Of aliases the one that a program would use: qsort_r, which is
		// weak, rather than __qsort_r.
		rank := 2 * min(len(s.Name)-len(strings.TrimLeft(s.Name, "_")), 4)
		switch bind {
		case elf.STB_WEAK:
			rank++
		case elf.STB_LOCAL:
			rank += 10
		}
		switch typ {
		case elf.STT_FUNC, elf.STT_GNU_IFUNC:
		case elf.STT_NOTYPE:
			// Assembly often omits the type; local ones are labels and
			// arm64's mapping symbols.
			if bind == elf.STB_LOCAL || f.Sections[s.Section].Flags&elf.SHF_EXECINSTR == 0 {
				continue
			}
			rank += 20
		default:
			continue
		}
		end := s.Value + s.Size
		if end < s.Value {
			continue
		}
		all = append(all, symbol{start: s.Value, end: end, name: s.Name, rank: rank})
	}
	return all
}
