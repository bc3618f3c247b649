package analyzer

import (
	"regexp"
	"slices"
	"strings"

	"github.com/corekit/corekit/analyzer/gotrace"
	"github.com/corekit/corekit/analyzer/report"
)

// fromText reports on a bundle whose core is missing or of no use: from what
// the runtime said.
func (a *analysis) fromText() {
	if a.core == nil {
		a.warnf("there is no core")
	}
	a.warnf("what follows is from the runtime's own text")
	a.rep.Capture.Complete = false
	t, err := gotrace.Parse(a.traceback)
	if err != nil {
		a.warnf("the text ends before the first stack")
	}
	for _, g := range t.Goroutines {
		if !g.Runtime {
			a.rep.Goroutines = append(a.rep.Goroutines, fromTrace(g))
		}
	}
	a.rep.Crash = crashFromText(t, a.traceback)
}

func fromTrace(g gotrace.Goroutine) report.Goroutine {
	r := report.Goroutine{ID: g.ID, Status: "waiting", WaitReason: g.State, Parent: g.Parent, Elided: g.Elided, ElidedAt: g.ElidedAt}
	if slices.Contains([]string{"running", "runnable", "syscall", "idle"}, g.State) {
		r.Status, r.WaitReason = g.State, ""
	}
	if c := g.CreatedBy; c != nil {
		r.CreatedBy = &report.Location{Function: c.Function, File: c.File, Line: c.Line}
	}
	r.Stack = []report.Frame{}
	for _, f := range g.Frames {
		r.Stack = append(r.Stack, report.Frame{Location: report.Location{Function: f.Function, File: f.File, Line: f.Line}})
	}
	return r
}

var signalLine = regexp.MustCompile(`(?m)^\[signal (SIG[A-Z]+).* addr=(0x[0-9a-f]+)`)

func crashFromText(t *gotrace.Trace, text string) *report.Crash {
	c := &report.Crash{Kind: report.KindFatal}
	for _, m := range t.Messages {
		if s, ok := strings.CutPrefix(strings.TrimLeft(m, "\t"), "panic: "); ok {
			c.Kind, c.Message = report.KindPanic, s
		} else if s, ok := strings.CutPrefix(m, "fatal error: "); ok {
			c.Message = s
		} else if strings.HasPrefix(m, "SIG") {
			c.Kind, c.Message = report.KindSignal, m
			c.Signal, _, _ = strings.Cut(m, ":")
		}
	}
	if m := signalLine.FindStringSubmatch(text); m != nil {
		c.Signal, c.Address = m[1], m[2]
	}
	if c.Message == "" && len(t.Goroutines) == 0 {
		return nil
	}
	for _, g := range t.Goroutines {
		if g.State != "running" || g.ID == 0 {
			continue
		}
		c.Goroutine = g.ID
		frames := fromTrace(g).Stack
		for i := range frames {
			if fn := frames[i].Function; fn != "panic" && !strings.HasPrefix(fn, "runtime.") && !strings.HasPrefix(fn, "internal/runtime/") {
				c.Frame = &frames[i]
				return c
			}
		}
		return c
	}
	return c
}

// crossCheck compares what the engine found with what the runtime printed: the
// crashing goroutine's stack must be the same, frame by frame.
func (a *analysis) crossCheck() {
	if a.traceback == "" || a.rep.Crash == nil || a.rep.Crash.Goroutine == 0 {
		return
	}
	t, err := gotrace.Parse(a.traceback)
	if err != nil {
		return
	}
	i := slices.IndexFunc(t.Goroutines, func(g gotrace.Goroutine) bool { return g.ID == a.rep.Crash.Goroutine })
	j := slices.IndexFunc(a.rep.Goroutines, func(g report.Goroutine) bool { return g.ID == a.rep.Crash.Goroutine })
	if i < 0 || t.Goroutines[i].Unavailable {
		return
	}
	if j < 0 {
		a.warnf("goroutine %d, which the runtime says crashed, was not found in the core", a.rep.Crash.Goroutine)
		return
	}
	theirs := t.Goroutines[i]
	var ours []report.Frame
	for _, f := range a.rep.Goroutines[j].Stack {
		if !f.Native {
			ours = append(ours, f)
		}
	}
	// The text may be cut off; what there is of it must agree.
	cut := i == len(t.Goroutines)-1 && theirs.CreatedBy == nil
	for k, f := range theirs.Frames {
		if k >= len(ours) || ours[k].Function != f.Function || ours[k].File != f.File || ours[k].Line != f.Line {
			if cut && k == len(theirs.Frames)-1 {
				return
			}
			a.warnf("the runtime's own traceback differs at frame %d: it says %s at %s:%d", k, f.Function, f.File, f.Line)
			return
		}
	}
	if !cut && len(ours) > len(theirs.Frames) {
		a.warnf("the runtime's own traceback has %d frames, the core %d", len(theirs.Frames), len(ours))
	}
}
