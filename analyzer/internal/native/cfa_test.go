package native

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// tableFor makes an .eh_frame at 0x10000 with one CIE and one FDE for
// [0x1000, 0x2000).
func tableFor(aug string, augData []byte, ra byte, cieProgram, fdeProgram []byte) *section {
	entry := func(id uint32, body []byte) []byte {
		for len(body)%8 != 4 {
			body = append(body, cfaNop)
		}
		b := binary.LittleEndian.AppendUint32(nil, uint32(4+len(body)))
		b = binary.LittleEndian.AppendUint32(b, id)
		return append(b, body...)
	}
	cie := append([]byte{1}, aug...)
	cie = append(cie, 0, 1, 0x78, ra) // alignment of code 1, of data -8
	if aug != "" {
		cie = append(cie, byte(len(augData)))
		cie = append(cie, augData...)
	}
	data := entry(0, append(cie, cieProgram...))
	fde := binary.LittleEndian.AppendUint64(nil, 0x1000)
	fde = binary.LittleEndian.AppendUint64(fde, 0x1000)
	if aug != "" {
		fde = append(fde, 0)
	}
	data = append(data, entry(uint32(len(data)+4), append(fde, fdeProgram...))...)
	return &section{data: data, addr: 0x10000, eh: true}
}

// unwinderFor returns an unwinder for which all code is in one file with the
// given table.
func unwinderFor(machine elf.Machine, s *section, mem words) *Unwinder {
	img := &image{file: &elf.File{}, eh: newFrameTable(s), debug: newFrameTable(nil)}
	for _, once := range []interface{ Do(func()) }{&img.open, &img.ehOnce, &img.debugOnce, &img.symOnce} {
		once.Do(func() {})
	}
	u := New(oneModule{Module{File: bytes.NewReader(nil)}}, mem, machine)
	u.images[imageKey{}] = img
	return u
}

func TestProgram(t *testing.T) {
	base := []byte{cfaDefCFA, 7, 8, cfaOffset | 16, 1}
	cases := []struct {
		name    string
		program []byte
		pc      uint64
		wantSP  uint64
		wantPC  uint64
		wantRBX uint64 // 0: lost
	}{
		{"initial", nil, 0x1000, 0x8008, 0xaa00, 3},
		{"before advance", []byte{cfaAdvance | 4, cfaDefCFAOffset, 16}, 0x1003, 0x8008, 0xaa00, 3},
		{"after advance", []byte{cfaAdvance | 4, cfaDefCFAOffset, 16}, 0x1004, 0x8010, 0xaa08, 3},
		{"advance2", []byte{cfaAdvance2, 0, 1, cfaDefCFAOffset, 24}, 0x1100, 0x8018, 0xaa10, 3},
		{"saved", []byte{cfaDefCFAOffset, 24, cfaOffset | 3, 2}, 0x1000, 0x8018, 0xaa10, 0xaa08},
		{"restore", []byte{cfaOffset | 3, 1, cfaRestore | 3}, 0x1000, 0x8008, 0xaa00, 3},
		{"remember", []byte{cfaRemember, cfaDefCFAOffset, 24, cfaRestoreState}, 0x1000, 0x8008, 0xaa00, 3},
		{"undefined", []byte{cfaUndefined, 3}, 0x1000, 0x8008, 0xaa00, 0},
		{"register", []byte{cfaRegister, 3, 6}, 0x1000, 0x8008, 0xaa00, 6},
		{"val_offset", []byte{cfaValOffset, 3, 1}, 0x1000, 0x8008, 0xaa00, 0x8000},
		{"val_offset_sf", []byte{cfaValOffsetSF, 3, 0x7f}, 0x1000, 0x8008, 0xaa00, 0x8010},
		{"expression", []byte{cfaExpr, 3, 2, opBreg0 + 7, 16}, 0x1000, 0x8008, 0xaa00, 0xaa10},
		{"val_expression", []byte{cfaValExpr, 3, 2, opPlusUconst, 2}, 0x1000, 0x8008, 0xaa00, 0x800a},
		{"def_cfa_expression", []byte{cfaDefCFAExpr, 2, opBreg0 + 7, 24}, 0x1000, 0x8018, 0xaa10, 3},
		{"def_cfa_sf", []byte{cfaDefCFASF, 7, 0x7d}, 0x1000, 0x8018, 0xaa10, 3},
		{"other registers", []byte{cfaOffset | 40, 1, cfaUndefined, 0xff, 0xff, 0x03}, 0x1000, 0x8008, 0xaa00, 3},
		{"args_size", []byte{cfaArgsSize, 32}, 0x1000, 0x8008, 0xaa00, 3},
	}
	mem := words{0x8000: 0xaa00, 0x8008: 0xaa08, 0x8010: 0xaa10, 0x8018: 0xaa18}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := tableFor("zR", []byte{0}, 16, base, c.program)
			regs := goruntime.Regs{PC: c.pc, SP: 0x8000, FP: 6, G: map[int]uint64{0: 1, 3: 3, 6: 6}}
			got, err := unwinderFor(elf.EM_X86_64, s, mem).Step(regs, false)
			if err != nil {
				t.Fatal(err)
			}
			if got.SP != c.wantSP || got.PC != c.wantPC || got.G[3] != c.wantRBX {
				t.Errorf("got sp %#x pc %#x rbx %#x, want %#x %#x %#x", got.SP, got.PC, got.G[3], c.wantSP, c.wantPC, c.wantRBX)
			}
			if _, ok := got.G[0]; ok {
				t.Error("rax is known, though a call does not preserve it")
			}
		})
	}
}

