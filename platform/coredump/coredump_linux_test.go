package coredump_test

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/corekit/corekit/platform/coredump"
	"github.com/corekit/corekit/platform/elfcore"
	"github.com/corekit/corekit/platform/process"
	"golang.org/x/sys/unix"
)

// writeCore writes the core of a held process to a file and opens that.
func writeCore(t *testing.T, c *coredump.Core) (path string, core *elfcore.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "core")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	n, err := c.WriteTo(f)
	if err != nil {
		t.Fatal(err)
	}
	if size, err := c.Size(); err != nil || size != n {
		t.Errorf("Size() = %d, %v; %d bytes were written", size, err, n)
	}
	if st, err := f.Stat(); err != nil || st.Size() != n {
		t.Errorf("the file has %d bytes of %d, %v", st.Size(), n, err)
	}
	if core, err = elfcore.Open(f, n); err != nil {
		t.Fatal(err)
	}
	if core.Missing() != 0 {
		t.Errorf("%d bytes are missing", core.Missing())
	}
	return path, core
}

// page kinds
const (
	stored = 's' // in the core
	hole   = '0' // described, not stored
	absent = '-' // not even described
)

// page reads a page as a debugger does: what is described but not stored is
// zero.
func page(core *elfcore.File, addr uint64) ([]byte, rune) {
	b := make([]byte, pageSize)
	if n, err := core.ReadMemory(b, addr); err == nil {
		return b, stored
	} else if n > 0 || !errors.Is(err, elfcore.ErrNotPresent) {
		panic(fmt.Sprint(addr, n, err))
	}
	for _, s := range core.Segments {
		if s.Addr <= addr && addr < s.Addr+s.Memsz {
			return b, hole
		}
	}
	return b, absent
}

