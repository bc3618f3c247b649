//go:build linux && amd64

package goruntime_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/corekit/corekit/analyzer/gotrace"
	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// scenario is one way to die and what is to be found out about it.
type scenario struct {
	name    string // argument of testdata/crash or testdata/cgocrash
	cgo     bool
	signal  syscall.Signal // sent once the program says that it is ready
	kind    string
	message string
	fault   string // function of the faulting frame, "" if there is none
	sig     string
	none    bool // no goroutine
}

var scenarios = []scenario{
	{name: "nil-leaf", kind: "panic", message: nilDeref, fault: "main.leaf", sig: "SIGSEGV"},
	{name: "nil-inline", kind: "panic", message: nilDeref, fault: "main.inlined", sig: "SIGSEGV"},
	{name: "nil-inline2", kind: "panic", message: nilDeref, fault: "main.inlined", sig: "SIGSEGV"},
	{name: "nil-func", kind: "panic", message: nilDeref, fault: "main.callNil", sig: "SIGSEGV"},
	{name: "nil-method", kind: "panic", message: nilDeref, fault: "main.nilMethod", sig: "SIGSEGV"},
	{name: "nil-wrapper", kind: "panic", message: "value method main.val.get called using nil *val pointer", fault: "main.callGetter"},
	{name: "nil-iface", kind: "panic", message: nilDeref, fault: "main.nilInterface", sig: "SIGSEGV"},
	{name: "nil-map", kind: "panic", message: "assignment to entry in nil map", fault: "main.nilMap"},
	{name: "memmove", kind: "panic", message: nilDeref, fault: "main.badCopy", sig: "SIGSEGV"},
	{name: "index", kind: "panic", message: "runtime error: index out of range [5] with length 2", fault: "main.index"},
	{name: "divide", kind: "panic", message: "runtime error: integer divide by zero", fault: "main.divide"},
	{name: "error", kind: "panic", message: "code 42: no\n\tsuch thing", fault: "main.init.func7"},
	{name: "stringer", kind: "panic", message: "level ***", fault: "main.init.func8"},
	{name: "string", kind: "panic", message: "two\n\tlines", fault: "main.init.func9"},
	{name: "type-string", kind: "panic", message: `main.plain("x")`, fault: "main.init.func10"},
	{name: "type-int", kind: "panic", message: "main.number(-7)", fault: "main.init.func11"},
	{name: "type-float", kind: "panic", message: "main.ratio(1.5)", fault: "main.init.func12"},
	{name: "complex", kind: "panic", message: "(1-2i)", fault: "main.init.func13"},
	{name: "bool", kind: "panic", message: "true", fault: "main.init.func14"},
	{name: "uint8", kind: "panic", message: "200", fault: "main.init.func15"},
	{name: "struct", kind: "panic", message: "(main.point) 0x", fault: "main.init.func16"},
	{name: "pointer", kind: "panic", message: "(*main.point) 0x", fault: "main.init.func17"},
	{name: "goroutine", kind: "panic", message: "one of many", fault: "main.init.func18.1"},
	{name: "repanic", kind: "panic", message: "again", fault: "main.repanic.func1"},
	{name: "repanic-other", kind: "panic", message: "second after runtime error: index out of range [1] with length 0", fault: "main.repanicOther.func1"},
	{name: "recovered", kind: "panic", message: "wrapped: EOF", fault: "main.recovered"},
	{name: "defer", kind: "panic", message: "runtime error: index out of range [7] with length 0", fault: "main.index"},
	{name: "goexit", kind: "panic", message: "in goexit", fault: "main.goexitPanic.func1.1"},
	{name: "map-write", kind: "fatal", message: "concurrent map writes", fault: "main.writeMap"},
	{name: "unlock", kind: "fatal", message: "sync: unlock of unlocked mutex", fault: "internal/sync.(*Mutex).unlockSlow"},
	{name: "deadlock", kind: "fatal", message: "all goroutines are asleep - deadlock!", none: true},
	{name: "deadlock-exit", kind: "fatal", message: "no goroutines (main called runtime.Goexit) - deadlock!", none: true},
	{name: "overflow", kind: "fatal", message: "stack overflow", fault: "main.overflow"},
	{name: "deep", kind: "panic", message: "bottom", fault: "main.deep"},
	{name: "fault", kind: "fatal", message: "fault", fault: "main.fault", sig: "SIGSEGV"},
	{name: "closed", kind: "panic", message: "close of closed channel", fault: "main.closed"},
	{name: "assertion", kind: "panic", message: "interface conversion: interface {} is string, not int", fault: "main.assertion"},
	{name: "mixed", kind: "panic", message: "mixed", fault: "main.mixed"},
	{name: "finalizer", kind: "panic", message: "in finalizer", fault: "main.finalizer.func1"},
	{name: "sort", kind: "panic", message: "runtime error: index out of range [", fault: "main.inSort.func1"},
	{name: "reflect", kind: "panic", message: "runtime error: index out of range [3] with length 0", fault: "main.index"},
	{name: "spin", signal: syscall.SIGQUIT, kind: "signal", message: "SIGQUIT: quit", sig: "SIGQUIT", fault: "*"},
	{name: "spin-systems", signal: syscall.SIGQUIT, kind: "signal", message: "SIGQUIT: quit", sig: "SIGQUIT", fault: "*"},
	{name: "idle", signal: syscall.SIGQUIT, kind: "signal", message: "SIGQUIT: quit", sig: "SIGQUIT", none: true},
	{name: "idle-timer", signal: syscall.SIGABRT, kind: "signal", message: "SIGABRT: abort", sig: "SIGABRT", none: true},
	{name: "clock", signal: syscall.SIGQUIT, kind: "signal", message: "SIGQUIT: quit", sig: "SIGQUIT", fault: "*"},
	{name: "syscall", signal: syscall.SIGQUIT, kind: "signal", message: "SIGQUIT: quit", sig: "SIGQUIT", fault: "*"},
	{name: "self-abort", kind: "signal", message: "SIGABRT: abort", sig: "SIGABRT", fault: "*"},
	{name: "two", kind: "panic", message: "runtime error: index out of range [2] with length 0", fault: "main.index"},
	{name: "array", kind: "panic", message: "runtime error: index out of range [11] with length 10", fault: "main.index"},
	{name: "labels", kind: "panic", message: "labelled", fault: "main.labelled.func1"},

	{name: "fault", cgo: true, kind: "signal", message: "SIGSEGV: segmentation violation", sig: "SIGSEGV", fault: "non-Go function"},
	{name: "abort", cgo: true, kind: "signal", message: "SIGABRT: abort", sig: "SIGABRT", fault: "non-Go function"},
	{name: "callback", cgo: true, kind: "panic", message: nilDeref, fault: "main.leaf", sig: "SIGSEGV"},
	{name: "nested", cgo: true, kind: "panic", message: nilDeref, fault: "main.leaf", sig: "SIGSEGV"},
	{name: "thread", cgo: true, kind: "panic", message: nilDeref, fault: "main.leaf", sig: "SIGSEGV"},
	{name: "sleep", cgo: true, kind: "panic", message: "others sleep in C", fault: "main.init.func6"},
	{name: "spin", cgo: true, signal: syscall.SIGQUIT, kind: "signal", message: "SIGQUIT: quit", sig: "SIGQUIT", fault: "*"},
	{name: "nil", cgo: true, kind: "panic", message: nilDeref, fault: "main.leaf", sig: "SIGSEGV"},
}

