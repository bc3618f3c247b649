package analyzer

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/corekit/corekit/analyzer/internal/dlv"
	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// values asks Delve for the arguments and locals of the faulting frame.
func (a *analysis) values(ctx context.Context) {
	c := a.crash
	if a.rep.Crash == nil || a.rep.Crash.Frame == nil || c == nil || c.Stack.Frames[c.Fault].Native {
		return
	}
	if err := a.evaluate(ctx); err != nil {
		a.warnf("no arguments and locals: %v", err)
	}
}

func (a *analysis) evaluate(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "corekit-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	core, err := a.sparseCore(dir)
	if err != nil {
		return err
	}
	exe := a.exePath
	if exe == "" {
		if exe, err = a.extractExe(dir); err != nil {
			return err
		}
	}
	vals, err := dlv.Evaluate(ctx, dlv.Request{
		Core: core, Exe: exe, Timeout: a.opts.Timeout,
		Frames: []dlv.Frame{a.delveFrame(a.crash.Stack, a.crash.Fault)},
	})
	if len(vals) == 1 {
		f := a.rep.Crash.Frame
		f.Args, f.Locals = vals[0].Args, vals[0].Locals
		if err == nil && vals[0].Err != "" {
			err = fmt.Errorf("%s", vals[0].Err)
		}
	}
	return err
}

// delveFrame describes a frame to Delve. Its pc is a return address unless the
// frame faulted, was interrupted or is the innermost.
func (a *analysis) delveFrame(st goruntime.Stack, i int) dlv.Frame {
	f := st.Frames[i]
	return dlv.Frame{
		Function: f.Function, File: f.File, Line: f.Line, PC: f.PC, Inlined: f.Inlined,
		Call: !f.Exact, SP: f.SP, CFA: f.CFA, FP: f.Regs.FP, G: f.Regs.G,
	}
}

func (a *analysis) sparseCore(dir string) (path string, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "core"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	return f.Name(), a.image.WriteSparse(f, a.rep.Crash.Thread)
}

// extractExe copies the bundle's executable to a file that nobody can run.
func (a *analysis) extractExe(dir string) (path string, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "exe"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o400)
	if err != nil {
		return "", err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	_, err = io.Copy(f, io.NewSectionReader(a.exe, 0, a.exeSize))
	return f.Name(), err
}
