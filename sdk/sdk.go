// Package sdk captures a Go program's crash: core, executable, libraries and
// what the runtime said, in one file that "corekit analyze" reads anywhere.
//
//	func main() {
//		sdk.Start(sdk.Config{})
//		...
//	}
//
// [Start] starts a second process from the same executable, the monitor, and
// gives the Go runtime a pipe to write its crash text to. The pipe is almost
// full. A program that crashes therefore stands still in its first write, with
// the panicking frames on its stack and still alive, until the monitor has
// saved it. This needs no core limit, no core_pattern and no privilege, and
// works for PID 1 of a container too.
//
// The program itself gets no goroutine, no thread and no signal handler from
// this package, and its deadlock detector stays on.
//
// # Environment
//
// A field of [Config] that is zero is taken from the environment:
//
//	COREKIT=off           Start does nothing
//	COREKIT_DIR           Config.Dir
//	COREKIT_MAX_BUNDLES   Config.MaxBundles
//	COREKIT_MAX_BYTES     Config.MaxBytes
//	COREKIT_MAX_HOLD      Config.MaxHold, as in "90s"
//	COREKIT_WITH_ENV=1    Config.WithEnv
//	COREKIT_WITH_ARGS=1   Config.WithArgs
//
// # Exit status and standard error
//
// A program that crashes under the monitor ends as it would have ended
// without it: with exit status 2 after the usual text on standard error (or by
// SIGABRT if GOTRACEBACK=crash was set), and with one line more that says
// where the bundle is.
//
// # What a program notices
//
// The guard, a process that watches over the monitor, is a child of the program,
// in a session of its own. It ends after the program, and whoever is its parent
// then reaps it. A program that waits for any child, wait4(-1), sees it only if
// every monitor was killed; but as long as it lives such a call does not fail
// with ECHILD, nor do signals other than SIGKILL end it. Wait for the children
// that you have started instead, or until WNOHANG finds none.
//
// The guard and the monitor run this executable, but wait before nearly all of
// its packages are initialised. Packages that this one does not import and whose
// import path is less than its own are initialised in the monitor too, with the
// program's environment, when the program crashes.
//
// A program may give [runtime/debug.SetCrashOutput] a file of its own after
// Start. Its crashes are then no longer saved, which one line says.
//
// Where main is not Go's, in a library made with -buildmode=c-shared or
// c-archive, there is no monitor: it would run the C program's main again.
//
// Linux only so far, and on arm64 compiled, not run. Elsewhere Start prepares what the system itself
// offers (the traceback level, the core limit) and [Recorder.Err] says so.
package sdk

import (
	"sync"
	"time"

	"github.com/corekit/corekit/sdk/internal/monitor"
)

// Config configures [Start]. The zero value is ready to use.
type Config struct {
	// Dir is where bundles go; it is made if it is missing. "" means
	// $COREKIT_DIR, else /var/lib/corekit for root and
	// $XDG_STATE_HOME/corekit or ~/.local/state/corekit for others, else a
	// directory of the user's below the temporary one.
	Dir string

	// MaxBundles and MaxBytes bound what is kept in Dir; the oldest bundles go
	// first. 0 means 10 bundles and 10 GiB.
	MaxBundles int
	MaxBytes   int64

	// MaxHold is how long the dying process may be held to save it. 0 means
	// two minutes.
	MaxHold time.Duration

	// WithArgs and WithEnv put the command line and the environment into the
	// manifest. They may hold secrets, and so may a core, which always has
	// them: a bundle is readable by its owner only.
	WithArgs, WithEnv bool
}

// Recorder is what [Start] armed.
type Recorder struct {
	mode string
	err  error
}

// Mode tells how a crash of this program will be captured: "monitor", or
// "kernel" if only the operating system's own core file can be had, or "off".
func (r *Recorder) Mode() string { return r.mode }

// Err returns nil if the program is armed in the best way this system knows.
// Otherwise it returns an error made of one or more [*ArmError], each of which
// names a step that failed; the others are in force.
func (r *Recorder) Err() error { return r.err }

var (
	startMu sync.Mutex
	first   *Recorder
)

// Start arms the capture of crashes for the rest of the program's life. Call
// it once, first thing in main. It takes a millisecond or two, never fails in
// a way that the program would notice, and never returns nil. If crashes will
// not be saved it prints one line to standard error; [Recorder.Err] has the
// reason.
//
// A second call changes nothing, says so on standard error and returns the
// first call's Recorder.
func Start(c Config) *Recorder {
	startMu.Lock()
	defer startMu.Unlock()
	if first != nil {
		complain("Start was called a second time; the first call's configuration stays")
		return first
	}
	first = &Recorder{mode: "off"}
	// Nothing below is meant to panic. If it does all the same, the program
	// must not pay for it.
	defer func() {
		if v := recover(); v != nil {
			first.fail("start", panicError{v}, "please report this")
			complain("crashes will not be saved: " + first.err.Error())
		}
	}()
	c, off := c.withEnvironment()
	if off {
		first.fail("start", ErrOff, "unset COREKIT to turn it on")
		return first
	}
	first.arm(c)
	return first
}

// The monitor is this same executable. It never comes further than here, so
// that as little as possible of the program's own initialisation runs in it.
func init() { monitor.TakeOver() }
