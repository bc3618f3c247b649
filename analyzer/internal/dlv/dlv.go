// Package dlv reads the arguments and locals of given frames of a dead Go
// program. It is the only importer of Delve, and its one job is to turn a
// core file, an executable and a frame that somebody else found into values.
//
// It does not know how frames are found, and does not ask Delve to find them:
// Delve is given one frame at a time, with the registers that are known in
// it, and never unwinds. Delve runs in a child process, because a core file it
// does not like makes it panic, hang or eat all memory.
package dlv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/corekit/corekit/analyzer/report"
)

// ErrTimeout says that the child process was killed because it did not finish
// in time.
var ErrTimeout = errors.New("delve did not finish in time")

// ChildError says that the child process that ran Delve died or gave no
// usable answer.
type ChildError struct {
	Panic string // what it panicked with, "" if it did not say
	Err   error  // how it ended
}

func (e *ChildError) Error() string {
	if e.Panic != "" {
		return "delve crashed: " + e.Panic
	}
	return "delve failed: " + e.Err.Error()
}

func (e *ChildError) Unwrap() error { return e.Err }

// OpenError says that Delve refused the core file or the executable.
type OpenError struct {
	Core, Exe string
	Reason    string // in Delve's words
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("delve cannot open core %s of %s: %s", e.Core, e.Exe, e.Reason)
}

// Frame is one logical call frame whose variables are wanted.
type Frame struct {
	Function string // as the Go runtime prints it
	File     string
	Line     int
	PC       uint64
	// Call tells that PC is a return address. It is false in the frame that
	// faulted or was interrupted, where PC is the instruction that was
	// executing.
	Call    bool
	Inlined bool // the code at PC is inlined into its caller
	SP, CFA uint64
	FP      uint64 // the frame pointer register, 0 if it is not known
	// G is what else is known of the general registers, by DWARF register
	// number. A variable in a register that is not here is unreadable.
	G map[int]uint64
}

// Limits bound how much of a value is read and printed. A zero field means
// the default.
type Limits struct {
	MaxString int // bytes of a string, default 128
	MaxArray  int // elements of a slice, array or map, default 16
	MaxFields int // fields of a struct, default 32
	MaxDepth  int // nested structs, slices and maps, default 2
	MaxText   int // bytes of a printed value, default 400
}

// Request says what [Evaluate] is to read.
type Request struct {
	Core   string // a plain ELF core file
	Exe    string // the executable that dumped it, with DWARF
	Frames []Frame
	Limits Limits
	// Timeout bounds the whole evaluation, default 30 s.
	Timeout time.Duration
}

// Values are the variables of one frame. Results of the function are among
// the locals, unless they have no name.
type Values struct {
	Args   []report.Variable
	Locals []report.Variable
	Err    string // why there are none, "" if there are
}

const (
	defaultTimeout = 30 * time.Second
	// maxAnswer bounds what the child may print. With the default limits a
	// frame of 100 variables needs about 50 KiB.
	maxAnswer = 16 << 20
	maxStderr = 64 << 10
)

// Evaluate returns the variables of req.Frames, one Values for each. When it
// fails it returns an error that is, or wraps, [ErrTimeout], a [*ChildError]
// or an [*OpenError], with the values of the frames that it had finished.
func Evaluate(ctx context.Context, req Request) ([]Values, error) {
	if req.Timeout <= 0 {
		req.Timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, req.Timeout, ErrTimeout)
	defer cancel()
	in, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("dlv: encode request: %w", err)
	}
	vals, err := runChild(ctx, in, len(req.Frames))
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // the child died because it was killed
	}
	var oe *OpenError
	if errors.As(err, &oe) {
		oe.Core, oe.Exe = req.Core, req.Exe
	}
	if err != nil {
		err = fmt.Errorf("dlv: evaluate: %w", err)
	}
	return vals, err
}

// runChild hands the request to a new child and collects the values of n
// frames.
func runChild(ctx context.Context, in []byte, n int) ([]Values, error) {
	cmd, err := childCommand(ctx)
	if err != nil {
		return nil, err
	}
	// The pipe stays open after the request: its end tells the child that
	// this process is gone.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, &ChildError{Err: err}
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, &ChildError{Err: err}
	}
	stderr := &limitedBuffer{max: maxStderr}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		return nil, &ChildError{Err: fmt.Errorf("start: %w", err)}
	}
	go stdin.Write(in) // ends at the latest when Wait closes the pipe
	vals, answerErr := readAnswers(stdout, n)
	if answerErr != nil {
		cmd.Cancel()
	}
	waitErr := cmd.Wait()
	var oe *OpenError
	var ce *ChildError
	switch {
	case answerErr == nil:
		return vals, nil
	case errors.As(answerErr, &oe), errors.As(answerErr, &ce):
		return vals, answerErr
	case waitErr == nil:
		waitErr = answerErr
	}
	return vals, &ChildError{Panic: firstPanicLine(stderr.buf.Bytes()), Err: waitErr}
}

// childCommand returns this very program, told to run Delve.
func childCommand(ctx context.Context) (*exec.Cmd, error) {
	exe, err := selfPath()
	if err != nil {
		return nil, &ChildError{Err: err}
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Args = []string{childName}
	cmd.Env = childEnv(os.Environ())
	cmd.WaitDelay = 5 * time.Second // a grandchild could hold the pipes open
	isolate(cmd)
	return cmd, nil
}

// childEnv is the environment of the child: no PATH, where Delve would find
// debuginfod-find and with it the network, and nothing of the user's but what
// Windows needs to start a process.
func childEnv(environ []string) []string {
	env := []string{childMarker + "=1", "PATH=", "GOTRACEBACK=single"}
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if strings.EqualFold(name, "SYSTEMROOT") {
			env = append(env, kv)
		}
	}
	return env
}

// readAnswers reads one answer for each of n frames.
func readAnswers(r io.Reader, n int) ([]Values, error) {
	dec := json.NewDecoder(io.LimitReader(r, maxAnswer))
	vals := make([]Values, 0, min(n, 64))
	for len(vals) < n {
		var a answer
		switch err := dec.Decode(&a); {
		case err != nil:
			return vals, fmt.Errorf("read answer: %w", err)
		case a.Panic != "":
			return vals, &ChildError{Panic: a.Panic, Err: errors.New("panic")}
		case a.Open != "":
			return vals, &OpenError{Reason: a.Open}
		case a.Values == nil:
			return vals, errors.New("read answer: neither values nor an error")
		}
		vals = append(vals, *a.Values)
	}
	return vals, nil
}

// firstPanicLine finds the line in the output of a Go program that says why
// it died.
func firstPanicLine(out []byte) string {
	for line := range bytes.Lines(out) {
		line = bytes.TrimSpace(line)
		for _, p := range []string{"panic: ", "fatal error: ", "runtime: out of memory"} {
			if bytes.HasPrefix(line, []byte(p)) {
				return clip(strings.TrimPrefix(string(line), "panic: "), 300)
			}
		}
	}
	return ""
}

// limitedBuffer keeps the first max bytes written to it and drops the rest.
type limitedBuffer struct {
	buf bytes.Buffer
	max int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if room := b.max - b.buf.Len(); room > 0 {
		b.buf.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}
