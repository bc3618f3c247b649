package goruntime

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/corekit/corekit/analyzer/internal/goruntime/internal/layout"
)

// Go120PCLnTabMagic of internal/abi/symtab.go, current since Go 1.20.
const pclntabMagic = 0xFFFFFFF1

// maxTable bounds a table of a module: text offsets are of 32 bits, and no
// table comes near the size of the text of the largest programs.
const maxTable = 1 << 30

// maxModules bounds the list of modules: one, and one for each plugin.
const maxModules = 1 << 10

// module is what the engine needs of one runtime.moduledata.
type module struct {
	pclntab
	addr          uint64
	minpc, maxpc  uint64
	text          uint64
	gofunc        uint64
	types, etypes uint64
	sections      []textsect
	data          []span // data, bss, noptrdata, noptrbss
}

type span struct{ lo, hi uint64 }

// textsect is runtime.textsect.
type textsect struct{ vaddr, end, base uint64 }

func (m *module) contains(pc uint64) bool { return m.minpc <= pc && pc < m.maxpc }

// textAddr is moduledata.textAddr.
func (m *module) textAddr(off uint32) uint64 {
	if len(m.sections) > 1 {
		for i, s := range m.sections {
			o := uint64(off)
			if o >= s.vaddr && o < s.end || i == len(m.sections)-1 && o == s.end {
				return s.base + o - s.vaddr
			}
		}
	}
	return m.text + uint64(off)
}

// textOff is moduledata.textOff.
func (m *module) textOff(pc uint64) (uint32, bool) {
	if len(m.sections) > 1 {
		for _, s := range m.sections {
			if s.base > pc {
				return 0, false
			}
			if pc < s.base+(s.end-s.vaddr) {
				return uint32(pc - s.base + s.vaddr), true
			}
		}
	}
	return uint32(pc - m.text), true
}

// readModules follows the list of modules that begins at addr.
func (p *Process) readModules(addr uint64) ([]*module, error) {
	var list []*module
	seen := make(map[uint64]bool)
	for addr != 0 && !seen[addr] && len(list) < maxModules {
		seen[addr] = true
		m, next, err := p.readModule(addr)
		if err != nil {
			if len(list) > 0 {
				p.warnf("module at %#x: %v", addr, err)
				break
			}
			return nil, err
		}
		list = append(list, m)
		addr = next
	}
	if len(list) == 0 {
		return nil, errors.New("goruntime: no module")
	}
	return list, nil
}

func (p *Process) readModule(addr uint64) (*module, uint64, error) {
	l := &p.lay
	b, err := p.mem.read(addr, uint64(l.ModSize))
	if err != nil {
		return nil, 0, err
	}
	m := &module{
		addr:   addr,
		minpc:  u64(b, l.ModMinpc),
		maxpc:  u64(b, l.ModMaxpc),
		text:   u64(b, l.ModText),
		gofunc: u64(b, l.ModGofunc),
		types:  u64(b, l.ModTypes),
		etypes: u64(b, l.ModEtypes),
		data: []span{
			{u64(b, l.ModData), u64(b, l.ModEdata)},
			{u64(b, l.ModBss), u64(b, l.ModEbss)},
			{u64(b, l.ModNoptrdata), u64(b, l.ModEnoptrdata)},
			{u64(b, l.ModNoptrbss), u64(b, l.ModEnoptrbss)},
		},
	}
	if err := p.checkHeader(u64(b, l.ModPCHeader)); err != nil {
		return nil, 0, err
	}
	for _, t := range []struct {
		dst  *[]byte
		off  int32
		size uint64
	}{
		{&m.funcnametab, l.ModFuncnametab, 1},
		{&m.cutab, l.ModCutab, 4},
		{&m.filetab, l.ModFiletab, 1},
		{&m.pctab, l.ModPctab, 1},
		{&m.pclntable, l.ModPclntable, 1},
		{&m.ftab, l.ModFtab, 8},
	} {
		ptr, n := u64(b, t.off), u64(b, t.off+8)
		if n > maxTable/t.size {
			return nil, 0, fmt.Errorf("goruntime: module at %#x: a table of %d entries", addr, n)
		}
		if *t.dst, err = p.table(ptr, n*t.size); err != nil {
			return nil, 0, err
		}
	}
	if n := u64(b, l.ModTextsectmap+8); n > 1 && n < 1<<16 {
		raw, err := p.mem.read(u64(b, l.ModTextsectmap), n*24)
		if err != nil {
			return nil, 0, err
		}
		for ; len(raw) > 0; raw = raw[24:] {
			m.sections = append(m.sections, textsect{u64(raw, 0), u64(raw, 8), u64(raw, 16)})
		}
	}
	m.quantum = p.arch.quantum
	m.inlTree = func(off uint32, i int32) (inlinedCall, bool) {
		var q [inlinedCallSize]byte
		if _, err := p.mem.ReadMemory(q[:], m.gofunc+uint64(off)+uint64(i)*inlinedCallSize); err != nil {
			return inlinedCall{}, false
		}
		return decodeInlinedCall(q[:]), true
	}
	if m.numFuncs() == 0 || m.textAddr(binary.LittleEndian.Uint32(m.ftab)) != m.minpc {
		return nil, 0, fmt.Errorf("goruntime: module at %#x: function table and text do not agree", addr)
	}
	return m, u64(b, l.ModNext), nil
}

