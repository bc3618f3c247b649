package image_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/corekit/corekit/analyzer/internal/image"
	"github.com/corekit/corekit/platform/elfcore"
)

// tool returns the path of a program that a test needs besides Go.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		skip(t, err)
	}
	return path
}

// skip skips a test for lack of something that not every machine has.
func skip(t testing.TB, why ...any) {
	t.Helper()
	if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
		t.Fatal(why...)
	}
	t.Skip(why...)
}

const crashProgram = "../../../platform/elfcore/testdata/crash"

// build compiles a program.
func build(t testing.TB, pkg string, args ...string) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "crash")
	cmd := exec.Command("go", append(append([]string{"build", "-o", exe}, args...), pkg)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return exe
}

// crash lets exe die and returns the core that the kernel wrote.
func crash(t testing.TB, exe string) string {
	t.Helper()
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil || !regexp.MustCompile(`^[a-z._]+\n$`).Match(pattern) {
		skip(t, fmt.Sprintf("core_pattern is no plain relative name, but %q", pattern))
	}
	if exec.Command("sh", "-c", "ulimit -c unlimited").Run() != nil {
		skip(t, "the hard limit forbids core files")
	}
	cmd := exec.Command("sh", "-c", `ulimit -c unlimited; exec "$0"`, exe)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "GOTRACEBACK=crash")
	out, _ := cmd.CombinedOutput()
	cores, _ := filepath.Glob(filepath.Join(cmd.Dir, "*core*"))
	if len(cores) != 1 {
		t.Fatalf("%d cores; the program said:\n%s", len(cores), out)
	}
	return cores[0]
}

func openFile(t testing.TB, path string) (*os.File, int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, st.Size()
}

func openCore(t testing.TB, path string) *elfcore.File {
	t.Helper()
	core, err := elfcore.Open(openFile(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return core
}

// local opens files of this machine.
type local struct{ t testing.TB }

func (l local) Open(path string) (io.ReaderAt, int64, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, 0, err
	}
	f, size := openFile(l.t, path)
	return f, size, nil
}

func openImage(t testing.TB, exe, core string) *image.Image {
	t.Helper()
	f, size := openFile(t, exe)
	im, err := image.New(openCore(t, core), f, size, local{t})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// gdbDump returns the memory that gdb sees.
func gdbDump(t *testing.T, exe, core string, addr, n uint64) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "dump")
	cmd := exec.Command(tool(t, "gdb"), "-batch", "-nx", "-iex", "set auto-load off",
		"-ex", fmt.Sprintf("dump binary memory %s %#x %#x", out, addr, addr+n), exe, core)
	cmd.Env = append(os.Environ(), "DEBUGINFOD_URLS=")
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return b
}

func symbol(t *testing.T, exe, name string) elf.Symbol {
	t.Helper()
	f, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range syms {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no symbol %s in %s", name, exe)
	return elf.Symbol{}
}

func read(t *testing.T, im *image.Image, addr, n uint64) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := im.ReadMemory(b, addr); err != nil {
		t.Fatalf("read %d bytes at %#x: %v", n, addr, err)
	}
	return b
}

func TestMemoryAsGDBSeesIt(t *testing.T) {
	for name, tt := range map[string]struct {
		pkg     string
		args    []string
		symbols []string
	}{
		"static": {crashProgram, nil, []string{"main.Data", "main.Bss", "main.main", "runtime.pclntab"}},
		"pie":    {crashProgram, []string{"-buildmode=pie"}, []string{"main.Data", "main.Bss", "main.main", "runtime.etext"}},
		"cgo":    {"./testdata/cgo", nil, []string{"main.Table", "mark", "main.main"}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "cgo" {
				tool(t, "gcc")
			}
			exe := build(t, tt.pkg, tt.args...)
			core := crash(t, exe)
			im := openImage(t, exe, core)
			if (im.Bias() != 0) != (name == "pie") || im.ExePath() != exe || len(im.Lacks()) > 0 {
				t.Errorf("bias %#x, executable %s, lacks %v", im.Bias(), im.ExePath(), im.Lacks())
			}
			for _, s := range tt.symbols {
				sym := symbol(t, exe, s)
				n := min(max(sym.Size, 32), 100_000)
				addr := sym.Value + im.Bias()
				if !bytes.Equal(read(t, im, addr, n), gdbDump(t, exe, core, addr, n)) {
					t.Errorf("%s at %#x is not what gdb reads", s, addr)
				}
				if _, ok := im.MappingAt(addr); !ok {
					continue // bss
				}
				if o, err := im.ObjectAt(addr); err != nil || o.Path != exe || o.Bias != im.Bias() {
					t.Errorf("ObjectAt(%s) = %+v, %v", s, o, err)
				}
			}
			// All that any mapped file is seen with.
			for _, m := range im.Mappings() {
				n := m.End - m.Start
				b := make([]byte, n)
				got, _ := im.ReadMemory(b, m.Start)
				if got == 0 {
					t.Errorf("%+v cannot be read", m)
				} else if want := gdbDump(t, exe, core, m.Start, uint64(got)); !bytes.Equal(b[:got], want) {
					t.Errorf("%+v is not what gdb reads", m)
				}
			}
		})
	}
}

