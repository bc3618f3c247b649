package native

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// FuzzFrames parses data as both kinds of section. What the index lists must
// be found again, at the addresses that it lists, and give the same rules
// twice.
func FuzzFrames(f *testing.F) {
	base := []byte{cfaDefCFA, 7, 8, cfaOffset | 16, 1}
	f.Add(tableFor("zR", []byte{0}, 16, base, []byte{cfaAdvance | 4, cfaDefCFAOffset, 16}).data)
	f.Add(tableFor("zPLRS", []byte{0x1b, 0, 0, 0, 0, 0x1b, 0x1b}, 16, base, nil).data)
	f.Add(tableFor("", nil, 30, []byte{cfaDefCFA, 31, 0}, []byte{cfaRemember, cfaRestoreState, cfaAArch64RA}).data)
	f.Add(tableFor("zR", []byte{0}, 16, base, []byte{cfaExpr, 3, 2, opBreg0 + 7, 16, cfaSetLoc, 0, 0x11}).data)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []*section{
			{data: data, addr: 0x10000, eh: true},
			{data: data, addr: 0x10000, eh: true, terminated: true},
			{data: data},
		} {
			table := newFrameTable(s)
			if len(table.entries) > len(data)/8 {
				t.Fatalf("%d entries in %d bytes", len(table.entries), len(data))
			}
			if !slices.IsSortedFunc(table.entries, func(a, b frameEntry) int {
				if a.start < b.start {
					return -1
				}
				return int(min(a.start-b.start, 1))
			}) {
				t.Fatal("not sorted")
			}
			for _, e := range table.entries[:min(len(table.entries), 16)] {
				d, ok := table.find(e.start)
				if !ok {
					continue // hidden by another one that starts here
				}
				if e.start < d.start || e.start >= d.end {
					t.Fatalf("found %#x-%#x for %#x", d.start, d.end, e.start)
				}
				a, errA := d.rowAt(d.end - 1)
				b, errB := d.rowAt(d.end - 1)
				if (errA == nil) != (errB == nil) {
					t.Fatal(errA, errB)
				}
				if errA != nil {
					continue
				}
				for i := range a.regs {
					if a.regs[i].kind != b.regs[i].kind || a.regs[i].n != b.regs[i].n {
						t.Fatalf("register %d: %v and %v", i, a.regs[i], b.regs[i])
					}
				}
			}
		}
	})
}

// FuzzStep executes a program on registers and memory. A step that succeeds
// leads upwards.
func FuzzStep(f *testing.F) {
	f.Add([]byte{cfaDefCFA, 7, 8, cfaOffset | 16, 1}, false)
	f.Add([]byte{cfaDefCFAExpr, 2, opBreg0 + 7, 8, cfaExpr, 16, 2, opBreg0 + 7, 0}, true)
	f.Add([]byte{cfaDefCFAExpr, 7, opBreg0 + 7, 8, opDup, opBra, 0xfc, 0xff}, true)
	f.Add([]byte{cfaValExpr, 16, 1, opLit0 + 9, cfaDefCFA, 7, 0}, false)
	f.Fuzz(func(t *testing.T, program []byte, call bool) {
		mem := words{}
		for a := uint64(0x8000); a < 0x8100; a += 8 {
			mem[a] = a + 0x100
		}
		for _, m := range []struct {
			machine elf.Machine
			ra      byte
		}{{elf.EM_X86_64, 16}, {elf.EM_AARCH64, 30}} {
			s := tableFor("zR", []byte{0}, m.ra, nil, program)
			regs := goruntime.Regs{PC: 0x1800, SP: 0x8000, FP: 0x8010, LR: 0x1234}
			got, err := unwinderFor(m.machine, s, mem).Step(regs, call)
			if err == nil && (got.SP < regs.SP || got.PC == 0) {
				t.Fatalf("%v: from %+v to %+v", m.machine, regs, got)
			}
		}
	})
}

// FuzzEval checks that evaluation ends and does not depend on earlier ones.
func FuzzEval(f *testing.F) {
	f.Add([]byte{opBreg0 + 7, 8, opDeref, opLit0 + 1, opPlus})
	f.Add([]byte{opLit0, opSkip, 0xfc, 0xff})
	f.Add([]byte{opConst8u, 0, 0, 0, 0, 0, 0, 0, 0x80, opConst1s, 0xff, opDiv})
	regs := new(regSet)
	regs.set(7, 0x8000)
	mem := words{0x8000: 1, 0x8008: 0x8000}
	f.Fuzz(func(t *testing.T, expr []byte) {
		a, errA := eval(expr, regs, mem, 0x1000, 0x8010)
		b, errB := eval(expr, regs, mem, 0x1000, 0x8010)
		if a != b || (errA == nil) != (errB == nil) {
			t.Fatalf("%#x, %v and %#x, %v", a, errA, b, errB)
		}
	})
}

// FuzzFile opens damaged ELF files. What is named twice has the same name.
func FuzzFile(f *testing.F) {
	for _, path := range []string{"/bin/true", "/usr/bin/true"} {
		if data, err := os.ReadFile(path); err == nil && len(data) < 1<<20 {
			f.Add(data, uint64(0x2500))
			break
		}
	}
	f.Add([]byte(elf.ELFMAG), uint64(0))
	if _, err := exec.LookPath("gcc"); err == nil { // with DWARF
		if data, err := os.ReadFile(build(f, "inline", "-O2", "-g", "-no-pie", "testdata/inline.c")); err == nil {
			f.Add(data, uint64(0x401024)) // in main
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, pc uint64) {
		defer time.AfterFunc(10*time.Second, func() { panic("hangs") }).Stop()
		name := func() string {
			u := New(oneModule{Module{File: bytes.NewReader(data)}}, words{}, elf.EM_X86_64)
			u.Step(goruntime.Regs{PC: pc, SP: 0x8000}, false)
			u.SignalFrame(pc, true)
			fn, _, _, _ := u.Lookup(pc, false)
			return fn
		}
		if a, b := name(), name(); a != b {
			t.Fatalf("%q and %q", a, b)
		}
	})
}
