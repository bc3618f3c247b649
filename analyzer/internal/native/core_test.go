package native

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// testCore is a core file as the kernel wrote it. It implements Modules and
// goruntime.Memory.
type testCore struct {
	f       *elf.File
	files   []coreMapping
	threads []goruntime.Regs // the first one dumped core
	open    map[string]*os.File
}

type coreMapping struct {
	start, end, off uint64
	path            string
}

// requireTool returns the path of a program that the test cannot do without.
func requireTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// requireCores skips where the kernel would not leave a core in the crashing
// program's directory.
func requireCores(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("needs linux/amd64")
	}
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if p := strings.TrimSpace(string(pattern)); err != nil || p == "" || strings.ContainsAny(p, "|/@%") {
		t.Skipf("core_pattern is %q", pattern)
	}
	if err := exec.Command("sh", "-c", "ulimit -c unlimited").Run(); err != nil {
		t.Skip("core files are forbidden by a hard limit")
	}
}

// crash runs a program that must dump core and returns the core's path.
func crash(t *testing.T, prog string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("sh", append([]string{"-c", `ulimit -c unlimited; exec "$0" "$@"`, prog}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	cores, _ := filepath.Glob(filepath.Join(dir, "*core*"))
	if len(cores) != 1 {
		t.Fatalf("%s %v: %v, no core file; output:\n%s", prog, args, err, out)
	}
	return cores[0]
}

// build compiles with gcc.
func build(t testing.TB, out string, args ...string) string {
	t.Helper()
	gcc := requireTool(t, "gcc")
	out = filepath.Join(t.TempDir(), out)
	if text, err := exec.Command(gcc, append([]string{"-o", out}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
	return out
}

func openCore(t *testing.T, path string) *testCore {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &testCore{f: f, open: make(map[string]*os.File)}
	t.Cleanup(func() {
		f.Close()
		for _, o := range c.open {
			o.Close()
		}
	})
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		notes, err := io.ReadAll(p.Open())
		if err != nil {
			t.Fatal(err)
		}
		for len(notes) >= 12 {
			le := binary.LittleEndian
			name, desc, typ := int(le.Uint32(notes)), int(le.Uint32(notes[4:])), le.Uint32(notes[8:])
			d := notes[12+(name+3)&^3:]
			c.note(typ, d[:desc])
			notes = d[(desc+3)&^3:]
		}
	}
	if len(c.threads) == 0 {
		t.Fatal("no threads in core")
	}
	return c
}

func (c *testCore) note(typ uint32, d []byte) {
	le := binary.LittleEndian
	switch typ {
	case 1: // NT_PRSTATUS; struct user_regs_struct begins at 112
		r := func(i int) uint64 { return le.Uint64(d[112+8*i:]) }
		g := map[int]uint64{
			0: r(10), 1: r(12), 2: r(11), 3: r(5), 4: r(13), 5: r(14), 6: r(4), 7: r(19),
			8: r(9), 9: r(8), 10: r(7), 11: r(6), 12: r(3), 13: r(2), 14: r(1), 15: r(0), 16: r(16),
		}
		c.threads = append(c.threads, goruntime.Regs{PC: g[16], SP: g[7], FP: g[6], G: g})
	case 0x46494c45: // NT_FILE
		n := int(le.Uint64(d))
		names := d[16+24*n:]
		for i := range n {
			e := d[16+24*i:]
			path, rest, _ := bytes.Cut(names, []byte{0})
			names = rest
			c.files = append(c.files, coreMapping{le.Uint64(e), le.Uint64(e[8:]), le.Uint64(e[16:]) * le.Uint64(d[8:]), string(path)})
		}
	}
}

func (c *testCore) file(path string) *os.File {
	if c.open[path] == nil {
		f, err := os.Open(path)
		if err != nil {
			return nil
		}
		c.open[path] = f
	}
	return c.open[path]
}

// ModuleAt finds files by NT_FILE, where the mapping of offset 0 holds the
// link-time address 0 or, for a position dependent executable, its first
// segment.
func (c *testCore) ModuleAt(pc uint64) (Module, bool) {
	for _, m := range c.files {
		if pc < m.start || pc >= m.end {
			continue
		}
		f := c.file(m.path)
		if f == nil {
			return Module{}, false
		}
		ef, err := elf.NewFile(f)
		if err != nil {
			return Module{}, false
		}
		for _, p := range ef.Progs {
			if p.Type == elf.PT_LOAD && m.off >= p.Off&^0xfff && m.off < p.Off+p.Filesz {
				return Module{Path: m.path, File: f, Bias: m.start - (p.Vaddr - p.Off + m.off)}, true
			}
		}
	}
	return Module{}, false
}

func (c *testCore) ReadMemory(b []byte, addr uint64) (int, error) {
	n := uint64(len(b))
	for _, p := range c.f.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr+n <= p.Filesz {
			return p.ReadAt(b, int64(addr-p.Vaddr))
		}
	}
	for _, m := range c.files {
		if addr >= m.start && addr-m.start+n <= m.end-m.start {
			if f := c.file(m.path); f != nil {
				return f.ReadAt(b, int64(addr-m.start+m.off))
			}
		}
	}
	return 0, fmt.Errorf("no memory at %#x", addr)
}

// frame is what is compared.
type frame struct {
	pc   uint64
	name string
	line int
}

// unwind walks from regs to the outermost frame.
func unwind(t *testing.T, u *Unwinder, regs goruntime.Regs) (frames []frame, err error) {
	t.Helper()
	call := false
	for len(frames) < 200 {
		name, _, line, ok := u.Lookup(regs.PC, call)
		if !ok {
			name = "??"
		}
		frames = append(frames, frame{regs.PC, name, line})
		next, err := u.Step(regs, call)
		if err != nil {
			return frames, err
		}
		call = !u.SignalFrame(regs.PC, call)
		regs = next
	}
	return frames, fmt.Errorf("more than %d frames", len(frames))
}
