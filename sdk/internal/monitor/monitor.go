// Package monitor is the process that watches over a program and saves it when
// it crashes. The monitor is the program's own executable, started a second
// time; it takes over before that executable's main would run. There are two
// of it:
//
//	program
//	└─ corekit-guard: program     waits for the monitor, says so if it is killed, starts another
//	   └─ corekit-monitor: program  waits for the crash hook, holds the program, writes the bundle
//
// The guard exists because nobody else could tell that the monitor was killed:
// the program has no goroutine of ours that might notice, and must not have
// one.
//
// The package knows what a bundle is made of. It does not know how the hook
// came to be, and nothing about reading a core.
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
	Attempt    int    // how many monitors have been killed before this one
}

const (
	// specVar carries the Spec; together with the name in argv[0] it tells a
	// process that it is a monitor.
	specVar = "COREKIT_MONITOR_SPEC"

	guardName   = "corekit-guard"
	monitorName = "corekit-monitor"

	// hookFD is the hook's reading end in both processes.
	hookFD = 3
)

// Exit statuses of the monitor, for the guard.
const (
	exitDone = 0 // the program has ended, saved or not, and all is said
	exitGave = 3 // gave up by itself and said so
)

func (s Spec) encode() string {
	b, err := json.Marshal(s)
	if err != nil { // plain data: cannot be
		panic(err)
	}
	return string(b)
}

// TakeOver returns at once in an ordinary process. In a monitor or a guard it
// does that process's work and ends it.
func TakeOver() { takeOver() }

// Spawn starts the guard, and by that the monitor, of this process; hook is
// the reading end of the pipe. It returns the guard's process id.
func Spawn(s Spec, hook int) (pid int, err error) { return spawn(guardName, s, hook) }
