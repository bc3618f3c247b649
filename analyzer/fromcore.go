package analyzer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
	"github.com/corekit/corekit/analyzer/internal/image"
	"github.com/corekit/corekit/analyzer/internal/native"
	"github.com/corekit/corekit/analyzer/report"
	"github.com/corekit/corekit/platform/elfcore"
	"github.com/corekit/corekit/sdk/bundle"
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

func (a *analysis) fromCore(ctx context.Context) error {
	if n := a.core.Missing(); n > 0 {
		a.rep.Capture.Complete = false
		a.rep.Capture.Missing = append(a.rep.Capture.Missing, fmt.Sprintf("the end of the core (bytes: %d)", n))
		a.warnf("the core is cut off; bytes missing at its end: %d", n)
	}
	if a.exe == nil {
		if a.bundle != nil && a.bundle.Truncated() {
			return hint(a.exeCommand(), "%s: the bundle is cut off or damaged before its executable", a.name)
		}
		return hint(a.exeCommand(), "%s: the executable is not in the bundle", a.name)
	}
	if err := a.match(); err != nil {
		return err
	}
	err := a.fromProgram(ctx)
	if err != nil && a.exeCut && ctx.Err() == nil {
		return hint(a.exeCommand(), "%s: the executable is cut off: %w", a.name, bundle.ErrTruncated)
	}
	return err
}

// exeCommand is what to run with the executable that the bundle lacks.
func (a *analysis) exeCommand() string {
	return "corekit analyze --exe " + quoteOr(a.rep.Target.Exe, "PROGRAM") + " " + quote(a.name)
}

// fromProgram analyses with a core and an executable that belong together.
func (a *analysis) fromProgram(ctx context.Context) error {
	var err error
	if a.image, err = image.New(a.core, a.exe, a.exeSize, a.input); err != nil {
		return hint("is it the program that crashed? corekit analyze --exe PROGRAM "+quote(a.name), "%w", err)
	}
	for _, path := range a.image.Lacks() {
		a.warnf("%s was mapped, but is not at hand", path)
	}
	threads, err := a.threads()
	if err != nil {
		return hint("see what is in it: readelf -n CORE", "%s: %w", a.name, err)
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
		return hint("corekit analyses Go programs; for others: gdb "+quoteOr(a.exePath, "PROGRAM")+" CORE", "%s: %w", a.name, err)
	}
	return a.read(ctx, p)
}

func (a *analysis) match() error {
	err := image.Match(a.core, a.exe)
	var mismatch *image.MismatchError
	switch {
	case err == nil:
	case errors.As(err, &mismatch):
		return hint("give the very build that crashed: corekit analyze --exe PROGRAM "+quote(a.name), "%w", mismatched{mismatch})
	case errors.Is(err, image.ErrUnverified):
		a.warnf("whether core and executable belong together could not be checked: %v", err)
	default:
		return hint("--exe takes the program that crashed: corekit analyze --exe PROGRAM "+quote(a.name), "%s: %w", quoteOr(a.exePath, a.name), err)
	}
	return nil
}

// mismatched says what differs, and is an [ErrMismatch].
type mismatched struct{ *image.MismatchError }

func (mismatched) Is(target error) bool { return target == ErrMismatch }

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
func (a *analysis) read(ctx context.Context, p *goruntime.Process) error {
	a.rep.Target.GoVersion = p.GoVersion()
	err := guard("crash", func() (err error) {
		a.crash, err = p.Crash()
		return err
	})
	if err != nil {
		a.warnf("why the program crashed could not be read: %v", err)
	}
	gs, err := p.Goroutines()
	if err != nil {
		return hint("is there another core of it? "+listCommand(a.name), "%s: list goroutines: %w", a.name, err)
	}
	var failed failures
	for _, g := range gs {
		if ctx.Err() != nil {
			return hint("", "%s: %w", a.name, ctx.Err())
		}
		var st goruntime.Stack
		if c := a.crash; c != nil && g.ID == c.Goroutine && len(c.Stack.Frames) > 0 {
			st = c.Stack
		} else {
			failed.add(g.ID, guard("stack", func() (err error) {
				st, err = p.Stack(g)
				return err
			}))
		}
		a.rep.Goroutines = append(a.rep.Goroutines, goroutine(g, st))
	}
	failed.warn(a)
	a.addCrash()
	for _, w := range p.Warnings() {
		a.warnf("%s", w)
	}
	return nil
}

// maxFailures is how many stacks that could not be read are named; in a
// damaged core it may be all of them.
const maxFailures = 5

// failures are stacks that could not be read.
type failures struct {
	n     int
	first []string
}

func (f *failures) add(id uint64, err error) {
	if err == nil {
		return
	}
	if f.n++; f.n <= maxFailures {
		f.first = append(f.first, fmt.Sprintf("stack of goroutine %d: %v", id, err))
	}
}

func (f *failures) warn(a *analysis) {
	a.rep.Warnings = append(a.rep.Warnings, f.first...)
	if f.n > maxFailures {
		a.warnf("stacks that could not be read either: %d", f.n-maxFailures)
	}
}
