package analyzer

import (
	"fmt"
	"runtime"
	"strings"
)

// bug is a panic in corekit itself.
type bug struct {
	during string
	value  any
	at     string // file:line, "" if unknown
}

func (b *bug) Error() string {
	s := fmt.Sprintf("%s: a bug in corekit: %v", b.during, b.value)
	if b.at != "" {
		s += " (" + b.at + ")"
	}
	return s
}

// guard calls f and turns a panic into an error. Nothing that a file says may
// make corekit panic, and what does is a bug to be fixed where it is; but
// until it is, it shall not cost the user the rest of the report.
func guard(during string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Error{
				Err:  &bug{during, v, panicked()},
				Hint: "please report it, with this message and the output of: corekit version",
			}
		}
	}()
	return f()
}

// panicked returns where the panic that is being recovered from began.
func panicked() string {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	seen := false
	for {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		if seen && !inRuntime {
			return fmt.Sprintf("%s, %s:%d", f.Function, f.File, f.Line)
		}
		seen = seen || inRuntime
		if !more {
			return ""
		}
	}
}
