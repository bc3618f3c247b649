package native

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// oneModule is a Modules with a single file that covers everything.
type oneModule struct{ m Module }

func (o oneModule) ModuleAt(uint64) (Module, bool) { return o.m, true }

// words is a memory of 8-byte words.
type words map[uint64]uint64

func (w words) ReadMemory(p []byte, addr uint64) (int, error) {
	for i := range p {
		a := addr + uint64(i)
		v, ok := w[a&^7]
		if !ok {
			return 0, fmt.Errorf("no memory at %#x", a)
		}
		p[i] = byte(v >> (8 * (a & 7)))
	}
	return len(p), nil
}

// TestFramePointers unwinds a program without any unwind tables. It does not
// die in a leaf, which has no frame pointer either.
func TestFramePointers(t *testing.T) {
	requireCores(t)
	exe := build(t, "crash", "-O1", "-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-pthread", "testdata/crash.c")
	core := openCore(t, crash(t, exe, "abort"))
	u := New(core, core, elf.EM_X86_64)
	got, _ := unwind(t, u, core.threads[0])
	var names []string
	for _, f := range got {
		if f.name != "??" && (len(names) == 0 || names[len(names)-1] != f.name) {
			names = append(names, f.name)
		}
	}
	want := "raise abort give_up aligned dynamic compare qsort_r sort descend run main"
	if !strings.HasPrefix(strings.Join(names, " "), want) {
		t.Errorf("got %v, want %s", names, want)
	}
}

// TestSignalFrame compares what the table says of a signal trampoline, in
// expressions, with the layout that the kernel's headers give.
func TestSignalFrame(t *testing.T) {
	requireCores(t)
	exe := build(t, "crash", "-O2", "-pthread", "testdata/crash.c")
	core := openCore(t, crash(t, exe, "store", "handler"))
	u := New(core, core, elf.EM_X86_64)
	regs, call := core.threads[0], false
	for range 50 {
		if u.SignalFrame(regs.PC, call) {
			in := u.arch.load(regs)
			d, m, ok := u.frame(regs.PC, call)
			if !ok || !d.cie.signal {
				t.Fatalf("no signal frame in the table for %#x", regs.PC)
			}
			table, err := u.stepTable(in, &d, m.Bias, lookupPC(regs.PC, call)-m.Bias)
			if err != nil {
				t.Fatal(err)
			}
			layout, err := u.stepSignal(in)
			if err != nil {
				t.Fatal(err)
			}
			if *table != *layout {
				t.Errorf("table:  %+v\nlayout: %+v", *table, *layout)
			}
			return
		}
		next, err := u.Step(regs, call)
		if err != nil {
			t.Fatal(err)
		}
		regs, call = next, true
	}
	t.Fatal("no signal frame")
}

func TestInlined(t *testing.T) {
	for _, version := range []string{"-gdwarf-4", "-gdwarf-5"} {
		exe := build(t, "inline", "-O2", version, "testdata/inline.c")
		f, err := os.Open(exe)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		u := New(oneModule{Module{Path: exe, File: f}}, words{}, elf.EM_X86_64)
		img, _, _ := u.image(1)
		var start, end uint64
		for _, s := range img.functions() {
			if s.name == "main" {
				start, end = s.start, s.end
			}
		}
		var got []Symbol
		for pc := start; pc < end; pc++ {
			if s := u.Inlined(pc, false); len(s) > len(got) {
				got = s
			}
		}
		for i := range got {
			got[i].File = filepath.Base(got[i].File)
		}
		want := []Symbol{{"inner", "inline.c", 5}, {"outer", "inline.c", 10}, {"main", "inline.c", 14}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", version, got, want)
		}
	}
}

// TestTables finds and executes every entry of real files, and finds the same
// ones without section headers.
func TestTables(t *testing.T) {
	for _, path := range mappedFiles(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		table := tableOf(t, data)
		if len(table.entries) == 0 {
			continue // the test binary, if it was linked without C
		}
		for _, e := range table.entries {
			for _, pc := range []uint64{e.start, (e.start + e.end) / 2, e.end - 1} {
				d, ok := table.find(pc)
				if !ok || pc < d.start || pc >= d.end {
					t.Errorf("%s: %#x: found %v, %#x-%#x", path, pc, ok, d.start, d.end)
					continue
				}
				if _, err := d.rowAt(pc); err != nil {
					t.Errorf("%s: %#x: %v", path, pc, err)
				}
			}
		}
		bare := bytes.Clone(data)
		clear(bare[40:48]) // e_shoff
		clear(bare[58:64]) // e_shentsize, e_shnum, e_shstrndx
		if got := tableOf(t, bare).entries; !reflect.DeepEqual(got, table.entries) {
			t.Errorf("%s: %d entries without section headers, %d with", path, len(got), len(table.entries))
		}
		t.Logf("%s: %d entries", path, len(table.entries))
	}
}

