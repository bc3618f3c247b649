package analyzer

import (
	"errors"
	"fmt"
	"io"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
	"github.com/corekit/corekit/analyzer/internal/image"
	"github.com/corekit/corekit/analyzer/internal/native"
	"github.com/corekit/corekit/analyzer/report"
	"github.com/corekit/corekit/platform/elfcore"
)

// analysis is one run of Analyze.
type analysis struct {
	*input
	opts Options
	rep  *report.Report

	image *image.Image
	crash *goruntime.Crash
}

func (a *analysis) warnf(format string, args ...any) {
	a.rep.Warnings = append(a.rep.Warnings, fmt.Sprintf(format, args...))
}

func (a *analysis) fromCore() error {
	if n := a.core.Missing(); n > 0 {
		a.rep.Capture.Complete = false
		a.rep.Capture.Missing = append(a.rep.Capture.Missing, fmt.Sprintf("the last %d bytes of the core", n))
		a.warnf("the core is cut off: %d bytes are missing at its end", n)
	}
	if a.exe == nil {
		return hint("corekit analyze --exe PROGRAM BUNDLE", "the executable is missing")
	}
	if err := a.match(); err != nil {
		return err
	}
	var err error
	if a.image, err = image.New(a.core, a.exe, a.exeSize, a.input); err != nil {
		return hint("is it the program that crashed?", "%w", err)
	}
	for _, path := range a.image.Lacks() {
		a.warnf("%s was mapped, but is not at hand", path)
	}
	threads, err := a.threads()
	if err != nil {
		return hint("", "%w", err)
	}
	in := goruntime.Input{
		Machine: a.core.Machine, Mem: a.image, Exe: io.NewSectionReader(a.exe, 0, a.exeSize),
		Bias: a.image.Bias(), Threads: threads, Siginfo: a.core.Siginfo,
		Native: native.New(modules{a.image}, a.image, a.core.Machine),
	}
	if a.man != nil {
		in.Now = a.man.MonotonicNS
	}
	p, err := goruntime.Open(in)
	if err != nil {
		return hint("corekit analyses Go programs; for others use gdb", "%w", err)
	}
	return a.read(p)
}

func (a *analysis) match() error {
	err := image.Match(a.core, a.exe)
	var mismatch *image.MismatchError
	switch {
	case err == nil:
	case errors.As(err, &mismatch):
		return hint("give the executable that crashed with --exe; it must be the same build", "%w: %w", ErrMismatch, err)
	case errors.Is(err, image.ErrUnverified):
		a.warnf("whether core and executable belong together could not be checked: %v", err)
	default:
		return hint("--exe takes the program that crashed", "%w", err)
	}
	return nil
}

func (a *analysis) threads() ([]goruntime.Thread, error) {
	out := make([]goruntime.Thread, 0, len(a.core.Threads))
	for _, t := range a.core.Threads {
		g, err := elfcore.GeneralRegisters(a.core.Machine, t.Regs)
		if err != nil {
			return nil, err
		}
		out = append(out, goruntime.Thread{TID: t.TID, Signal: t.Signal, Regs: regs(a.core.Machine, g)})
	}
	return out, nil
}

// modules lets the native unwinder find ELF files in the image.
type modules struct{ im *image.Image }

func (m modules) ModuleAt(pc uint64) (native.Module, bool) {
	o, err := m.im.ObjectAt(pc)
	if err != nil {
		return native.Module{}, false
	}
	return native.Module{Path: o.Path, File: o.File, Bias: o.Bias}, true
}

// read asks the engine for everything.
func (a *analysis) read(p *goruntime.Process) error {
	a.rep.Target.GoVersion = p.GoVersion()
	crash, err := p.Crash()
	if err != nil {
		a.warnf("why the program crashed could not be read: %v", err)
	}
	a.crash = crash
	gs, err := p.Goroutines()
	if err != nil {
		return hint("", "list goroutines: %w", err)
	}
	for _, g := range gs {
		var st goruntime.Stack
		if crash != nil && g.ID == crash.Goroutine && len(crash.Stack.Frames) > 0 {
			st = crash.Stack
		} else if st, err = p.Stack(g); err != nil {
			a.warnf("stack of goroutine %d: %v", g.ID, err)
		}
		a.rep.Goroutines = append(a.rep.Goroutines, goroutine(g, st))
	}
	a.addCrash()
	for _, w := range p.Warnings() {
		a.warnf("%s", w)
	}
	return nil
}
