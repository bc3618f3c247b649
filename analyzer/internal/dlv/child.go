package dlv

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// The child is this program, started with a variable in its environment and a
// name that no shell gives to it. Either alone does nothing, so that the
// variable may leak into somebody's environment.
const (
	childMarker = "COREKIT_DELVE_CHILD"
	childName   = "corekit: reading variables"
)

// maxChildMemory bounds the child's heap. Delve needs about 200 MiB for an
// executable with 20 MiB of DWARF.
const maxChildMemory = 3 << 30

// answer is what the child prints for each frame, as JSON.
type answer struct {
	Values *Values `json:",omitempty"`
	Open   string  `json:",omitempty"` // the core cannot be opened; the last answer
	Panic  string  `json:",omitempty"` // Delve panicked; the last answer
}

// init takes the process over if it is a child. It runs before main and
// before the test harness, whatever program this package is linked into.
func init() {
	if os.Getenv(childMarker) != "1" || len(os.Args) != 1 || os.Args[0] != childName {
		return
	}
	os.Exit(childMain(os.Stdin, os.Stdout))
}

// childMain serves one request.
func childMain(in io.Reader, out io.Writer) int {
	debug.SetMemoryLimit(maxChildMemory * 3 / 4)
	limitResources(maxChildMemory)
	r := bufio.NewReader(in)
	dec := json.NewDecoder(r)
	var req Request
	if err := dec.Decode(&req); err != nil {
		fmt.Fprintf(os.Stderr, "read request: %v\n", err)
		return 1
	}
	go func() { // do not outlive the parent
		io.Copy(io.Discard, r)
		os.Exit(1)
	}()
	enc := json.NewEncoder(out)
	err := evaluateInProcess(req, func(v Values) error {
		return enc.Encode(answer{Values: &v})
	})
	switch err := err.(type) {
	case nil:
		return 0
	case *OpenError:
		enc.Encode(answer{Open: err.Reason})
	case *panicError:
		enc.Encode(answer{Panic: err.Error()})
	default:
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

// panicError is a panic in Delve that was recovered.
type panicError struct{ value any }

func (e *panicError) Error() string { return clip(fmt.Sprint(e.value), 300) }

// recovered turns a panic of the caller's into a [*panicError] in *errp. It
// must be deferred.
func recovered(errp *error) {
	if v := recover(); v != nil {
		*errp = &panicError{v}
	}
}