// TestObjects checks load biases by what is in memory.
func TestObjects(t *testing.T) {
	tool(t, "gcc")
	exe := build(t, "./testdata/cgo")
	im := openImage(t, exe, crash(t, exe))
	seen := map[string]bool{}
	for _, m := range im.Mappings() {
		o, err := im.ObjectAt(m.Start)
		if err != nil {
			if strings.Contains(m.Path, ".so") || m.Path == exe {
				t.Errorf("%+v: %v", m, err)
			}
			continue
		}
		seen[filepath.Base(o.Path)] = true
		f, err := elf.NewFile(o.File)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range f.Progs {
			if p.Type != elf.PT_LOAD || p.Flags&elf.PF_W != 0 {
				continue
			}
			want := make([]byte, min(p.Filesz, 1<<16))
			if _, err := p.ReadAt(want, 0); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, read(t, im, p.Vaddr+o.Bias, uint64(len(want)))) {
				t.Errorf("%s with bias %#x: memory at %#x is not the file's", o.Path, o.Bias, p.Vaddr+o.Bias)
			}
		}
	}
	if base, _ := im.Core().Aux(elfcore.AuxBase); base == 0 {
		t.Error("no AT_BASE")
	} else if o, err := im.ObjectAt(base); err != nil || o.Bias != base {
		t.Errorf("dynamic linker at %#x: %+v, %v", base, o, err)
	}
	vdso, ok := im.Core().Aux(elfcore.AuxVDSO)
	if o, err := im.ObjectAt(vdso + 0x100); ok && (err != nil || o.Bias != vdso) {
		t.Errorf("vDSO at %#x: %+v, %v", vdso, o, err)
	}
	if !seen["libc.so.6"] || !seen[filepath.Base(exe)] {
		t.Errorf("objects: %v", seen)
	}
	if _, err := im.ObjectAt(0x10); !errors.Is(err, image.ErrUnmapped) {
		t.Errorf("ObjectAt(0x10): %v", err)
	}
}

