package sdk

import (
	"errors"
	"fmt"
	"os"
)

// ErrOff is what [Recorder.Err] reports if the environment says COREKIT=off.
var ErrOff = errors.New("turned off by COREKIT=off")

// ArmError says which step of [Start] failed, and what to do about it.
type ArmError struct {
	Step string // "directory", "monitor", "crash hook", "core limit", …
	Err  error
	Hint string // may be empty
}

func (e *ArmError) Error() string { return e.Step + ": " + e.Err.Error() }

// Unwrap returns the step's own error.
func (e *ArmError) Unwrap() error { return e.Err }

func (r *Recorder) fail(step string, err error, hint string) {
	r.err = errors.Join(r.err, &ArmError{Step: step, Err: err, Hint: hint})
}

type panicError struct{ value any }

func (e panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// complain prints a line to standard error: the one thing that this package
// ever prints in the program's own name.
func complain(line string) { os.Stderr.WriteString("corekit: " + line + "\n") }
