// Package standby is what a program's guard and monitor do for as long as
// nothing has happened, and all that the guard ever does. Both are the
// program's own executable, started again; their whole life until a crash
// passes in this package's init.
//
// That runs before nearly all of the program's own initialisation, which
// therefore does not happen a second and a third time in every run: the linker
// initialises, of the packages whose imports are ready, the one with the least
// path (cmd/link/internal/ld/inittask.go), and whatever does input or output
// waits for os, which waits for syscall. So the package may import syscall,
// time, and little else; above all not os, fmt, strings or x/sys/unix.
//
// It does not know what is done about a crash. In a monitor whose program
// crashes, init returns, the rest of the program's packages are initialised,
// and [Crashed] tells the one that saves.
package standby

import "time"

// Order is what the program tells its guard, and the guard its monitor.
type Order struct {
	PID     int // of the program
	Prefill int // bytes in the hook's pipe that are not crash text
	MaxHold time.Duration
	Attempt int    // how many monitors have failed before this one
	Image   uint64 // see ImageOf; 0 if not known
	Spec    string // for the package that saves
}

const (
	// guardName and monitorName begin argv[0]. Together with the variable they
	// tell a process what it is.
	guardName   = "corekit-guard"
	monitorName = "corekit-monitor"

	// HookFD is the hook's reading end in both processes.
	HookFD = 3
)

// Exit statuses of the monitor, for the guard: two that programs seldom use, so
// that a package of the program's that ends the process while it is initialised
// is not taken for a monitor that has done its work.
const (
	ExitDone = 82 // the program has ended, saved or not, and all is said
	ExitGave = 83 // gave up by itself and said so
)