const nilDeref = "runtime error: invalid memory address or nil pointer dereference"

// builds are the ways to build the programs.
var builds = []struct {
	name string
	args []string
}{
	{"default", nil},
	{"stripped", []string{"-ldflags=-s -w"}},
	{"pie", []string{"-buildmode=pie"}},
	{"pie-stripped", []string{"-buildmode=pie", "-ldflags=-s -w"}},
	{"noopt", []string{"-gcflags=all=-N -l"}},
}

// unmet skips the test because of the machine, unless the environment says
// that nothing may be missing.
func unmet(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// buildProgram builds one of the programs in testdata.
func buildProgram(t testing.TB, dir string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		unmet(t, "no go command")
	}
	if dir == "cgocrash" {
		if _, err := exec.LookPath("gcc"); err != nil {
			unmet(t, "no C compiler")
		}
	}
	exe := filepath.Join(t.TempDir(), dir)
	cmd := exec.Command("go", append(append([]string{"build", "-o", exe}, args...), ".")...)
	cmd.Dir = filepath.Join("testdata", dir)
	if dir == "cgocrash" {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
}

// dieWithCore runs the program until it dies, and returns what it printed and
// the core that the kernel wrote.
func dieWithCore(t testing.TB, exe string, sc scenario) (text, core string) {
	t.Helper()
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil || bytes.ContainsAny(pattern, "|/@%") {
		unmet(t, "the kernel's core_pattern is not a plain file name")
	}
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &lim); err != nil || lim.Max < 1<<32 {
		unmet(t, "the hard limit for cores is too low")
	}
	dir := t.TempDir()
	// The limit is inherited; prlimit(1) is not everywhere.
	cmd := exec.Command("/bin/sh", "-c", `ulimit -c unlimited; exec "$0" "$1"`, exe, sc.name)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOTRACEBACK=crash")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(60*time.Second, func() { cmd.Process.Kill() })
	defer kill.Stop()
	if sc.signal != 0 {
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			t.Fatalf("waiting for the program: %v\n%s", err, stderr.String())
		}
		time.Sleep(30 * time.Millisecond)
		cmd.Process.Signal(sc.signal)
	}
	io.Copy(io.Discard, stdout)
	cmd.Wait()
	cores, _ := filepath.Glob(filepath.Join(dir, "core*"))
	if len(cores) != 1 {
		t.Fatalf("%d cores; the program said:\n%s", len(cores), stderr.String())
	}
	return stderr.String(), cores[0]
}