// TestSharedPage checks the bias of a library whose code and data share a page
// of the file, so that its mappings alone do not tell what is what.
func TestSharedPage(t *testing.T) {
	gcc := tool(t, "gcc")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"lib.c":  "int data[2000] = {1, 2, 3}; int *get(void) { return data; }\n",
		"main.c": "#include <stdlib.h>\nint *get(void); int main(void) { get()[0] = 7; abort(); }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lib, exe := filepath.Join(dir, "lib.so"), filepath.Join(dir, "main")
	for _, args := range [][]string{
		{"-shared", "-fPIC", "-Wl,-z,noseparate-code", "-Wl,-z,norelro", "-o", lib, filepath.Join(dir, "lib.c")},
		{"-o", exe, filepath.Join(dir, "main.c"), lib},
	} {
		if out, err := exec.Command(gcc, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	im := openImage(t, exe, crash(t, exe))
	i := slices.IndexFunc(im.Mappings(), func(m elfcore.Mapping) bool { return m.Path == lib })
	if i < 0 {
		t.Fatalf("%s is not mapped", lib)
	}
	bias := im.Mappings()[i].Start // it is linked to address 0
	for _, name := range []string{"get", "data"} {
		at := bias + symbol(t, lib, name).Value
		if o, err := im.ObjectAt(at); err != nil || o.Bias != bias || o.Path != lib {
			t.Errorf("ObjectAt(%s) = %+v, %v; want bias %#x", name, o, err, bias)
		}
	}
	if b := read(t, im, bias+symbol(t, lib, "data").Value, 8); b[0] != 7 || b[4] != 2 {
		t.Errorf("data is % x", b)
	}
}

// thin rewrites a core as one that stores no page that a mapped file has, and
// no pages of zeros at the end of anything.
func thin(t *testing.T, path string) string {
	t.Helper()
	core := openCore(t, path)
	img := core.Image
	img.Segments = nil
	var data []byte
	for _, s := range core.Segments {
		b := make([]byte, s.Filesz)
		if _, err := core.ReadMemory(b, s.Addr); err != nil {
			t.Fatal(err)
		}
		for _, m := range core.Files {
			if m.Start == s.Addr && m.Offset != 0 {
				if f, err := os.ReadFile(m.Path); err == nil && m.Offset+s.Filesz <= uint64(len(f)) && bytes.Equal(f[m.Offset:m.Offset+s.Filesz], b) {
					b = nil
				}
			}
		}
		var onFile bool
		for _, m := range core.Files {
			onFile = onFile || m.Start < s.Addr+s.Memsz && s.Addr < m.End
		}
		if !onFile {
			n := (len(bytes.TrimRight(b, "\x00")) + 4095) &^ 4095
			b = b[:min(n, len(b))]
		}
		s.Filesz = uint64(len(b))
		img.Segments = append(img.Segments, s)
		data = append(data, b...)
	}
	h, err := img.Header()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "thin")
	if err := os.WriteFile(out, append(h, data...), 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// same compares two images in all that the core describes.
func same(t *testing.T, a, b *image.Image) {
	t.Helper()
	x, y := make([]byte, 1<<20), make([]byte, 1<<20)
	for _, s := range a.Core().Segments {
		for off := uint64(0); off < min(s.Memsz, 128<<20); off += uint64(len(x)) {
			n := min(uint64(len(x)), s.Memsz-off)
			_, errA := a.ReadMemory(x[:n], s.Addr+off)
			_, errB := b.ReadMemory(y[:n], s.Addr+off)
			if (errA == nil) != (errB == nil) || errA == nil && !bytes.Equal(x[:n], y[:n]) {
				t.Fatalf("memory at %#x differs: %v, %v", s.Addr+off, errA, errB)
			}
		}
	}
}

func TestThinAndSparse(t *testing.T) {
	exe := build(t, crashProgram)
	path := crash(t, exe)
	thinned := thin(t, path)
	full, im := openImage(t, exe, path), openImage(t, exe, thinned)
	a, _ := os.Stat(path)
	b, _ := os.Stat(thinned)
	t.Logf("core of %d bytes, thin %d", a.Size(), b.Size())
	same(t, full, im)

	f, err := os.Create(filepath.Join(t.TempDir(), "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	first := im.Core().Threads[2].TID
	if err := im.WriteSparse(f, first); err != nil {
		t.Fatal(err)
	}
	sparse := openImage(t, exe, f.Name())
	same(t, im, sparse)
	if core := sparse.Core(); core.Threads[0].TID != first || len(core.Threads) != len(im.Core().Threads) {
		t.Errorf("threads %+v, want %d first", core.Threads, first)
	}
	anonymous := 0
	for _, s := range sparse.Core().Segments {
		if _, isFile := sparse.MappingAt(s.Addr); !isFile {
			anonymous++
			if s.Filesz != s.Memsz {
				t.Errorf("%+v has a part that Delve cannot read", s)
			}
		}
	}
	if anonymous == 0 {
		t.Error("no anonymous segment")
	}
	holes := symbol(t, exe, "main.Holes").Value
	p := read(t, sparse, holes, 8)
	at := uint64(0)
	for i := range 8 {
		at |= uint64(p[i]) << (8 * i)
	}
	var page [1]byte
	for off, want := range map[uint64]byte{0: 0xaa, 4096: 0, 1000 * 4096: 0xbb, 1023 * 4096: 0} {
		if _, err := sparse.Core().ReadMemory(page[:], at+off); err != nil || page[0] != want {
			t.Errorf("Holes[%d] = %#x, %v; want %#x", off, page[0], err, want)
		}
	}
	out, err := exec.Command("du", "-B1", f.Name()).Output()
	if err == nil {
		var used int64
		fmt.Sscan(string(out), &used)
		if st, _ := f.Stat(); used > b.Size()+1<<20 {
			t.Errorf("sparse core of %d bytes takes %d on disk, the thin one has %d", st.Size(), used, b.Size())
		}
	}
	dlv := tool(t, "dlv")
	cmd := exec.Command(dlv, "core", "--allow-non-terminal-interactive=true", exe, f.Name())
	cmd.Stdin = strings.NewReader("goroutines\nprint main.Holes[:4096*2][5000]\nprint main.Data\nexit\n")
	text, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(text), "main.(*node).get") || !strings.Contains(string(text), "1234605616436508552") {
		t.Errorf("dlv: %v\n%s", err, text)
	}
}

func TestMatch(t *testing.T) {
	exe := build(t, crashProgram)
	for name, args := range map[string][]string{
		"default": nil,
		"pie":     {"-buildmode=pie"},
		"no ID":   {"-ldflags=-buildid= -B none"},
	} {
		mine := build(t, crashProgram, args...)
		core := openCore(t, crash(t, mine))
		match := func(path string) error {
			f, _ := openFile(t, path)
			return image.Match(core, f)
		}
		if err := match(mine); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strip, err := exec.LookPath("strip"); err == nil && name != "no ID" {
			for _, how := range []string{"-s", "-g"} {
				stripped := mine + ".stripped"
				if out, err := exec.Command(strip, how, "-o", stripped, mine).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				if err := match(stripped); err != nil {
					t.Errorf("%s, stripped by %s: %v", name, how, err)
				}
			}
			debug := mine + ".debug"
			if exec.Command("objcopy", "--only-keep-debug", mine, debug).Run() == nil {
				if err := match(debug); err == nil {
					t.Errorf("%s: a file without code matches", name)
				}
			}
		}
		for other, path := range map[string]string{
			"another program":  build(t, "../../../platform/elfcore/testdata/sleep", args...),
			"without a DWARF":  build(t, crashProgram, "-ldflags=-s -w -X main.x=y"),
			"other flags":      build(t, crashProgram, append([]string{"-gcflags=-N -l"}, args...)...),
			"this test itself": "/proc/self/exe",
		} {
			var m *image.MismatchError
			if err := match(path); !errors.As(err, &m) || m.Core == "" || m.Exe == "" {
				t.Errorf("%s core, %s: %v", name, other, err)
			} else if name == "default" && (m.What != "build ID" || !strings.HasPrefix(m.Core, "go:") || !strings.HasPrefix(m.Exe, "go:") || m.Core == m.Exe) {
				t.Errorf("%s: %v, want both build IDs", other, err)
			}
		}
		if err := match("core_linux_test.go"); !errors.Is(err, elfcore.ErrFormat) {
			t.Errorf("text: %v", err)
		}
	}
	// Without its first page nothing in a core tells who dumped it.
	core := openCore(t, crash(t, exe))
	f, _ := openFile(t, exe)
	for i, s := range core.Segments {
		if s.Addr == core.Files[0].Start {
			core.Segments[i].Filesz = 0
		}
	}
	if err := image.Match(core, f); !errors.Is(err, image.ErrUnverified) {
		t.Errorf("no first page: %v", err)
	}
}

// replaced serves another file under a library's name.
type replaced struct {
	local
	name, by string
}

func (r replaced) Open(path string) (io.ReaderAt, int64, error) {
	if strings.Contains(path, r.name) {
		if r.by == "" {
			return nil, 0, fs.ErrNotExist
		}
		path = r.by
	}
	return r.local.Open(path)
}

func TestLibraryNotAtHand(t *testing.T) {
	tool(t, "gcc")
	exe := build(t, "./testdata/cgo")
	path := crash(t, exe)
	f, size := openFile(t, exe)
	for _, by := range []string{"", exe} {
		im, err := image.New(openCore(t, path), f, size, replaced{local{t}, "libc.so", by})
		if err != nil {
			t.Fatal(err)
		}
		if l := im.Lacks(); len(l) != 1 || !strings.Contains(l[0], "libc.so") {
			t.Errorf("by %q: lacks %v", by, l)
		}
		for _, m := range im.Mappings() {
			if strings.Contains(m.Path, "libc.so") && m.Offset > 0 {
				if _, err := im.ReadMemory(make([]byte, 8), m.Start); !errors.Is(err, image.ErrUnmapped) ||
					!strings.Contains(err.Error(), fmt.Sprintf("%#x", m.Start)) {
					t.Errorf("libc at %#x: %v", m.Start, err)
				}
				if _, err := im.ObjectAt(m.Start); err == nil {
					t.Error("ObjectAt finds what is not at hand")
				}
				break
			}
		}
	}
}

func TestConcurrent(t *testing.T) {
	exe := build(t, crashProgram)
	im := openImage(t, exe, crash(t, exe))
	want := read(t, im, symbol(t, exe, "main.Data").Value, 32)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, s := range im.Core().Segments {
				im.ReadMemory(make([]byte, 100), s.Addr)
				im.ObjectAt(s.Addr)
			}
			b := make([]byte, 32)
			if _, err := im.ReadMemory(b, symbol(t, exe, "main.Data").Value); err != nil || !bytes.Equal(b, want) {
				t.Errorf("% x, %v", b, err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkReadMemory(b *testing.B) {
	exe := build(b, crashProgram)
	im := openImage(b, exe, crash(b, exe))
	segs := im.Core().Segments
	sp := segs[len(segs)/2].Addr
	var p [8]byte
	for b.Loop() {
		if _, err := im.ReadMemory(p[:], sp); err != nil {
			b.Fatal(err)
		}
	}
}
