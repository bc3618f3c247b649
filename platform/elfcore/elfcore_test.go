package elfcore_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/corekit/corekit/platform/elfcore"
)

// TestNoteSizes checks sizes that the kernel's headers fix.
func TestNoteSizes(t *testing.T) {
	for m, want := range map[elf.Machine]uint32{elf.EM_X86_64: 336, elf.EM_AARCH64: 392} {
		h, err := small(m).Header()
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.NewFile(bytes.NewReader(h))
		if err != nil {
			t.Fatal(err)
		}
		notes := make([]byte, f.Progs[0].Filesz)
		if _, err := f.Progs[0].ReadAt(notes, 0); err != nil {
			t.Fatal(err)
		}
		le := binary.LittleEndian
		if got := le.Uint32(notes[4:]); got != want || le.Uint32(notes[8:]) != 1 {
			t.Errorf("%v: NT_PRSTATUS of %d bytes, want %d", m, got, want)
		}
		psinfo := notes[20+want:]
		if got := le.Uint32(psinfo[4:]); got != 136 || le.Uint32(psinfo[8:]) != 3 {
			t.Errorf("%v: NT_PRPSINFO of %d bytes, want 136", m, got)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	good := coreBytes(t, small(elf.EM_X86_64))
	edit := func(off int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[off:], v)
		return b
	}
	noNotes := edit(64, byte(elf.PT_NULL))
	for _, tt := range []struct {
		name string
		data []byte
		want error
		text string
	}{
		{"empty", nil, elfcore.ErrFormat, "empty"},
		{"text", []byte("panic: runtime error: index out of range\n"), elfcore.ErrFormat, ""},
		{"gzip", append([]byte{0x1f, 0x8b}, good...), elfcore.ErrFormat, ""},
		{"magic only", good[:10], elfcore.ErrFormat, "cut off"},
		{"executable", edit(16, byte(elf.ET_EXEC)), elfcore.ErrNotCore, "executable"},
		{"library", edit(16, byte(elf.ET_DYN)), elfcore.ErrNotCore, "library"},
		{"32 bit", edit(elf.EI_CLASS, byte(elf.ELFCLASS32)), elfcore.ErrMachine, "32-bit"},
		{"big endian", edit(elf.EI_DATA, byte(elf.ELFDATA2MSB)), elfcore.ErrMachine, "big-endian"},
		{"machine", edit(18, byte(elf.EM_RISCV)), elfcore.ErrMachine, "EM_RISCV"},
		{"no notes", noNotes, elfcore.ErrNoThreads, ""},
		{"cut in headers", good[:100], elfcore.ErrNoThreads, "cut off"},
		{"cut before notes", good[:64+4*56], elfcore.ErrNoThreads, "cut off"},
		{"header size", edit(54, 32), elfcore.ErrFormat, ""},
		{"header offset", edit(32+7, 0xff), elfcore.ErrFormat, ""},
	} {
		_, err := elfcore.Open(bytes.NewReader(tt.data), int64(len(tt.data)))
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v; want %v, %q", tt.name, err, tt.want, tt.text)
		}
	}
}

func TestTruncated(t *testing.T) {
	img := small(elf.EM_X86_64)
	good := coreBytes(t, img)
	cut := good[:len(good)-0x2800] // the second segment keeps 0x800
	core, err := elfcore.Open(bytes.NewReader(cut), int64(len(cut)))
	if err != nil {
		t.Fatal(err)
	}
	if core.Missing() != 0x2800 || core.Stored(0) != 0x1000 || core.Stored(1) != 0x800 {
		t.Errorf("Missing() = %#x, stored %#x and %#x", core.Missing(), core.Stored(0), core.Stored(1))
	}
	p := make([]byte, 0x1000)
	if n, err := core.ReadMemory(p, 0x402000); n != 0x800 || !errors.Is(err, elfcore.ErrTruncated) {
		t.Errorf("ReadMemory = %#x, %v", n, err)
	}
	if _, err := core.ReadMemory(p, 0x401000); !errors.Is(err, elfcore.ErrNotPresent) {
		t.Errorf("not stored: %v", err)
	}
	if _, err := core.ReadMemory(p, 0xffff_ffff_ffff_f800); !errors.Is(err, elfcore.ErrNotPresent) {
		t.Errorf("wraps around: %v", err)
	}
}

