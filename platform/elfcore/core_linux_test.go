package elfcore_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/corekit/corekit/platform/elfcore"
	"github.com/google/go-cmp/cmp"
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
func skip(t *testing.T, why ...any) {
	t.Helper()
	if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
		t.Fatal(why...)
	}
	t.Skip(why...)
}

// output runs a program and returns what it prints.
func output(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBUGINFOD_URLS=", "HOME="+t.TempDir())
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// kernelCore builds testdata/crash, lets it die and returns the executable and
// the core that the kernel wrote.
func kernelCore(t *testing.T) (exe, core string) {
	t.Helper()
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil || !regexp.MustCompile(`^[a-z._]+\n$`).Match(pattern) {
		skip(t, fmt.Sprintf("core_pattern is no plain relative name, but %q", pattern))
	}
	if exec.Command("sh", "-c", "ulimit -c unlimited").Run() != nil {
		skip(t, "the hard limit forbids core files")
	}
	dir := t.TempDir()
	exe = filepath.Join(dir, "crash")
	build := exec.Command("go", "build", "-o", exe, "./testdata/crash")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command("sh", "-c", `ulimit -c unlimited; exec "$0"`, exe)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOTRACEBACK=crash")
	out, _ := cmd.CombinedOutput()
	cores, _ := filepath.Glob(filepath.Join(dir, strings.TrimSpace(string(pattern))+"*"))
	for _, c := range cores {
		if c != exe {
			return exe, c
		}
	}
	t.Fatalf("no core; the program said:\n%s", out)
	return "", ""
}

func open(t *testing.T, path string) *elfcore.File {
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
	core, err := elfcore.Open(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	return core
}

// rewrite writes what core says as a new file.
func rewrite(t *testing.T, core *elfcore.File) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rewritten")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := core.Header()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write(h); err != nil {
		t.Fatal(err)
	}
	for i, s := range core.Segments {
		if _, err := io.Copy(out, io.NewSectionReader(core, core.Offset(i), int64(s.Filesz))); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if size, err := core.Size(); err != nil || size != st.Size() {
		t.Errorf("Size() = %d, %v; the file has %d", size, err, st.Size())
	}
	return path
}

// lost matches what an Image does not keep: times, masks and flags.
var lost = regexp.MustCompile(`(?m)^.*(sigpend|sighold|utime|sname|bytes at offset|Displaying notes|si_errno: 0, cursig).*\n|, psargs: .*| +$`)

func TestKernelCore(t *testing.T) {
	exe, path := kernelCore(t)
	core := open(t, path)
	if core.Missing() != 0 {
		t.Errorf("Missing() = %d", core.Missing())
	}
	if n := len(core.Threads); n < 5 {
		t.Errorf("%d threads", n)
	}
	const sigabrt, siTkill = 6, -6
	if sig, code, _, err := elfcore.ParseSiginfo(core.Siginfo); sig != sigabrt || code != siTkill || err != nil {
		t.Errorf("siginfo: %d, %d, %v", sig, code, err)
	}
	if core.Process.Name != "crash" || core.Process.Args != exe || core.Process.UID != uint32(os.Getuid()) {
		t.Errorf("%+v", core.Process)
	}
	if len(core.Files) < 3 || core.Files[0].Path != exe || core.Files[1].Offset == 0 {
		t.Errorf("%+v", core.Files)
	}
	for _, th := range core.Threads {
		g, err := elfcore.GeneralRegisters(core.Machine, th.Regs)
		if err != nil {
			t.Fatal(err)
		}
		// The stack pointer leads into memory; DWARF calls it 7 and 31.
		sp := g[map[bool]int{true: 7, false: 31}[len(g) == 17]]
		var b [8]byte
		if _, err := core.ReadMemory(b[:], sp); err != nil {
			t.Errorf("thread %d: %v", th.TID, err)
		}
	}

	again := open(t, rewrite(t, core))
	if diff := cmp.Diff(core.Image, again.Image); diff != "" {
		t.Errorf("rewritten core differs:\n%s", diff)
	}
	for _, s := range core.Segments {
		a, b := make([]byte, min(s.Filesz, 1<<20)), make([]byte, min(s.Filesz, 1<<20))
		if _, err := core.ReadMemory(a, s.Addr); err != nil {
			t.Fatal(err)
		}
		if _, err := again.ReadMemory(b, s.Addr); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("memory at %#x differs", s.Addr)
		}
	}
}

