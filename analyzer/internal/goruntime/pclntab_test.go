package goruntime

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// uv appends a varint as the linker does.
func uv(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// encode makes a pc-value table of (value, up to this pc) pairs.
func encode(pairs ...[2]int32) []byte {
	var b []byte
	val, pc := int32(-1), int32(0)
	for _, p := range pairs {
		d := p[0] - val
		b = uv(b, uint32(d<<1)^uint32(d>>31))
		b = uv(b, uint32(p[1]-pc))
		val, pc = p[0], p[1]
	}
	return append(b, 0)
}

func TestValue(t *testing.T) {
	tab := pclntab{quantum: 1, pctab: append([]byte{0}, encode([2]int32{0, 4}, [2]int32{-3, 400}, [2]int32{1 << 20, 500})...)}
	for _, tt := range []struct {
		pc   uint64
		want int32
	}{{0, 0}, {3, 0}, {4, -3}, {399, -3}, {400, 1 << 20}, {499, 1 << 20}, {500, -1}} {
		if got := tab.value(1, tt.pc); got != tt.want {
			t.Errorf("value at %d is %d, want %d", tt.pc, got, tt.want)
		}
	}
	if got := tab.value(0, 0); got != -1 {
		t.Errorf("no table: %d, want -1", got)
	}
}

func TestPrintedName(t *testing.T) {
	for _, tt := range []struct {
		minor      int
		name, want string
	}{
		{26, "main.f", "main.f"},
		{26, "runtime.gopanic", "panic"},
		{26, "main.F[go.shape.int]", "main.F[...]"},
		{26, "main.(*T[go.shape.map[string]int]).f.func1", "main.(*T[...]).f.func1"},
		{27, "main.(*T[go.shape.map[string]int]).f.func1", "main.(*T[...]).f.func1"},
		{27, "main.(*T[go.shape.[]int]).F[go.shape.[2]int].func1", "main.(*T[...]).F[...].func1"},
		{27, "main.T]x[", "main.T]x["},
	} {
		p := &Process{minor: tt.minor}
		if got := p.printedName(tt.name); got != tt.want {
			t.Errorf("go1.%d: %q is printed as %q, want %q", tt.minor, tt.name, got, tt.want)
		}
	}
}

// FuzzPclntab checks that a table of any content answers every question with
// at least one logical frame, and takes names from the table alone.
func FuzzPclntab(f *testing.F) {
	fn := make([]byte, funcSize+16)
	le := binary.LittleEndian
	le.PutUint32(fn[4:], 1)  // name
	le.PutUint32(fn[16:], 1) // pcsp
	le.PutUint32(fn[20:], 1) // pcfile
	le.PutUint32(fn[24:], 1) // pcln
	le.PutUint32(fn[28:], 3) // npcdata
	le.PutUint32(fn[52:], 1) // InlTreeIndex
	fn[43] = 4               // nfuncdata
	ftab := le.AppendUint32(nil, 0)
	ftab = le.AppendUint32(ftab, 0)
	ftab = le.AppendUint32(ftab, 100)
	ftab = le.AppendUint32(ftab, 0)
	f.Add([]byte("\x00main.f\x00a.go\x00"), encode([2]int32{0, 4}, [2]int32{2, 400}), fn, ftab, uint32(5))
	f.Fuzz(func(t *testing.T, names, pctab, funcs, ftab []byte, off uint32) {
		tab := pclntab{
			funcnametab: names, filetab: names, cutab: make([]byte, 64),
			pctab: append([]byte{0}, pctab...), pclntable: funcs, ftab: ftab, quantum: 1,
			inlTree: func(off uint32, i int32) (inlinedCall, bool) {
				return inlinedCall{nameOff: i, parentPc: int32(off)}, i < 100
			},
		}
		fn, ok := tab.find(off)
		if !ok {
			return
		}
		calls := tab.expand(fn, uint64(off))
		if len(calls) == 0 || len(calls) > maxInline+1 || calls[len(calls)-1].inlined {
			t.Fatalf("%d frames: %+v", len(calls), calls[:min(len(calls), 3)])
		}
		for _, c := range calls {
			if c.name != "" && !bytes.Contains(names, append([]byte(c.name), 0)) {
				t.Fatalf("name %q is not in the table", c.name)
			}
		}
	})
}