// table reads one of a module's tables in pieces, so that an absurd length
// fails before it costs memory.
func (p *Process) table(addr, n uint64) ([]byte, error) {
	const piece = 16 << 20
	var b []byte
	for n > 0 {
		k := min(n, piece)
		q, err := p.mem.read(addr, k)
		if err != nil {
			return nil, err
		}
		if b == nil && k == n {
			return q, nil
		}
		b = append(b, q...)
		addr, n = addr+k, n-k
	}
	return b, nil
}

// checkHeader verifies runtime.pcHeader, which every pclntab begins with.
func (p *Process) checkHeader(addr uint64) error {
	h, err := p.mem.read(addr, 8)
	if err != nil {
		return err
	}
	if magic := binary.LittleEndian.Uint32(h); magic != pclntabMagic {
		return fmt.Errorf("goruntime: pclntab magic is %#x: only Go 1.20 and later are supported", magic)
	}
	if uint64(h[6]) != p.arch.quantum || h[7] != 8 {
		return fmt.Errorf("goruntime: pclntab header % x is not for this architecture", h)
	}
	return nil
}

// findModuledata returns the address of runtime.firstmoduledata.
func (p *Process) findModuledata(exe *elf.File) (uint64, error) {
	if addr, ok := p.symbols["runtime.firstmoduledata"]; ok {
		return addr, nil
	}
	// Go 1.26 and later give it a section of its own, which stripping keeps.
	if s := exe.Section(".go.module"); s != nil && s.Addr != 0 {
		return s.Addr + p.in.Bias, nil
	}
	header, err := p.findHeader(exe)
	if err != nil {
		return 0, err
	}
	// moduledata begins with the address of the header, and the address of
	// the first table follows.
	want := binary.LittleEndian.AppendUint64(nil, header)
	for _, seg := range exe.Progs {
		if seg.Type != elf.PT_LOAD || seg.Memsz < uint64(p.lay.ModSize) {
			continue
		}
		if addr, ok := p.scan(span{seg.Vaddr + p.in.Bias, seg.Vaddr + seg.Filesz + p.in.Bias}, want, func(addr uint64) bool {
			_, _, err := p.readModule(addr)
			return err == nil
		}); ok {
			return addr, nil
		}
	}
	return 0, errors.New("goruntime: no moduledata in the executable")
}

// findHeader returns the address of the pclntab.
func (p *Process) findHeader(exe *elf.File) (uint64, error) {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		if s := exe.Section(name); s != nil && s.Addr != 0 {
			return s.Addr + p.in.Bias, nil
		}
	}
	want := []byte{0xF1, 0xFF, 0xFF, 0xFF, 0, 0, byte(p.arch.quantum), 8}
	for _, seg := range exe.Progs {
		if seg.Type != elf.PT_LOAD {
			continue
		}
		if addr, ok := p.scan(span{seg.Vaddr + p.in.Bias, seg.Vaddr + seg.Filesz + p.in.Bias}, want, nil); ok {
			return addr, nil
		}
	}
	return 0, errors.New("goruntime: not a Go executable: no pclntab")
}

// find returns the first place of want in a span of memory.
func (p *Process) find(s span, want []byte) (uint64, bool) {
	return p.scanAll(s, want, func(uint64) bool { return true })
}

// scan looks for want at word boundaries in a span of memory, and returns the
// first place that accept, if it is not nil, agrees to.
func (p *Process) scan(s span, want []byte, accept func(addr uint64) bool) (uint64, bool) {
	return p.scanAll(s, want, func(addr uint64) bool {
		return addr%8 == 0 && (accept == nil || accept(addr))
	})
}

func (p *Process) scanAll(s span, want []byte, accept func(addr uint64) bool) (uint64, bool) {
	const piece = 1 << 20
	for lo := s.lo &^ 7; lo < s.hi; lo += piece {
		// The pieces overlap: want may lie across the border of two.
		b, err := p.mem.read(lo, min(s.hi-lo, piece+uint64(len(want)-1)))
		if err != nil {
			continue
		}
		for i := 0; ; {
			j := bytes.Index(b[i:], want)
			if j < 0 {
				break
			}
			i += j
			if addr := lo + uint64(i); accept(addr) {
				return addr, true
			}
			i++
		}
	}
	return 0, false
}

// chooseLayout sets p.lay: from the table, which costs nothing, if it has the
// very version, else from the executable's DWARF, else the nearest version's.
func (p *Process) chooseLayout(exe *elf.File) error {
	l, exact, ok := layout.Lookup(p.version, p.in.Machine)
	if exact && ok {
		p.lay = l
		return nil
	}
	if d, err := exe.DWARF(); err == nil {
		if fromExe, err := layout.FromDWARF(d); err == nil {
			p.lay = fromExe
			return nil
		}
	}
	if !ok {
		return fmt.Errorf("goruntime: Go %q on %v: no layout of the runtime's structures is known", p.version, p.in.Machine)
	}
	p.warnf("%s is not known and the executable has no DWARF: the nearest known version's layout is assumed", p.version)
	p.lay = l
	return nil
}