// TestAsElfutils compares threads, registers and mapped files with what
// eu-readelf reads.
func TestAsElfutils(t *testing.T) {
	tool(t, "eu-readelf")
	_, path := kernelCore(t)
	core := open(t, path)
	text := output(t, "", "eu-readelf", "-n", path)
	all := func(pattern string) (out [][]string) {
		return regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
	}
	statuses := all(`cursig: (\d+)\n.*\n.*\n +pid: (\d+), ppid: (\d+), pgrp: (\d+), sid: (\d+)\n`)
	if len(statuses) != len(core.Threads) || len(statuses) == 0 {
		t.Fatalf("%d threads, want %d", len(core.Threads), len(statuses))
	}
	for i, th := range core.Threads {
		if got := strings.Fields(fmt.Sprint(th.Signal, th.TID, th.PPID, th.PGRP, th.SID)); !cmp.Equal(got, statuses[i][1:]) {
			t.Errorf("thread %d: %v, want %v", i, got, statuses[i][1:])
		}
	}
	if core.Machine == elf.EM_X86_64 {
		pcs, sps := all(`rip: +0x([0-9a-f]+)`), all(`rsp: +0x([0-9a-f]+)`)
		for i, th := range core.Threads {
			g, _ := elfcore.GeneralRegisters(core.Machine, th.Regs)
			if got := fmt.Sprintf("%016x %016x", g[16], g[7]); got != pcs[i][1]+" "+sps[i][1] {
				t.Errorf("thread %d: pc and sp %s, want %s %s", i, got, pcs[i][1], sps[i][1])
			}
		}
	}
	files := all(`(?m)^ +([0-9a-f]+)-([0-9a-f]+) ([0-9a-f]+) \d+ +(/.*)$`)
	if len(files) != len(core.Files) || len(files) == 0 {
		t.Fatalf("%d files, want %d", len(core.Files), len(files))
	}
	for i, m := range core.Files {
		if got := fmt.Sprintf("%08x-%08x %08x %s", m.Start, m.End, m.Offset, m.Path); got != fmt.Sprintf("%s-%s %s %s", files[i][1], files[i][2], files[i][3], files[i][4]) {
			t.Errorf("file %d: %s, want %v", i, got, files[i][1:])
		}
	}
}

