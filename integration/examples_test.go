//go:build linux && amd64

package integration

import (
	"strings"
	"testing"

	"github.com/corekit/corekit/analyzer/gotrace"
	"github.com/corekit/corekit/analyzer/report"
)

// TestExamples crashes every example and holds the analysis against what the
// example promises and against what the Go runtime itself printed.
func TestExamples(t *testing.T) {
	for _, e := range examples(t) {
		t.Run(e.name, func(t *testing.T) {
			if e.cgo {
				need(t, "gcc")
			}
			app := build(t, "examples/"+e.name)
			store := t.TempDir()
			// At this level the runtime prints every frame that it has.
			d := spec{argv: []string{app}, send: e.send, store: store, env: append(e.env, "GOTRACEBACK=crash")}.run(t)
			r, status := analyze(t, oneBundle(t, store, d))
			if status != 0 || !r.Capture.Complete || r.Capture.Method != "monitor" {
				t.Errorf("exit status %d, capture %+v, want a complete one by the monitor", status, r.Capture)
			}
			for _, w := range r.Warnings {
				t.Errorf("warning: %s", w)
			}
			e.checkCrash(t, r)
			checkTrace(t, r, d.stderr)
		})
	}
}

func (e example) checkCrash(t *testing.T, r report.Report) {
	t.Helper()
	c := r.Crash
	if c == nil {
		t.Fatal("no crash in the report")
	}
	if string(c.Kind) != e.kind || !strings.Contains(c.Message, e.message) || c.Signal != e.signal {
		t.Errorf("crash is %s %q with signal %q, want %s %q with %q", c.Kind, c.Message, c.Signal, e.kind, e.message, e.signal)
	}
	if e.frame == "none" {
		if c.Frame != nil || c.Goroutine != 0 {
			t.Errorf("goroutine %d, frame %+v, want none", c.Goroutine, c.Frame)
		}
		return
	}
	if c.Frame == nil || c.Frame.Function != e.frame {
		t.Fatalf("faulting frame %+v, want %s", c.Frame, e.frame)
	}
	current := 0
	for _, l := range c.Frame.Source {
		if l.Current && l.Line == c.Frame.Line && strings.TrimSpace(l.Text) != "" {
			current++
		}
	}
	if current != 1 {
		t.Errorf("%d current source lines at %s:%d, want 1", current, c.Frame.File, c.Frame.Line)
	}
}

// checkTrace compares every stack that the runtime printed with the report's,
// function by function and line by line; the crashing goroutine's must be
// among them.
func checkTrace(t *testing.T, r report.Report, text string) {
	t.Helper()
	trace, err := gotrace.Parse(text)
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	ours := map[uint64]report.Goroutine{}
	for _, g := range r.Goroutines {
		ours[g.ID] = g
	}
	seen := false
	for i, g := range trace.Goroutines {
		// The text of very many goroutines is cut off, in the middle of one.
		if i > 1000 && i == len(trace.Goroutines)-1 {
			break
		}
		crashed := g.ID == r.Crash.Goroutine
		// Other goroutines go on while the text is printed; those that wait
		// for good are where they were.
		if g.ID == 0 || g.Unavailable || !crashed && (ours[g.ID].Status != "waiting" || ours[g.ID].WaitReason != g.State) {
			continue
		}
		seen = seen || crashed
		checkStack(t, ours[g.ID], g)
	}
	if !seen && r.Crash.Goroutine != 0 {
		t.Errorf("the runtime did not print goroutine %d:\n%s", r.Crash.Goroutine, text)
	}
}

func checkStack(t *testing.T, ours report.Goroutine, theirs gotrace.Goroutine) {
	t.Helper()
	var frames []report.Frame
	for _, f := range ours.Stack {
		if !f.Native {
			frames = append(frames, f)
		}
	}
	if len(frames) != len(theirs.Frames) || ours.Elided != theirs.Elided {
		t.Errorf("goroutine %d: %d frames and %d elided, the runtime has %d and %d\n%+v\n%+v",
			ours.ID, len(frames), ours.Elided, len(theirs.Frames), theirs.Elided, frames, theirs)
		return
	}
	for i, f := range theirs.Frames {
		if g := frames[i]; g.Function != f.Function || g.File != f.File || g.Line != f.Line {
			t.Errorf("goroutine %d, frame %d: %s at %s:%d, the runtime says %s at %s:%d",
				ours.ID, i, g.Function, g.File, g.Line, f.Function, f.File, f.Line)
		}
	}
}

// TestDeadlockDetector makes sure that nothing of ours keeps the runtime from
// seeing that all goroutines are asleep.
func TestDeadlockDetector(t *testing.T) {
	app := build(t, "examples/deadlock")
	d := spec{argv: []string{app}, store: t.TempDir()}.run(t)
	if !strings.Contains(d.stderr, "all goroutines are asleep - deadlock!") {
		t.Errorf("no deadlock seen:\n%s", d.stderr)
	}
}

// TestSameDeath compares how examples end with and without corekit.
func TestSameDeath(t *testing.T) {
	for _, name := range []string{"nilderef", "deadlock", "mapwrite", "sigquit", "sigabrt"} {
		for _, level := range []string{"", "crash"} {
			t.Run(name+level, func(t *testing.T) {
				e := exampleNamed(t, name)
				s := spec{argv: []string{build(t, "examples/"+name)}, send: e.send, store: t.TempDir(), dir: t.TempDir()}
				// Bare, the kernel writes a core into dir at level crash.
				s.env = append(e.env, "GOTRACEBACK="+level, "COREKIT=off")
				bare := s.run(t)
				s.env = append(e.env, "GOTRACEBACK="+level)
				with := s.run(t)
				if bare.status != with.status {
					t.Errorf("exit status %d, without corekit %d", with.status, bare.status)
				}
				first := func(s string) string { return strings.SplitN(s, "\n", 2)[0] }
				if first(bare.stderr) != first(with.stderr) {
					t.Errorf("first line %q, without corekit %q", first(with.stderr), first(bare.stderr))
				}
			})
		}
	}
}
