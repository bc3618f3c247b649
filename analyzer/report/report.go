// Package report is the model of a finished analysis: plain data that the
// analyzer fills in and the renderers read. It knows neither where the data
// came from nor how it will look, and its JSON encoding (schema 1) is the
// contract that other tools build on.
package report

import "time"

// Schema is the version of the JSON encoding of [Report]. It changes when a
// reader of the previous version would misunderstand the new one; a new field
// does not change it.
const Schema = 1

// Report is everything that is known about one dead (or dumped) process.
type Report struct {
	Schema     int         `json:"schema"`
	Target     Target      `json:"target"`
	Capture    Capture     `json:"capture"`
	Crash      *Crash      `json:"crash,omitempty"`
	Goroutines []Goroutine `json:"goroutines"`
	Groups     []Group     `json:"groups"`
	// Warnings say what the analysis could not do or does not trust. A partial
	// report always has at least one.
	Warnings []string `json:"warnings"`
}

// Target identifies the program and the process.
type Target struct {
	Exe         string    `json:"exe"` // path when it ran
	PID         int       `json:"pid"`
	GoVersion   string    `json:"go_version,omitempty"`
	BuildID     string    `json:"build_id,omitempty"` // GNU build ID in hex, else Go's
	OS          string    `json:"os"`
	Arch        string    `json:"arch"`
	Time        time.Time `json:"time"` // of the capture, UTC
	MainModule  string    `json:"main_module,omitempty"`
	VCSRevision string    `json:"vcs_revision,omitempty"`
}

// Capture says how the core came to be and what it lacks.
type Capture struct {
	Method   string   `json:"method"` // monitor, kernel, supervise, fork, hold or text
	Complete bool     `json:"complete"`
	Missing  []string `json:"missing"`
}

// Kind is the manner in which a process died.
type Kind string

// The kinds of [Crash].
const (
	KindPanic    Kind = "panic"    // an unrecovered panic, run-time errors included
	KindFatal    Kind = "fatal"    // "fatal error: …": a throw of the runtime
	KindSignal   Kind = "signal"   // a signal from outside, or a fault outside Go code
	KindSnapshot Kind = "snapshot" // not dead: dumped alive
)

// Crash says why the process died.
type Crash struct {
	Kind      Kind    `json:"kind"`
	Message   string  `json:"message"`           // as the runtime prints it, without "panic: " or "fatal error: "
	Signal    string  `json:"signal,omitempty"`  // "SIGSEGV"
	Address   string  `json:"address,omitempty"` // faulting address in hex, "0x0"; only for faults
	Goroutine uint64  `json:"goroutine"`         // 0: none, as in a deadlock
	Thread    int     `json:"thread,omitempty"`  // kernel thread id
	Frame     *Frame  `json:"frame,omitempty"`   // the faulting frame
	Panics    []Panic `json:"panics,omitempty"`  // oldest first; the last one is the Message's
}

// Panic is one entry of a goroutine's chain of panics.
type Panic struct {
	Value     string `json:"value"`
	Recovered bool   `json:"recovered,omitempty"`
	Goexit    bool   `json:"goexit,omitempty"`
}

// Location is a position in the program.
type Location struct {
	Function string `json:"function"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
}

// Frame is one logical call frame; a machine frame with inlined calls is
// several of them, innermost first.
type Frame struct {
	Location
	PC      uint64 `json:"pc"`
	Inlined bool   `json:"inlined,omitempty"`
	// Native marks a frame outside Go code: C, reached through cgo.
	Native bool `json:"native,omitempty"`

	// The rest is filled in for the faulting frame only.

	Args   []Variable   `json:"args,omitempty"`
	Locals []Variable   `json:"locals,omitempty"`
	Source []SourceLine `json:"source,omitempty"`
}

// Variable is an argument or a local with its value as Go would print it.
// Exactly one of Value and Unreadable is set.
type Variable struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Value      string `json:"value,omitempty"`
	Unreadable string `json:"unreadable,omitempty"` // why there is no value
}

// SourceLine is a line of source around the faulting one.
type SourceLine struct {
	Line    int    `json:"line"`
	Text    string `json:"text"`
	Current bool   `json:"current,omitempty"`
}

// Goroutine is one goroutine with its stack, innermost frame first.
type Goroutine struct {
	ID          uint64            `json:"id"`
	Status      string            `json:"status"` // running, runnable, waiting, syscall, copystack, preempted, leaked
	WaitReason  string            `json:"wait_reason,omitempty"`
	WaitSeconds float64           `json:"wait_seconds,omitempty"`
	Thread      int               `json:"thread,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	System      bool              `json:"system,omitempty"` // the runtime's own
	CreatedBy   *Location         `json:"created_by,omitempty"`
	Parent      uint64            `json:"parent,omitempty"` // id of the goroutine that created it
	Stack       []Frame           `json:"stack"`
	// Elided is the number of frames left out of a very deep stack, after the
	// first ElidedAt frames of Stack.
	Elided   int `json:"elided,omitempty"`
	ElidedAt int `json:"elided_at,omitempty"`
}

// Group is a set of goroutines in the same state with the same stack.
type Group struct {
	Count      int      `json:"count"`
	IDs        []uint64 `json:"ids"`
	Status     string   `json:"status"`
	WaitReason string   `json:"wait_reason,omitempty"`
	// WaitSeconds is the longest wait in the group.
	WaitSeconds float64   `json:"wait_seconds,omitempty"`
	System      bool      `json:"system,omitempty"`
	CreatedBy   *Location `json:"created_by,omitempty"`
	Stack       []Frame   `json:"stack"`
	Elided      int       `json:"elided,omitempty"`
	ElidedAt    int       `json:"elided_at,omitempty"`
}
