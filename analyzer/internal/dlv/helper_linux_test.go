package dlv

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-delve/delve/pkg/proc"
	"github.com/go-delve/delve/pkg/proc/core"
)

// needTool skips the test, unless the environment says that everything must
// be there.
func needTool(t testing.TB, ok bool, what string) {
	t.Helper()
	if ok {
		return
	}
	if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}

// build compiles a program of testdata.
func build(t testing.TB, name string, flags ...string) string {
	t.Helper()
	goTool, err := exec.LookPath("go")
	needTool(t, err == nil, "the go command")
	exe := filepath.Join(t.TempDir(), strings.TrimSuffix(name, ".go"))
	args := append([]string{"build", "-o", exe}, flags...)
	out, err := exec.Command(goTool, append(args, filepath.Join("testdata", name))...).CombinedOutput()
	if err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return exe
}

// crash runs exe until the kernel has dumped its core.
func crash(t testing.TB, exe string) (corePath string) {
	t.Helper()
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	p := strings.TrimSpace(string(pattern))
	needTool(t, err == nil && p != "" && !strings.ContainsAny(p, "|@/%"), "a core_pattern that is a plain file name")
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &lim); err != nil {
		t.Fatal(err)
	}
	needTool(t, lim.Max > 64<<20, "a hard core limit above 64 MiB")
	dir := t.TempDir()
	// The shell raises the limit of the program alone.
	cmd := exec.Command("/bin/sh", "-c", `ulimit -c "$(ulimit -H -c)" && exec "$0"`, exe)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOTRACEBACK=crash")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("%s did not crash:\n%s", exe, out)
	}
	cores, _ := filepath.Glob(filepath.Join(dir, p+"*"))
	if len(cores) != 1 {
		t.Fatalf("%s: %v, cores %v\n%s", exe, err, cores, out)
	}
	return cores[0]
}

// marked returns the line of a program in testdata that ends with "// mark".
func marked(t testing.TB, name, mark string) int {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		if strings.HasSuffix(sc.Text(), "// "+mark) {
			return n
		}
	}
	t.Fatalf("%s has no line with // %s", name, mark)
	return 0
}

// delveFrames returns the frames of the goroutine whose stack has function,
// as Delve unwinds them, which for the crashes here it does right.
func delveFrames(t testing.TB, corePath, exe, function string) []proc.Stackframe {
	t.Helper()
	grp, err := core.OpenCore(corePath, exe, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, th := range grp.Selected.ThreadList() {
		var frames []proc.Stackframe
		if g, _ := proc.GetG(th); g != nil {
			frames, _ = proc.GoroutineStacktrace(grp.Selected, g, 50, 0)
		} else {
			frames, _ = proc.ThreadStacktrace(grp.Selected, th, 50)
		}
		for _, f := range frames {
			if f.Call.Fn != nil && f.Call.Fn.Name == function {
				return frames
			}
		}
	}
	t.Fatalf("%s is on no thread's stack", function)
	return nil
}

// frameOf returns the frame of function among frames; the first one is exact.
func frameOf(t testing.TB, frames []proc.Stackframe, function string) Frame {
	t.Helper()
	for _, f := range frames {
		if f.Call.Fn == nil || plainName(f.Call.Fn.Name) != plainName(function) {
			continue
		}
		return Frame{
			Function: function,
			File:     f.Call.File,
			Line:     f.Call.Line,
			PC:       f.Call.PC,
			Call:     f.Call.PC != frames[0].Call.PC,
			Inlined:  f.Inlined,
			SP:       f.Regs.SP(),
			CFA:      uint64(f.Regs.CFA),
			FP:       f.Regs.BP(),
		}
	}
	t.Fatalf("no frame of %s", function)
	return Frame{}
}

// generalRegisters returns the general registers of the topmost frame.
func generalRegisters(f proc.Stackframe) map[int]uint64 {
	g := map[int]uint64{}
	for n := range 17 {
		if r := f.Regs.Reg(uint64(n)); r != nil {
			g[n] = r.Uint64Val
		}
	}
	return g
}