func TestProgramErrors(t *testing.T) {
	base := []byte{cfaDefCFA, 7, 8, cfaOffset | 16, 1}
	cases := []struct {
		name    string
		program []byte
		want    string
	}{
		{"outermost", []byte{cfaUndefined, 16}, ErrOutermost.Error()},
		{"restore without state", []byte{cfaRestoreState}, "did not save"},
		{"remember forever", bytes.Repeat([]byte{cfaRemember}, 100), "remembers"},
		{"long", bytes.Repeat([]byte{cfaAdvance}, maxOps+1), "instructions"},
		{"unknown", []byte{0x3f}, "unknown"},
		{"truncated", []byte{cfaDefCFAExpr, 0x80, 1}, "ends within"},
		{"endless expression", []byte{cfaDefCFAExpr, 3, opSkip, 0xfd, 0xff}, "runs for"},
		{"lost register", []byte{cfaDefCFA, 0, 8}, "register 0"},
		{"downwards", []byte{cfaDefCFASF, 7, 1}, "does not advance"},
		{"unreadable", []byte{cfaDefCFAOffset, 0x60}, "return address is lost"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := tableFor("zR", []byte{0}, 16, base, c.program)
			_, err := unwinderFor(elf.EM_X86_64, s, words{0x7ff0: 1, 0x8000: 0xaa00}).Step(goruntime.Regs{PC: 0x1fff, SP: 0x8000}, false)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestReturnAddressBehindFunction checks that a call as the last instruction
// is looked up in its own function.
func TestReturnAddressBehindFunction(t *testing.T) {
	s := tableFor("zR", []byte{0}, 16, []byte{cfaDefCFA, 7, 8, cfaOffset | 16, 1}, nil)
	got, err := unwinderFor(elf.EM_X86_64, s, words{0x8000: 0xaa00}).Step(goruntime.Regs{PC: 0x2000, SP: 0x8000}, true)
	if err != nil || got.PC != 0xaa00 {
		t.Errorf("got %#x, %v", got.PC, err)
	}
}

func TestArm64(t *testing.T) {
	const signed = 0x5a << 48
	// paciasp; stp x29, x30, [sp, #-32]!
	s := tableFor("zR", []byte{0}, 30, []byte{cfaDefCFA, 31, 0}, []byte{
		cfaAdvance | 4, cfaAArch64RA,
		cfaAdvance | 4, cfaDefCFAOffset, 32, cfaOffset | 29, 4, cfaOffset | 30, 3,
	})
	mem := words{0x8000: 0x9000, 0x8008: 0xaa00 | signed}
	regs := goruntime.Regs{SP: 0x8000, FP: 0x7000, LR: 0xbb00 | signed}
	cases := []struct {
		pc         uint64
		sp, fp, to uint64
	}{
		{0x1000, 0x8000, 0x7000, 0xbb00}, // a leaf so far: the link register
		{0x1004, 0x8000, 0x7000, 0xbb00},
		{0x1008, 0x8020, 0x9000, 0xaa00},
	}
	for _, c := range cases {
		regs.PC = c.pc
		got, err := unwinderFor(elf.EM_AARCH64, s, mem).Step(regs, false)
		if err != nil {
			t.Errorf("%#x: %v", c.pc, err)
			continue
		}
		if got.PC != c.to || got.SP != c.sp || got.FP != c.fp || got.LR != c.to {
			t.Errorf("%#x: got %+v, want %+v", c.pc, got, c)
		}
	}
	// The same state for a return address would go round in circles.
	regs.PC = 0x1000
	if got, err := unwinderFor(elf.EM_AARCH64, s, mem).Step(regs, true); err == nil {
		t.Errorf("a frame called from itself: %+v", got)
	}
}

func TestArm64SignalFrame(t *testing.T) {
	mem := words{0x1000: 0xd4000001_d2801168, 0x1008: 0, 0x0ff8: 0}
	for reg := range uint64(33) {
		mem[0x8000+128+176+8+8*reg] = 0x5000 + reg
	}
	s := tableFor("zR", []byte{0}, 30, []byte{cfaDefCFA, 31, 0}, nil)
	got, err := unwinderFor(elf.EM_AARCH64, s, mem).Step(goruntime.Regs{PC: 0x1000, SP: 0x8000}, true)
	if err != nil {
		t.Fatal(err)
	}
	if got.PC != 0x5020 || got.SP != 0x501f || got.LR != 0x501e || got.FP != 0x501d || got.G[7] != 0x5007 {
		t.Errorf("got %+v", got)
	}
}

func TestUnknownMachine(t *testing.T) {
	u := New(oneModule{}, words{}, elf.EM_RISCV)
	if _, err := u.Step(goruntime.Regs{}, false); err == nil || errors.Is(err, ErrOutermost) {
		t.Errorf("got %v", err)
	}
	if u.SignalFrame(1, false) {
		t.Error("a signal frame on an unknown machine")
	}
}

func TestPointer(t *testing.T) {
	data := []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	cases := []struct {
		enc  byte
		want uint64
		ok   bool
	}{
		{0x00, ^uint64(1), true},
		{0x02, 0xfffe, true},
		{0x03, 0xfffffffe, true},
		{0x0a, ^uint64(1), true},
		{0x0b, ^uint64(1), true},
		{0x1b, 0xffe, true},       // relative to its own address
		{0x3b, 0x4ffe, true},      // relative to the data base
		{0x9b, 0xffe, false},      // indirect
		{0x2b, 0, false},          // relative to the text
		{0x05, 0, false},          // no such format
		{0xff, 0, false},          // omitted
		{0x01, 0x7ffffffe, false}, // does not end
	}
	for _, c := range cases {
		s := section{data: data, addr: 0x1000, dataBase: 0x5000}
		got, ok := s.pointer(&cursor{data: data}, c.enc)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%#x: got %#x, %v, want %#x, %v", c.enc, got, ok, c.want, c.ok)
		}
	}
}

func TestEval(t *testing.T) {
	cases := []struct {
		name string
		expr []byte
		want uint64
		ok   bool
	}{
		{"literal", []byte{opLit0 + 7}, 7, true},
		{"negative", []byte{opConst1s, 0xff}, ^uint64(0), true},
		{"arithmetic", []byte{opLit0 + 7, opLit0 + 3, opMinus, opLit0 + 2, opMul}, 8, true},
		{"signed division", []byte{opConst1s, 0xf8, opLit0 + 2, opDiv}, ^uint64(3), true},
		{"division by zero", []byte{opLit0, opLit0, opDiv}, 0, false},
		{"register", []byte{opBreg0 + 7, 0x78}, 0xff8, true},
		{"lost register", []byte{opBreg0 + 8, 0}, 0, false},
		{"memory", []byte{opBreg0 + 7, 0, opDeref}, 0x1122334455667788, true},
		{"part of a word", []byte{opBreg0 + 7, 0, opDerefSize, 2}, 0x7788, true},
		{"no memory", []byte{opLit0, opDeref}, 0, false},
		{"rot", []byte{opLit0 + 1, opLit0 + 2, opLit0 + 3, opRot, opDrop}, 1, true},
		{"pick", []byte{opLit0 + 1, opLit0 + 2, opPick, 1}, 1, true},
		{"loop", []byte{opLit0 + 5, opLit0 + 1, opMinus, opDup, opBra, 0xfa, 0xff}, 0, true},
		{"plt", []byte{opBreg0 + 7, 8, opBreg0 + 16, 0, opLit0 + 15, opAnd, opLit0 + 11, opGe, opLit0 + 3, opShl, opPlus}, 0x1010, true},
		{"empty stack", []byte{opPlus}, 0, false},
		{"nothing", nil, 0, false},
		{"branch outside", []byte{opSkip, 0, 0x7f}, 0, false},
		{"truncated", []byte{opLit0, opConst4u, 1}, 0, false},
		{"growing", []byte{opLit0, opSkip, 0xfc, 0xff}, 0, false},
	}
	regs := new(regSet)
	regs.set(7, 0x1000)
	regs.set(16, 0x401b)
	for _, c := range cases {
		got, err := eval(c.expr, regs, words{0x1000: 0x1122334455667788}, 0)
		if (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("%s: got %#x, %v, want %#x", c.name, got, err, c.want)
		}
	}
}
