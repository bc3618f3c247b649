package analyzer

import (
	"debug/elf"
	"fmt"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
	"github.com/corekit/corekit/analyzer/report"
)

// regs picks out what unwinding needs of the general registers, by their DWARF
// numbers.
func regs(m elf.Machine, g map[int]uint64) goruntime.Regs {
	if m == elf.EM_AARCH64 {
		return goruntime.Regs{PC: g[32], SP: g[31], FP: g[29], LR: g[30], G: g}
	}
	return goruntime.Regs{PC: g[16], SP: g[7], FP: g[6], G: g}
}

func goroutine(g goruntime.Goroutine, st goruntime.Stack) report.Goroutine {
	r := report.Goroutine{
		ID: g.ID, Status: g.Status, WaitReason: g.WaitReason, WaitSeconds: float64(g.Wait) / 1e9,
		Thread: g.TID, System: g.System, Labels: g.Labels, Parent: g.ParentID,
		Stack: frames(st.Frames), Elided: st.Elided, ElidedAt: st.ElidedAt,
	}
	if g.CreatedBy != nil {
		loc := location(*g.CreatedBy)
		r.CreatedBy = &loc
	}
	return r
}

func location(f goruntime.Frame) report.Location {
	return report.Location{Function: f.Function, File: f.File, Line: f.Line}
}

func frames(in []goruntime.Frame) []report.Frame {
	out := make([]report.Frame, len(in))
	for i, f := range in {
		out[i] = report.Frame{Location: location(f), PC: f.PC, Inlined: f.Inlined, Native: f.Native}
	}
	return out
}

// addCrash puts what the engine found out about the crash into the report.
func (a *analysis) addCrash() {
	c := a.crash
	if c == nil || c.Kind == "" {
		a.rep.Crash = &report.Crash{Kind: report.KindSnapshot}
		if a.man == nil || a.man.Reason != "snapshot" {
			a.warnf("nothing in the core says that the program crashed")
		}
		return
	}
	r := &report.Crash{
		Kind: report.Kind(c.Kind), Message: c.Message, Signal: c.Signal,
		Goroutine: c.Goroutine, Thread: c.TID,
	}
	if c.HasAddr {
		r.Address = fmt.Sprintf("%#x", c.Address)
	}
	for _, p := range c.Panics {
		r.Panics = append(r.Panics, report.Panic{Value: p.Value, Recovered: p.Recovered, Goexit: p.Goexit})
	}
	if c.Fault >= 0 && c.Fault < len(c.Stack.Frames) {
		r.Frame = &frames(c.Stack.Frames[c.Fault : c.Fault+1])[0]
	}
	a.rep.Crash = r
}
