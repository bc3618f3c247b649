package dlv

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// exeBytes answers every read with 'E'.
type exeBytes struct{}

func (exeBytes) ReadMemory(p []byte, _ uint64) (int, error) {
	for i := range p {
		p[i] = 'E'
	}
	return len(p), nil
}

// testCore is a core with a segment of 4 bytes in the file and 4 that are not,
// one mapping of the executable and one of a library.
func testCore() []byte {
	le := binary.LittleEndian
	u64 := func(b []byte, v ...uint64) []byte {
		for _, x := range v {
			b = le.AppendUint64(b, x)
		}
		return b
	}
	note := func(typ uint32, desc []byte) []byte {
		b := le.AppendUint32(nil, 5)
		b = le.AppendUint32(b, uint32(len(desc)))
		b = le.AppendUint32(b, typ)
		b = append(b, "CORE\x00\x00\x00\x00"...)
		b = append(b, desc...)
		return append(b, make([]byte, -len(desc)&3)...)
	}
	files := u64(nil, 2, 4096, 0x1000, 0x1010, 0, 0x2000, 0x2010, 0)
	files = append(files, "/exe\x00/lib.so\x00"...)
	notes := append(note(noteAuxv, u64(nil, atEntry, 0x1004, 0, 0)), note(noteFile, files)...)
	const dataOff = 64 + 4*56
	b := []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x3e\x00\x01\x00\x00\x00")
	b = u64(b, 0, 64, 0)
	b = append(b, "\x00\x00\x00\x00\x40\x00\x38\x00\x04\x00\x00\x00\x00\x00\x00\x00"...)
	prog := func(typ uint32, v ...uint64) {
		b = le.AppendUint32(b, typ)
		b = le.AppendUint32(b, 4)
		b = u64(b, v...)
	}
	prog(4, dataOff+4, 0, 0, uint64(len(notes)), 0, 4)
	prog(1, dataOff, 0x5000, 0, 4, 8, 1) // anonymous
	prog(1, dataOff, 0x1000, 0, 0, 16, 1)
	prog(1, dataOff, 0x2000, 0, 0, 16, 1)
	b = append(b, "abcd"...)
	return append(b, notes...)
}

func TestCoreMemory(t *testing.T) {
	m, err := newCoreMemory(bytes.NewReader(testCore()), exeBytes{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		addr uint64
		n    int
		want string
	}{
		{0x5000, 4, "abcd"},
		{0x5002, 4, "cd\x00\x00"},
		{0x5004, 4, "\x00\x00\x00\x00"},
		{0x1008, 4, "EEEE"},
		{0x5004, 5, ""},     // beyond
		{0x100e, 4, ""},     // beyond the mapping
		{0x2000, 4, ""},     // a library, whose file nobody has
		{0x4fff, 2, ""},     // begins before
		{0, 1, ""},          // before everything
		{^uint64(0), 2, ""}, // wraps
	} {
		buf := make([]byte, tt.n)
		n, err := m.ReadMemory(buf, tt.addr)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%#x+%d: read %q", tt.addr, tt.n, buf)
			}
			continue
		}
		if err != nil || n != tt.n || string(buf) != tt.want {
			t.Errorf("%#x+%d: %q, %v, want %q", tt.addr, tt.n, buf[:n], err, tt.want)
		}
	}
}

// What is read twice is the same, in one piece or byte by byte, whatever the
// tables say.
func FuzzCoreMemory(f *testing.F) {
	f.Add(testCore(), uint64(0x5002), uint8(4))
	f.Add(testCore(), uint64(0x1008), uint8(20))
	f.Add(testCore()[:100], uint64(0x1008), uint8(4))
	f.Fuzz(func(t *testing.T, data []byte, addr uint64, n uint8) {
		m, err := newCoreMemory(bytes.NewReader(data), exeBytes{})
		if err != nil {
			return
		}
		whole := make([]byte, n)
		got, err := m.ReadMemory(whole, addr)
		if (err == nil) != (got == len(whole)) {
			t.Fatalf("%d of %d bytes and error %v", got, n, err)
		}
		for i := range whole[:got] {
			var b [1]byte
			if _, err := m.ReadMemory(b[:], addr+uint64(i)); err != nil || b[0] != whole[i] {
				t.Fatalf("byte %d: %#x, %v, in one piece %#x", i, b[0], err, whole[i])
			}
		}
	})
}

// A location is never both lost and kept, and its parts do not overlap.
func FuzzParseLocation(f *testing.F) {
	f.Add("[0x1:0x2] DW_OP_reg0(Rax) DW_OP_piece 0x8 DW_OP_reg3(Rbx) DW_OP_piece 0x8 DW_OP_piece 0x8 ")
	f.Add("[block] DW_OP_fbreg -0x10 ")
	f.Add("[0x1:0x2] DW_OP_regx 0x11 (XMM0)DW_OP_piece 0x4 DW_OP_piece 0x4 (escaped)")
	f.Add("[0x1:0x2] DW_OP_breg7(Rsp)0x8 ")
	f.Fuzz(func(t *testing.T, expr string) {
		l := parseLocation(expr, knownRegs{7: 1, 0: 2})
		end := int64(0)
		for _, p := range l.parts {
			if p.lo < end || p.why == "" {
				t.Fatalf("%q: %+v", expr, l)
			}
			end = p.hi
		}
		if l.all != "" && len(l.parts) == 0 {
			t.Fatalf("%q: all lost, no part: %+v", expr, l)
		}
	})
}

func TestParseLocation(t *testing.T) {
	known := knownRegs{0: 1, 7: 1}
	for expr, want := range map[string]struct {
		all   string
		parts int
	}{
		"[block] DW_OP_fbreg -0x10 ":       {"", 0},
		"[0x1:0x2] DW_OP_reg0(Rax) ":       {"", 0},
		"[0x1:0x2] DW_OP_reg3(Rbx) ":       {"lost: was in register RBX", 1},
		"[0x1:0x2] DW_OP_regx 0x11 (XMM0)": {"lost: was in register XMM0", 1},
		"[0x1:0x2] DW_OP_breg7(Rsp)0x8 ":   {"", 0},
		"[0x1:0x2] ":                       {optimizedAway, 1},
		"[0x1:0x2] DW_OP_reg0(Rax) DW_OP_piece 0x8 DW_OP_reg3(Rbx) DW_OP_piece 0x8 DW_OP_piece 0x8 ": {"", 2},
		"[0x1:0x2] DW_OP_regx 0x11 (XMM0)DW_OP_piece 0x8 DW_OP_fbreg -0x8 DW_OP_piece 0x8 ":          {"", 1},
		"[0x1:0x2] DW_OP_piece 0x8 DW_OP_reg3(Rbx) DW_OP_piece 0x8 ":                                 {"lost: was in register RBX", 2},
		"[0x1:0x2] DW_OP_consts 0x5 DW_OP_stack_value ":                                              {"", 0},
	} {
		l := parseLocation(expr, known)
		if l.all != want.all || len(l.parts) != want.parts {
			t.Errorf("%s: %+v", expr, l)
		}
	}
}