// TestMemory compares the core with what the child said of its own memory.
func TestMemory(t *testing.T) {
	c, regions := start(t, "regions")
	h := c.hold()
	core, err := coredump.New(h, coredump.Options{Signal: 6, Code: -6, First: h.Threads[len(h.Threads)-1].TID})
	if err != nil {
		t.Fatal(err)
	}
	path, f := writeCore(t, core)
	for name, r := range regions {
		var kinds []rune
		sum := sha256.New()
		for a := r.addr; a < r.addr+r.size; a += pageSize {
			b, kind := page(f, a)
			kinds = append(kinds, kind)
			sum.Write(b)
		}
		if got := fmt.Sprintf("%x", sum.Sum(nil)); got != r.sum {
			t.Errorf("%s: other contents; its pages are %c", name, kinds)
		}
		for i, want := range r.pages {
			if want != '?' && kinds[i] != want {
				t.Errorf("%s: page %d is %c, want %c", name, i, kinds[i], want)
				break
			}
		}
	}
	if len(regions) < 12 {
		t.Errorf("%d regions only", len(regions))
	}
	for _, what := range []string{"MADV_DONTDUMP", "shared file mappings", "unreadable pages, stored as zeros: 12288 bytes"} {
		if !slices.ContainsFunc(core.Missing, func(s string) bool { return strings.Contains(s, what) }) {
			t.Errorf("%q is not among what is missing: %q", what, core.Missing)
		}
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := core.Stored(); n < 1<<20 || n > st.Size() {
		t.Errorf("Stored() = %d of %d", n, st.Size())
	}
	if st.Size() > 60<<20 {
		t.Errorf("a core of %d bytes", st.Size())
	}
	t.Logf("%d bytes, %d segments", st.Size(), len(f.Segments))
}

// TestDescription checks what the core says besides memory.
func TestDescription(t *testing.T) {
	c, _ := start(t, "regions")
	h := c.hold()
	first := h.Threads[len(h.Threads)-1].TID
	core, err := coredump.New(h, coredump.Options{Signal: 6, Code: -6, First: first})
	if err != nil {
		t.Fatal(err)
	}
	_, f := writeCore(t, core)
	want := []int{first}
	for _, th := range h.Threads[:len(h.Threads)-1] {
		want = append(want, th.TID)
	}
	var got []int
	for i, th := range f.Threads {
		got = append(got, th.TID)
		held := h.Threads[slices.IndexFunc(h.Threads, func(t process.Thread) bool { return t.TID == th.TID })]
		if th.Signal != 6 || !bytes.Equal(th.Regs, held.Regs) || !bytes.Equal(th.FPRegs, held.FPRegs) || !bytes.Equal(th.XState, held.XState) {
			t.Errorf("thread %d, %d: signal %d, or other registers", i, th.TID, th.Signal)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("threads %v, want %v", got, want)
	}
	if sig, code, _, err := elfcore.ParseSiginfo(f.Siginfo); sig != 6 || code != -6 || err != nil {
		t.Errorf("siginfo %d, %d, %v", sig, code, err)
	}
	if p := f.Process; p.PID != c.Process.Pid || p.PPID != os.Getpid() || p.UID != uint32(os.Getuid()) || !strings.HasSuffix(self, p.Name) || p.Name == "" {
		t.Errorf("%+v", p)
	}
	auxv, _ := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", c.Process.Pid))
	if !bytes.Equal(auxv, f.Auxv) || len(auxv) < 64 {
		t.Errorf("auxv % x", f.Auxv)
	}
	if i := slices.IndexFunc(f.Files, func(m elfcore.Mapping) bool { return m.Path == self }); i < 0 || f.Files[i].Offset != 0 {
		t.Errorf("files %+v", f.Files)
	}

	// Nobody died: no signal, the main thread first.
	if core, err = coredump.New(h, coredump.Options{}); err != nil {
		t.Fatal(err)
	}
	_, f = writeCore(t, core)
	if f.Siginfo != nil || f.Threads[0].TID != c.Process.Pid || f.Threads[0].Signal != 0 {
		t.Errorf("siginfo % x, thread %d first with signal %d", f.Siginfo, f.Threads[0].TID, f.Threads[0].Signal)
	}
}

// TestKept leaves files out that are kept elsewhere: only modified pages
// remain, and the first of an ELF file.
func TestKept(t *testing.T) {
	c, regions := start(t, "regions")
	h := c.hold()
	kept := func(r process.Region) bool { return r.Path == self || strings.HasSuffix(r.Path, "/file") }
	core, err := coredump.New(h, coredump.Options{Kept: kept})
	if err != nil {
		t.Fatal(err)
	}
	_, f := writeCore(t, core)
	var kinds string
	for a, r := uint64(0), regions["file, some modified"]; a < r.size; a += pageSize {
		_, kind := page(f, r.addr+a)
		kinds += string(kind)
	}
	// Pages 3 and 30 are modified: what lies between is less than the gap.
	if want := strings.Repeat("0", 3) + "s" + strings.Repeat("0", 26) + "s0"; kinds != want && kinds != strings.ReplaceAll(want, "s"+strings.Repeat("0", 26), strings.Repeat("s", 27)) {
		t.Errorf("pages %s, want %s", kinds, want)
	}
	exe, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	var storedExe uint64
	for _, m := range f.Files {
		if m.Path != self {
			continue
		}
		if b, kind := page(f, m.Start); m.Offset == 0 && (kind != stored || !bytes.Equal(b, exe[:pageSize])) {
			t.Errorf("the executable's first page is %c", kind)
		}
		for a := m.Start; a < m.End; a += pageSize {
			if _, kind := page(f, a); kind == stored {
				storedExe += pageSize
			}
		}
	}
	if storedExe > uint64(len(exe))/4 {
		t.Errorf("%d bytes of the executable are stored, of %d", storedExe, len(exe))
	}
}

// TestNotKept checks that the executable is in the core if it is nowhere else.
func TestNotKept(t *testing.T) {
	c, _ := start(t, "regions")
	core, err := coredump.New(c.hold(), coredump.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, f := writeCore(t, core)
	exe, err := elf.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	for _, p := range exe.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_W != 0 || exe.Type != elf.ET_EXEC {
			continue
		}
		want, got := make([]byte, p.Filesz), make([]byte, p.Filesz)
		if _, err := p.ReadAt(want, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadMemory(got, p.Vaddr); err != nil || !bytes.Equal(got, want) {
			t.Errorf("segment at %#x: other contents, %v", p.Vaddr, err)
		}
	}
}

// TestVDSO checks that the kernel's own library is in the core.
func TestVDSO(t *testing.T) {
	c, _ := start(t, "regions")
	core, err := coredump.New(c.hold(), coredump.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, f := writeCore(t, core)
	addr, ok := f.Aux(elfcore.AuxVDSO)
	if !ok {
		t.Skip("no vDSO here")
	}
	if b, kind := page(f, addr); kind != stored || string(b[:4]) != elf.ELFMAG {
		t.Errorf("the vDSO's first page is %c", kind)
	}
}

// killer kills a process when it has taken some bytes.
type killer struct {
	n, after int64
	pid      int
}

func (k *killer) Write(b []byte) (int, error) {
	if k.n += int64(len(b)); k.n >= k.after && k.pid != 0 {
		unix.Kill(k.pid, unix.SIGKILL)
		for alive := true; alive; {
			alive = false
			for _, stat := range must(filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", k.pid))) {
				b, _ := os.ReadFile(stat)
				alive = alive || len(b) > 0 && !bytes.Contains(b, []byte(") Z "))
			}
		}
		k.pid = 0
	}
	return len(b), nil
}

// TestKilled checks that a core keeps its size when the process is killed while
// it is read, and says so.
func TestKilled(t *testing.T) {
	c, _ := start(t, "regions")
	h := c.hold()
	core, err := coredump.New(h, coredump.Options{})
	if err != nil {
		t.Fatal(err)
	}
	size, err := core.Size()
	if err != nil {
		t.Fatal(err)
	}
	w := &killer{after: size / 2, pid: c.Process.Pid}
	n, err := core.WriteTo(w)
	if err != nil || n != size || w.n != size {
		t.Errorf("WriteTo = %d, %v, want %d", n, err, size)
	}
	if !strings.Contains(strings.Join(core.Missing, "\n"), "killed while it was read") {
		t.Errorf("missing: %q", core.Missing)
	}
	if _, err := coredump.New(h, coredump.Options{}); err == nil {
		t.Error("a core of the dead")
	}
}

// full is a disk with little space.
type full int

func (f *full) Write(b []byte) (int, error) {
	n := min(len(b), int(*f))
	if *f -= full(n); n < len(b) {
		return n, unix.ENOSPC
	}
	return n, nil
}

func TestWriteError(t *testing.T) {
	c, _ := start(t, "regions")
	core, err := coredump.New(c.hold(), coredump.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, space := range []full{0, 100, 3 << 20} {
		w := space
		if n, err := core.WriteTo(&w); n != int64(space) || !errors.Is(err, unix.ENOSPC) {
			t.Errorf("space for %d: %d, %v", space, n, err)
		}
	}
}

// TestOtherReaders lets other programs read the core.
func TestOtherReaders(t *testing.T) {
	c, regions := start(t, "regions")
	h := c.hold()
	first := h.Threads[len(h.Threads)-1].TID
	core, err := coredump.New(h, coredump.Options{Signal: 6, Code: -6, First: first})
	if err != nil {
		t.Fatal(err)
	}
	path, _ := writeCore(t, core)
	anon := regions["anonymous, every other page"].addr
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"gdb", "-batch", "-nx", "-iex", "set auto-load off", "-ex", "info threads", "-ex", fmt.Sprintf("x/xb %#x", anon+2*pageSize),
			"-ex", fmt.Sprintf("x/xb %#x", anon+3*pageSize), "-ex", "p $_siginfo.si_signo", "-ex", "info proc", self, path},
			[]string{"Program terminated with signal SIGABRT", fmt.Sprintf("* 1    LWP %d", first), fmt.Sprintf("LWP %d", c.Process.Pid),
				fmt.Sprintf("%#x:\t0x03", anon+2*pageSize), fmt.Sprintf("%#x:\t0x00", anon+3*pageSize), "$1 = 6"}},
		{[]string{"eu-readelf", "-n", path}, []string{
			fmt.Sprintf("pid: %d, ppid: %d", c.Process.Pid, os.Getpid()), "cursig: 6\n", "FILE", self, "si_signo: 6", "PHNUM"}},
		{[]string{"readelf", "-lW", path}, []string{"CORE (Core file)", "NOTE", fmt.Sprintf("0x%016x", anon), "RW  0x1000"}},
		{[]string{"readelf", "-nW", path}, []string{"NT_PRSTATUS", "NT_PRPSINFO", "NT_SIGINFO", "NT_AUXV", "NT_FILE", "NT_FPREGSET"}},
	} {
		t.Run(strings.Join(tt.args[:2], " "), func(t *testing.T) {
			tool, err := exec.LookPath(tt.args[0])
			if err != nil {
				if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			cmd := exec.Command(tool, tt.args[1:]...)
			cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBUGINFOD_URLS=")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			// With libthread_db gdb has a longer name for threads.
			out = regexp.MustCompile(`Thread 0x[0-9a-f]+ \((LWP \d+)\)`).ReplaceAll(out, []byte("$1"))
			for _, want := range tt.want {
				if !bytes.Contains(out, []byte(want)) {
					t.Errorf("it does not say %q:\n%.3000s", want, out)
				}
			}
			for line := range strings.Lines(string(out)) {
				// gdb says these of the kernel's cores too.
				usual := strings.Contains(line, "/memfd:x y") || strings.Contains(line, ".reg-xstate")
				if strings.Contains(strings.ToLower(line), "warning") && !usual {
					t.Errorf("it warns: %s", line)
				}
			}
		})
	}
}