// score counts goroutines whose stack is what the runtime printed.
type score struct {
	mu            sync.Mutex
	agreed, total int
}

func (s *score) add(agreed, total int) {
	s.mu.Lock()
	s.agreed += agreed
	s.total += total
	s.mu.Unlock()
}

func TestCores(t *testing.T) {
	var all score
	for _, b := range builds {
		if testing.Short() && b.name != "stripped" {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			var sum score
			exe := buildProgram(t, "crash", b.args...)
			cgo := buildProgram(t, "cgocrash", b.args...)
			for _, sc := range scenarios {
				name := sc.name
				file := exe
				if sc.cgo {
					name, file = "cgo-"+name, cgo
				}
				t.Run(name, func(t *testing.T) {
					text, core := dieWithCore(t, file, sc)
					p, err := goruntime.Open(openCore(t, core, file))
					os.Remove(core)
					if err != nil {
						t.Fatal(err)
					}
					check(t, p, sc, text, &sum)
				})
			}
			t.Logf("%d of %d goroutines agree with the runtime's text", sum.agreed, sum.total)
			all.add(sum.agreed, sum.total)
		})
	}
	t.Logf("%d of %d goroutines agree with the runtime's text", all.agreed, all.total)
}

// check compares everything with the runtime's own text.
func check(t *testing.T, p *goruntime.Process, sc scenario, text string, sum *score) {
	t.Helper()
	trace, err := gotrace.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, w := range p.Warnings() {
		t.Errorf("warning: %s", w)
	}
	gs, err := p.Goroutines()
	if err != nil {
		t.Fatal(err)
	}
	byID := make(map[uint64]goruntime.Goroutine)
	for _, g := range gs {
		byID[g.ID] = g
	}
	agreed, total := 0, 0
	for i := range trace.Goroutines {
		want := &trace.Goroutines[i]
		if want.ID == 0 || want.Unavailable {
			continue
		}
		total++
		g, ok := byID[want.ID]
		if !ok {
			t.Errorf("goroutine %d [%s] is missing", want.ID, want.Header)
			continue
		}
		s, err := p.Stack(g)
		if err != nil {
			t.Errorf("goroutine %d: %v", g.ID, err)
			continue
		}
		if diff := compare(want, g, s); diff != "" {
			t.Errorf("goroutine %d [%s]: %s", g.ID, want.Header, diff)
			continue
		}
		agreed++
	}
	sum.add(agreed, total)
	checkCrash(t, p, sc, text, trace)
}