// TestNotesTwice checks that a small file does not take much memory by having
// its notes counted again and again.
func TestNotesTwice(t *testing.T) {
	img := small(elf.EM_X86_64)
	for i := range 1000 {
		img.Segments = append(img.Segments, elfcore.Segment{Addr: 0x7fff_1000_0000 + uint64(i)<<12, Memsz: 0x1000})
	}
	b := coreBytes(t, img)
	for i := range 1000 {
		copy(b[64+(4+i)*56:], b[64:64+56])
	}
	if _, err := elfcore.Open(bytes.NewReader(b), int64(len(b))); !errors.Is(err, elfcore.ErrFormat) {
		t.Errorf("%v", err)
	}
}

func TestOverlap(t *testing.T) {
	img := small(elf.EM_X86_64)
	b := coreBytes(t, img)
	// Let the second segment begin in the middle of the first one.
	binary.LittleEndian.PutUint64(b[64+2*56+16:], 0x401800)
	core, err := elfcore.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if s := core.Segments[1]; s.Addr != 0x402000 || s.Filesz != 0x2800 || s.Memsz != 0x2800 || core.Offset(1)-core.Offset(0) != 0x1800 {
		t.Errorf("%+v at %#x", s, core.Offset(1))
	}
}

func TestHeaderErrors(t *testing.T) {
	for name, edit := range map[string]func(*elfcore.Image){
		"machine":   func(i *elfcore.Image) { i.Machine = elf.EM_386 },
		"threads":   func(i *elfcore.Image) { i.Threads = nil },
		"registers": func(i *elfcore.Image) { i.Threads[1].Regs = i.Threads[1].Regs[1:] },
		"order":     func(i *elfcore.Image) { i.Segments[0], i.Segments[1] = i.Segments[1], i.Segments[0] },
		"wrap":      func(i *elfcore.Image) { i.Segments[2].Memsz = 1 << 63; i.Segments[2].Addr = 1 << 63 },
		"stored":    func(i *elfcore.Image) { i.Segments[2].Filesz = 0x2000 },
		"path":      func(i *elfcore.Image) { i.Files[0].Path = "a\x00b" },
	} {
		img := small(elf.EM_X86_64)
		edit(img)
		if _, err := img.Header(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestManySegments checks the extended numbering of more segments than
// e_phnum can count, with other readers where they are at hand.
func TestManySegments(t *testing.T) {
	for _, n := range []int{0xfffd, 0xfffe, 0xffff, 70_000} {
		img := small(elf.EM_X86_64)
		img.Segments = nil
		for i := range n {
			img.Segments = append(img.Segments, elfcore.Segment{Addr: 0x10000 + uint64(i)*0x2000, Memsz: 0x1000, Filesz: 16, Flags: elf.PF_R})
		}
		b := coreBytes(t, img)
		core, err := elfcore.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if len(core.Segments) != n || core.Missing() != 0 {
			t.Errorf("%d segments, want %d; %d bytes missing", len(core.Segments), n, core.Missing())
		}
		last := img.Segments[n-1].Addr
		var p [16]byte
		if _, err := core.ReadMemory(p[:], last); err != nil || p[3] != pattern(last+3) {
			t.Errorf("last of %d segments: % x, %v", n, p, err)
		}
		// The kernel puts the section header last, so that a core which is cut
		// off lacks it. The notes are then all that follows the table.
		if n >= 0xffff {
			binary.LittleEndian.PutUint64(b[40:], uint64(len(b)))
			core, err := elfcore.Open(bytes.NewReader(b), int64(len(b)))
			if err != nil || len(core.Segments) != n || core.Missing() != 64 {
				t.Errorf("without the section header: %d segments, %v", len(core.Segments), err)
			}
		}
	}
}

func TestManySegmentsOtherReaders(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs gdb and readelf of Linux")
	}
	img := small(elf.EM_X86_64)
	img.Segments = nil
	for i := range 70_000 {
		img.Segments = append(img.Segments, elfcore.Segment{Addr: 0x10000 + uint64(i)*0x2000, Memsz: 0x1000, Filesz: 16, Flags: elf.PF_R})
	}
	path := filepath.Join(t.TempDir(), "core")
	if err := os.WriteFile(path, coreBytes(t, img), 0o600); err != nil {
		t.Fatal(err)
	}
	last := img.Segments[len(img.Segments)-1].Addr
	for _, tt := range []struct {
		want string
		args []string
	}{
		{"65535 (70001)", []string{"readelf", "-hW", path}},
		{"There are 70001 program headers", []string{"readelf", "-lW", path}},
		{fmt.Sprintf("0x%016x", last), []string{"readelf", "-lW", path}},
		{"65535 (70001 in [0].sh_info)", []string{"eu-readelf", "-h", path}},
		{fmt.Sprintf("$1 = %#x\n", pattern(last+3)), []string{
			"gdb", "-batch", "-nx", "-c", path, "-ex", fmt.Sprintf("p/x *(unsigned char*)%#x", last+3),
		}},
	} {
		t.Run(tt.args[0], func(t *testing.T) {
			name, err := exec.LookPath(tt.args[0])
			if err != nil {
				if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			out, err := exec.Command(name, tt.args[1:]...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("%v, want %q in:\n%.2000s", err, tt.want, out)
			}
		})
	}
}

func TestValues(t *testing.T) {
	img := small(elf.EM_X86_64)
	if v, ok := img.Aux(elfcore.AuxEntry); v != 0x401000 || !ok {
		t.Errorf("AT_ENTRY = %#x, %v", v, ok)
	}
	if _, ok := img.Aux(elfcore.AuxBase); ok {
		t.Error("AT_BASE is there")
	}
	if sig, code, addr, err := elfcore.ParseSiginfo(img.Siginfo); sig != 11 || code != 1 || addr != 0xbeef || err != nil {
		t.Errorf("siginfo: %d %d %#x %v", sig, code, addr, err)
	}
	if _, _, _, err := elfcore.ParseSiginfo(nil); err == nil {
		t.Error("empty siginfo: no error")
	}
	regs := make([]byte, 34*8)
	for i := range 34 {
		binary.LittleEndian.PutUint64(regs[8*i:], uint64(i))
	}
	g, err := elfcore.GeneralRegisters(elf.EM_X86_64, regs)
	// rax, rsp and rip in struct user_regs_struct.
	if err != nil || len(g) != 17 || g[0] != 10 || g[7] != 19 || g[16] != 16 {
		t.Errorf("%v, %v", g, err)
	}
	if nr, ok := elfcore.OrigRAX(elf.EM_X86_64, regs); nr != 15 || !ok {
		t.Errorf("orig_rax = %d, %v", nr, ok)
	}
	g, err = elfcore.GeneralRegisters(elf.EM_AARCH64, regs)
	if err != nil || len(g) != 33 || g[31] != 31 || g[32] != 32 {
		t.Errorf("%v, %v", g, err)
	}
	if _, err := elfcore.GeneralRegisters(elf.EM_AARCH64, regs[:100]); err == nil {
		t.Error("short registers: no error")
	}
}

func TestBuildID(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ ldflags, want string }{
		{"-buildid=an/id -B none", "go:an/id"},
		{"-buildid=an/id -B 0x1122aabb", "1122aabb"},
		{"-buildid=an/id -B none -s -w", "go:an/id"},
	} {
		exe := filepath.Join(dir, "exe")
		cmd := exec.Command("go", "build", "-ldflags", tt.ldflags, "-o", exe, "./testdata/sleep")
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		f, err := os.Open(exe)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := elfcore.BuildID(f); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v", tt.ldflags, got, err)
		}
		f.Close()
	}
	if _, err := elfcore.BuildID(strings.NewReader("text")); !errors.Is(err, elfcore.ErrFormat) {
		t.Errorf("text: %v", err)
	}
}
