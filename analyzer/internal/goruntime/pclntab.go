package goruntime

import (
	"bytes"
	"encoding/binary"
	"sort"
)

// Constants of internal/abi/symtab.go.
const (
	flagTopFrame = 1 << 0 // FuncFlagTopFrame
	flagSPWrite  = 1 << 1 // FuncFlagSPWrite

	pcdataInlTreeIndex = 2 // PCDATA_InlTreeIndex
	funcdataInlTree    = 3 // FUNCDATA_InlTree
)

// funcSize is the size of runtime._func (runtime/runtime2.go) without the
// pcdata and funcdata offsets that follow it.
const funcSize = 44

// inlinedCallSize is the size of runtime.inlinedCall (runtime/symtabinl.go).
const inlinedCallSize = 16

// pclntab is the function table of one module as Go 1.20 and later lay it
// out. All of it is untrusted: every access is checked, and what is out of
// bounds reads as absent.
type pclntab struct {
	funcnametab []byte
	cutab       []byte
	filetab     []byte
	pctab       []byte
	pclntable   []byte // ftab entries point into it
	ftab        []byte
	quantum     uint64 // smallest instruction: sys.PCQuantum
	inlTree     func(off uint32, i int32) (inlinedCall, bool)
}

// function is runtime._func. off is where it lies in pclntable.
type function struct {
	off                 uint32
	entryOff            uint32
	nameOff             int32
	pcsp, pcfile, pcln  uint32
	npcdata, cuOffset   uint32
	funcID, flag, nfunc uint8
}

// inlinedCall is runtime.inlinedCall.
type inlinedCall struct {
	nameOff  int32
	parentPc int32
}

func decodeInlinedCall(p []byte) inlinedCall {
	return inlinedCall{
		nameOff:  int32(binary.LittleEndian.Uint32(p[4:])),
		parentPc: int32(binary.LittleEndian.Uint32(p[8:])),
	}
}

// find returns the function that contains the text offset.
func (t *pclntab) find(textOff uint32) (function, bool) {
	n := len(t.ftab)/8 - 1 // the last entry is the end
	if n < 1 {
		return function{}, false
	}
	i := sort.Search(n, func(i int) bool {
		return binary.LittleEndian.Uint32(t.ftab[i*8:]) > textOff
	}) - 1
	if i < 0 {
		return function{}, false
	}
	return t.funcAt(binary.LittleEndian.Uint32(t.ftab[i*8+4:]))
}

// numFuncs returns how many functions the table has.
func (t *pclntab) numFuncs() int { return max(len(t.ftab)/8-1, 0) }

func (t *pclntab) funcAt(off uint32) (function, bool) {
	if uint64(off)+funcSize > uint64(len(t.pclntable)) {
		return function{}, false
	}
	p := t.pclntable[off:]
	le := binary.LittleEndian
	return function{
		off:      off,
		entryOff: le.Uint32(p),
		nameOff:  int32(le.Uint32(p[4:])),
		pcsp:     le.Uint32(p[16:]),
		pcfile:   le.Uint32(p[20:]),
		pcln:     le.Uint32(p[24:]),
		npcdata:  le.Uint32(p[28:]),
		cuOffset: le.Uint32(p[32:]),
		funcID:   p[40],
		flag:     p[41],
		nfunc:    p[43],
	}, true
}

// maxName bounds a name and maxValues the bytes of a pc-value table, neither
// of which has a length.
const (
	maxName   = 1 << 16
	maxValues = 4 << 20
)

func cstring(tab []byte, off uint64) (string, bool) {
	if off >= uint64(len(tab)) {
		return "", false
	}
	p := tab[off:]
	p = p[:min(len(p), maxName)]
	i := bytes.IndexByte(p, 0)
	if i < 0 {
		return "", false
	}
	return string(p[:i]), true
}

// name returns the name at an offset in the table of names.
func (t *pclntab) name(off int32) string {
	if off <= 0 {
		return ""
	}
	s, _ := cstring(t.funcnametab, uint64(off))
	return s
}