func tableOf(t *testing.T, file []byte) *frameTable {
	t.Helper()
	f, err := (&image{src: bytes.NewReader(file)}).elf()
	if err != nil {
		t.Fatal(err)
	}
	return newFrameTable(ehFrame(f))
}

// mappedFiles returns the libraries of a C program.
func mappedFiles(t *testing.T) []string {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("needs linux/amd64")
	}
	sh := requireTool(t, "sh")
	f, err := elf.Open(sh)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libs, _ := f.ImportedLibraries()
	paths := []string{sh}
	for _, lib := range libs {
		for _, dir := range []string{"/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib", "/lib"} {
			if path := filepath.Join(dir, lib); exists(path) {
				paths = append(paths, path)
				break
			}
		}
	}
	return paths
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestVDSO names and unwinds code in this process's own vDSO, read from memory.
func TestVDSO(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("needs linux/amd64")
	}
	start, data := ownVDSO(t)
	u := New(oneModule{Module{Path: "[vdso]", File: bytes.NewReader(data), Bias: start}}, words{0x1000: start + 0x500, 0x1008: 1}, elf.EM_X86_64)
	img, _, _ := u.image(start)
	for _, s := range img.functions() {
		if !strings.HasPrefix(s.name, "__vdso_") {
			continue
		}
		name, file, line, ok := u.Lookup(start+s.start, false)
		if !ok || file != "[vdso]" || line != 0 || !strings.HasPrefix(name, "__vdso_") && !strings.HasPrefix(name, "clock_") {
			t.Errorf("Lookup(%s) = %q, %q, %d, %v", s.name, name, file, line, ok)
		}
		// At the entry only the return address has been pushed.
		got, err := u.Step(goruntime.Regs{PC: start + s.start, SP: 0x1000, FP: 0x2000}, false)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if got.PC != start+0x500 || got.SP != 0x1008 || got.FP != 0x2000 {
			t.Errorf("%s: caller %+v", s.name, got)
		}
	}
	if len(img.functions()) == 0 {
		t.Error("no symbols in the vDSO")
	}
}

func ownVDSO(t *testing.T) (start uint64, data []byte) {
	t.Helper()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	for s := bufio.NewScanner(maps); s.Scan(); {
		var end uint64
		if !strings.HasSuffix(s.Text(), "[vdso]") {
			continue
		}
		fmt.Sscanf(s.Text(), "%x-%x", &start, &end)
		mem, err := os.Open("/proc/self/mem")
		if err != nil {
			t.Fatal(err)
		}
		defer mem.Close()
		data = make([]byte, end-start)
		if _, err := io.ReadFull(io.NewSectionReader(mem, int64(start), int64(len(data))), data); err != nil {
			t.Fatal(err)
		}
		return start, data
	}
	t.Skip("no vDSO")
	return 0, nil
}

// TestHostileLineTable checks that a version 5 line table cannot claim more
// files than it has bytes.
func TestHostileLineTable(t *testing.T) {
	table := func(files uint64) []byte {
		b := []byte{5, 0, 8, 0, 0, 0, 0, 0, 1, 1, 1, 0xfb, 14, 1}
		b = append(b, 1, 1, 0x08, 1, '/', 0) // one directory: a string
		b = append(b, 1, 1, 0x08)
		b = binary.AppendUvarint(b, files)
		b = append(b, 'a', 0)
		return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)
	}
	if !saneLineTable(table(1), 0) {
		t.Error("a valid table was refused")
	}
	for _, n := range []uint64{2, 1 << 32, 1 << 62} {
		if saneLineTable(table(n), 0) {
			t.Errorf("a table with %d files was accepted", n)
		}
	}
	if saneLineTable(table(1), 1<<40) || saneLineTable(table(1), -1) {
		t.Error("an offset outside the section was accepted")
	}
}
