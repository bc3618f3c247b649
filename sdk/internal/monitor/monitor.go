// Package monitor saves a program when it crashes. It does so in a process of
// its own, the program's executable started a second time, and takes over
// there before that executable's main would run. There are two such processes:
//
//	program
//	└─ corekit-guard: program     waits for the monitor, says so if it is killed, starts another
//	   └─ corekit-monitor: program  waits for the crash hook, holds the program, writes the bundle
//
// The guard exists because nobody else could tell that the monitor was killed:
// the program has no goroutine of ours that might notice, and must not have
// one.
//
// They wait in package standby; this one begins with the crash. It knows what a
// bundle is made of. It does not know how the hook came to be, and nothing
// about reading a core.
package monitor

import (
	"encoding/json"
	"time"
)

// Spec is what the program tells its monitor.
type Spec struct {
	PID        int    // of the program
	Prefill    int    // bytes in the hook's pipe that are not crash text
	Dir        string // absolute
	MaxBundles int
	MaxBytes   int64
	MaxHold    time.Duration
	WithArgs   bool
	WithEnv    bool
	Traceback  string // GOTRACEBACK of the program: what it would have shown by itself
}

func (s Spec) encode() string {
	b, err := json.Marshal(s)
	if err != nil { // plain data: cannot be
		panic(err)
	}
	return string(b)
}

// TakeOver returns at once in an ordinary process. In a monitor whose program
// crashes it saves that, and ends the process.
func TakeOver() { takeOver() }

// Start starts the guard, and by that the monitor, of this process; hook is
// the reading end of the pipe. It returns the guard's process id.
func Start(s Spec, hook int) (pid int, err error) { return start(s, hook) }