// value looks up a pc-value table, as runtime.pcvalue does; -1 if there is no
// value. delta is the distance of the PC from the function's entry.
func (t *pclntab) value(off uint32, delta uint64) int32 {
	if off == 0 || uint64(off) >= uint64(len(t.pctab)) {
		return -1
	}
	p := t.pctab[off:]
	p = p[:min(len(p), maxValues)]
	val := int32(-1)
	pc := uint64(0)
	for first := true; ; first = false {
		uv, n := uvarint(p)
		if n == 0 || uv == 0 && !first {
			return -1
		}
		p = p[n:]
		pcd, n := uvarint(p)
		if n == 0 {
			return -1
		}
		p = p[n:]
		val += int32(-(uv & 1) ^ (uv >> 1))
		pc += uint64(pcd) * t.quantum
		if delta < pc {
			return val
		}
	}
}

// uvarint decodes runtime.readvarint's encoding; n is 0 if p is too short.
func uvarint(p []byte) (v uint32, n int) {
	shift := uint(0)
	for i, b := range p {
		v |= uint32(b&0x7F) << (shift & 31)
		if b&0x80 == 0 {
			return v, i + 1
		}
		if shift += 7; shift > 63 {
			break
		}
	}
	return 0, 0
}

// pcdata looks up one of the function's numbered tables.
func (t *pclntab) pcdata(f function, table uint32, delta uint64) int32 {
	if table >= f.npcdata {
		return -1
	}
	at := uint64(f.off) + funcSize + uint64(table)*4
	if at+4 > uint64(len(t.pclntable)) {
		return -1
	}
	return t.value(binary.LittleEndian.Uint32(t.pclntable[at:]), delta)
}

// funcdata returns the offset from go:func.* of one of the function's
// numbered data.
func (t *pclntab) funcdata(f function, i uint8) (uint32, bool) {
	if i >= f.nfunc {
		return 0, false
	}
	at := uint64(f.off) + funcSize + uint64(f.npcdata)*4 + uint64(i)*4
	if at+4 > uint64(len(t.pclntable)) {
		return 0, false
	}
	off := binary.LittleEndian.Uint32(t.pclntable[at:])
	return off, off != ^uint32(0)
}

// fileLine returns the position of the instruction at delta, "?" and 0 if
// there is none, as runtime.funcline1 does.
func (t *pclntab) fileLine(f function, delta uint64) (string, int) {
	fileno := t.value(f.pcfile, delta)
	line := t.value(f.pcln, delta)
	if fileno < 0 || line == -1 {
		return "?", 0
	}
	at := (uint64(f.cuOffset) + uint64(fileno)) * 4
	if at+4 > uint64(len(t.cutab)) {
		return "?", 0
	}
	fileoff := binary.LittleEndian.Uint32(t.cutab[at:])
	if fileoff == ^uint32(0) {
		return "?", int(line)
	}
	file, ok := cstring(t.filetab, uint64(fileoff))
	if !ok {
		return "?", 0
	}
	return file, int(line)
}

// call is one logical function at a PC.
type call struct {
	name    string // as in the table
	file    string
	line    int
	inlined bool
}

// maxInline bounds the depth of inlining, which a damaged table may make
// circular.
const maxInline = 1 << 10

// expand returns the logical functions at delta, innermost first, as
// runtime.inlineUnwinder iterates them. There is at least one.
func (t *pclntab) expand(f function, delta uint64) []call {
	var calls []call
	tree, ok := t.funcdata(f, funcdataInlTree)
	for ok && len(calls) < maxInline {
		i := t.pcdata(f, pcdataInlTreeIndex, delta)
		if i < 0 || t.inlTree == nil {
			break
		}
		ic, found := t.inlTree(tree, i)
		if !found {
			break
		}
		file, line := t.fileLine(f, delta)
		calls = append(calls, call{name: t.name(ic.nameOff), file: file, line: line, inlined: true})
		delta = uint64(int64(ic.parentPc))
	}
	file, line := t.fileLine(f, delta)
	return append(calls, call{name: t.name(f.nameOff), file: file, line: line})
}