// TestCutAnywhere cuts a core off at many lengths.
func TestCutAnywhere(t *testing.T) {
	_, path := kernelCore(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := open(t, path)
	lengths := []int{0, 1, 4, 63, 64, 65, 119, 120, len(data) - 1}
	for n := 200; n < len(data); n += n / 7 {
		lengths = append(lengths, n)
	}
	opened := 0
	for _, n := range lengths {
		core, err := elfcore.Open(bytes.NewReader(data[:n]), int64(n))
		if err != nil {
			if !errors.Is(err, elfcore.ErrFormat) && !errors.Is(err, elfcore.ErrNoThreads) {
				t.Errorf("%d bytes: %v", n, err)
			}
			continue
		}
		opened++
		if core.Missing() != int64(len(data)-n) {
			t.Errorf("%d bytes: Missing() = %d, want %d", n, core.Missing(), len(data)-n)
		}
		for i, s := range core.Segments {
			want := min(s.Filesz, uint64(max(0, int64(n)-core.Offset(i))))
			p := make([]byte, 8)
			if core.Stored(i) != want {
				t.Errorf("%d bytes: %d of segment %d are stored, want %d", n, core.Stored(i), i, want)
			}
			m, err := core.ReadMemory(p, s.Addr+want-min(want, 4))
			q := make([]byte, 8)
			whole.ReadMemory(q, s.Addr+want-min(want, 4))
			if want < s.Filesz && (m != int(min(want, 4)) || !errors.Is(err, elfcore.ErrTruncated)) || !bytes.Equal(p[:m], q[:m]) {
				t.Errorf("%d bytes: ReadMemory at the end of segment %d = %d, %v", n, i, m, err)
			}
		}
	}
	if opened < 10 {
		t.Errorf("%d of %d lengths could be opened", opened, len(lengths))
	}
}

// TestOtherFiles opens what is no core.
func TestOtherFiles(t *testing.T) {
	for path, want := range map[string]error{
		"/proc/self/exe": elfcore.ErrNotCore, "core_linux_test.go": elfcore.ErrFormat, "/dev/null": elfcore.ErrFormat,
	} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := elfcore.Open(bytes.NewReader(data), int64(len(data))); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}

func TestOtherReaders(t *testing.T) {
	exe, path := kernelCore(t)
	again := rewrite(t, open(t, path))
	for _, args := range [][]string{{"readelf", "-nW"}, {"eu-readelf", "-n"}} {
		t.Run(args[0], func(t *testing.T) {
			tool(t, args[0])
			want := lost.ReplaceAllString(output(t, "", args[0], append(args[1:], path)...), "")
			got := lost.ReplaceAllString(output(t, "", args[0], append(args[1:], again)...), "")
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("the rewritten core's notes differ:\n%s", diff)
			}
			if len(want) < 1000 {
				t.Errorf("compared only:\n%s", want)
			}
		})
	}
	t.Run("gdb", func(t *testing.T) {
		args := []string{"-batch", "-nx", "-iex", "set auto-load off", "-ex", "info threads", "-ex", "bt", "-ex", "info registers", "-ex", "p $_siginfo.si_signo", exe}
		want := output(t, "", tool(t, "gdb"), append(args, path)...)
		got := output(t, "", "gdb", append(args, again)...)
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
			t.Error(diff)
		}
		if !strings.Contains(got, "runtime.raise") {
			t.Errorf("gdb says:\n%s", got)
		}
	})
	t.Run("dlv", func(t *testing.T) {
		got := output(t, "threads\ngoroutines\nexit\n", tool(t, "dlv"), "core", "--allow-non-terminal-interactive=true", exe, again)
		if !strings.Contains(got, "main.(*node).get") && !strings.Contains(got, "main.main") {
			t.Errorf("Delve says:\n%s", got)
		}
	})
}

func TestGcore(t *testing.T) {
	tool(t, "gcore")
	exe := filepath.Join(t.TempDir(), "crash")
	if out, err := exec.Command("go", "build", "-o", exe, "./testdata/sleep").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(exe)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	prefix := filepath.Join(t.TempDir(), "core")
	out, err := exec.Command("gdb", "-batch", "-nx", "-p", strconv.Itoa(cmd.Process.Pid), "-ex", "gcore "+prefix).CombinedOutput()
	if _, statErr := os.Stat(prefix); statErr != nil {
		skip(t, fmt.Sprintf("gdb may not attach here: %v\n%s", err, out))
	}
	core := open(t, prefix)
	if core.Process.PID != cmd.Process.Pid || core.Missing() != 0 || len(core.Files) == 0 {
		t.Errorf("%+v, %d bytes missing, files %v", core.Process, core.Missing(), core.Files)
	}
	tids := map[int]bool{}
	for _, th := range core.Threads {
		tids[th.TID] = true
	}
	if tasks, _ := os.ReadDir("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/task"); len(tids) != len(tasks) {
		t.Errorf("threads %v, want %v", tids, tasks)
	}
	if _, ok := core.Aux(elfcore.AuxEntry); !ok {
		t.Error("no AT_ENTRY")
	}
	if again := open(t, rewrite(t, core)); !cmp.Equal(core.Image, again.Image) {
		t.Error(cmp.Diff(core.Image, again.Image))
	}
}