// compare returns how a goroutine differs from the runtime's text.
func compare(want *gotrace.Goroutine, g goruntime.Goroutine, s goruntime.Stack) string {
	native := 0
	for native < len(s.Frames) && s.Frames[native].Native {
		native++ // the runtime does not print these
	}
	frames := s.Frames[native:]
	var b strings.Builder
	if s.Elided != want.Elided || s.Elided > 0 && s.ElidedAt != want.ElidedAt {
		fmt.Fprintf(&b, "elided %d at %d, want %d at %d\n", s.Elided, s.ElidedAt, want.Elided, want.ElidedAt)
	}
	same := len(frames) == len(want.Frames)
	for i := 0; same && i < len(frames); i++ {
		f, w := frames[i], want.Frames[i]
		same = f.Function == w.Function && f.File == w.File && f.Line == w.Line
	}
	if !same {
		b.WriteString("stack\n")
		for _, f := range frames {
			fmt.Fprintf(&b, "\t%s %s:%d\n", f.Function, f.File, f.Line)
		}
		b.WriteString("want\n")
		for _, f := range want.Frames {
			fmt.Fprintf(&b, "\t%s %s:%d\n", f.Function, f.File, f.Line)
		}
	}
	switch c, w := g.CreatedBy, want.CreatedBy; {
	case c == nil && w == nil:
	case c == nil || w == nil || c.Function != w.Function || c.File != w.File || c.Line != w.Line:
		fmt.Fprintf(&b, "created by %+v, want %+v\n", c, w)
	}
	if want.Parent != 0 && g.ParentID != want.Parent {
		fmt.Fprintf(&b, "parent %d, want %d\n", g.ParentID, want.Parent)
	}
	state := g.Status
	if g.WaitReason != "" {
		state = g.WaitReason
	}
	if wstate, _, _ := strings.Cut(want.State, " (scan)"); state != wstate {
		fmt.Fprintf(&b, "state %q, want %q\n", state, want.State)
	}
	return b.String()
}

func checkCrash(t *testing.T, p *goruntime.Process, sc scenario, text string, trace *gotrace.Trace) {
	t.Helper()
	c, err := p.Crash()
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind != sc.kind {
		t.Errorf("kind is %q, want %q", c.Kind, sc.kind)
	}
	if exact := sc.message != "" && !strings.HasSuffix(sc.message, "0x") && !strings.HasSuffix(sc.message, "["); exact && c.Message != sc.message || !strings.HasPrefix(c.Message, sc.message) {
		t.Errorf("message is %q, want %q", c.Message, sc.message)
	}
	if prefix := map[string]string{"panic": "panic: ", "fatal": "fatal error: "}[c.Kind]; !strings.Contains(text, prefix+c.Message) {
		t.Errorf("the runtime did not print %q", prefix+c.Message)
	}
	if c.Signal != sc.sig && c.Signal != "SIGFPE" {
		t.Errorf("signal is %q, want %q", c.Signal, sc.sig)
	}
	fault := ""
	if c.Fault >= 0 {
		fault = c.Stack.Frames[c.Fault].Function
	}
	if sc.fault != "*" && fault != sc.fault {
		t.Errorf("faulting frame is %q, want %q", fault, sc.fault)
	}
	if sc.none && c.Goroutine != 0 {
		t.Errorf("goroutine is %d, want none", c.Goroutine)
	}
	first := trace.Goroutines[0]
	if first.Runtime && len(trace.Goroutines) > 1 && !sc.none {
		first = trace.Goroutines[1]
	}
	if first.ID != c.Goroutine && !(sc.none || first.ID == 0) {
		t.Errorf("goroutine is %d, but the runtime printed %d first", c.Goroutine, first.ID)
	}
	if t.Failed() {
		for i, f := range c.Stack.Frames {
			t.Logf("%2d %s %s:%d", i, f.Function, f.File, f.Line)
		}
	}
}
