// Package analyzer reads what a crash has left, a bundle or a core file, and
// says why the process died.
//
// Two engines work on it: corekit's own, which lists and unwinds goroutines as
// the Go runtime would, in stripped programs too; and Delve, which knows types
// and is asked for values only. What one of them cannot do becomes a warning
// in the report, not an error.
package analyzer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/corekit/corekit/analyzer/report"
)

// Options choose how a crash is analysed. The zero value is ready to use.
type Options struct {
	// Exe is the executable that dumped the core. A bundle brings its own; if
	// Exe is set all the same, it is used instead: one with debugging
	// information, say, of the same build.
	Exe string
	// NoValues leaves out arguments and locals, and so Delve.
	NoValues bool
	// Source are directories in which source files are looked for that are not
	// where the compiler saw them.
	Source []string
	// Timeout bounds the reading of values. 0 means 30 s.
	Timeout time.Duration
}

// Error is an analysis that could not be done, with what to do about it.
type Error struct {
	Err  error
	Hint string // may be empty
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func hint(text, format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: text}
}

// ErrNotCrash says that a file is neither a bundle nor a core.
var ErrNotCrash = errors.New("neither a corekit bundle nor a core file")

// ErrMismatch says that a core and an executable do not belong together.
var ErrMismatch = errors.New("core and executable do not belong together")

// Analyze reads the bundle or core file at path and reports on it. The report
// may be partial; its warnings say so. An error is, or wraps, an [*Error].
func Analyze(ctx context.Context, path string, opts Options) (*report.Report, error) {
	in := &input{name: path}
	defer in.close()
	if err := guard("open", func() error { return in.open(opts) }); err != nil {
		return nil, err
	}
	a := &analysis{input: in, opts: opts}
	a.begin()
	if err := a.run(ctx); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, hint("", "%s: %w", path, err)
	}
	a.source()
	a.group()
	a.finish()
	return a.rep, nil
}

// begin makes an empty report.
func (a *analysis) begin() {
	a.rep = &report.Report{
		Schema:     report.Schema,
		Goroutines: []report.Goroutine{},
		Groups:     []report.Group{},
		Warnings:   append([]string{}, a.warnings...),
	}
	a.describe()
}

// run fills in the report from the core or, if that cannot be done, from the
// runtime's own text. A wrong executable is the user's to correct.
func (a *analysis) run(ctx context.Context) error {
	if a.core == nil {
		a.fromText()
		return nil
	}
	err := guard("analysis", func() error { return a.fromCore(ctx) })
	switch {
	case err == nil:
		a.crossCheck()
		if !a.opts.NoValues {
			a.values(ctx)
		}
		return nil
	case a.traceback == "" || a.opts.Exe != "" || errors.Is(err, ErrMismatch) || ctx.Err() != nil:
		return err
	}
	a.begin() // without what the failed attempt has left
	a.warnf("the core cannot be analysed: %v", err)
	if a.fromText(); len(a.rep.Goroutines) == 0 {
		return err
	}
	return nil
}

// finish says whether all could be read of what is there.
func (a *analysis) finish() {
	if err := a.damage.first(); err != nil {
		a.rep.Capture.Complete = false
		a.rep.Capture.Missing = append(a.rep.Capture.Missing, "what is damaged in the bundle")
		a.warnf("the bundle is damaged: %v", err)
	}
	if !a.rep.Capture.Complete && len(a.rep.Warnings) == 0 {
		a.warnf("the capture is incomplete")
	}
}
