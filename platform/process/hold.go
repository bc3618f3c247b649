package process

import (
	"fmt"
	"time"
)

// Held is a process whose threads are all stopped by the caller. While it is
// held nothing in it runs; it dies with the caller's wishes only, or by
// SIGKILL. If the caller dies, the kernel lets the process go on.
//
// A Held belongs to the operating-system thread that made it: [Process.Hold]
// locks the calling goroutine to its thread and [Held.Release] unlocks it.
// All methods must be called by that goroutine.
type Held struct {
	*Process
	// Threads are the stopped threads, the main thread first.
	Threads []Thread
	// Exiting is set by WatchDeath when the process is on its way out by a call
	// of its own, so that its exit status is decided.
	Exiting bool
	// Unstopped are the ids of threads that did not stop in time: they sleep
	// uninterruptibly in the kernel, and their registers are not known.
	Unstopped []int

	heldData
}

// Thread is one stopped thread.
type Thread struct {
	TID int
	// Regs, FPRegs and XState are the register sets NT_PRSTATUS, NT_FPREGSET
	// (NT_PRFPREG) and NT_X86_XSTATE as the kernel lays them out
	// (include/uapi/linux/elf.h). FPRegs and XState may be nil.
	Regs, FPRegs, XState []byte

	signal  int  // a signal that was on its way when the thread stopped
	stopped bool // by us, and not let go yet
	gone    bool // ended, or let go
}

// stopPatience is how long Hold waits for the last thread to stop. A running
// thread stops within microseconds; only one that sleeps uninterruptibly (on a
// dead network file system, say) takes longer.
const stopPatience = 2 * time.Second

// TracedError says that somebody else traces the process already; Linux allows
// one tracer.
type TracedError struct{ PID, TracerPID int }

func (e *TracedError) Error() string {
	return fmt.Sprintf("process %d is already traced by process %d", e.PID, e.TracerPID)
}

// Hold stops all threads of the process. When it fails the process runs on as
// if nothing had happened. The process may be a child of the caller's own, but
// nobody must wait for it (os.Process.Wait) while it is held: that would take
// the news that its threads stop.
func (p *Process) Hold() (*Held, error) {
	h := &Held{Process: p}
	if err := h.hold(); err != nil {
		return nil, fmt.Errorf("hold process %d: %w", p.PID, err)
	}
	return h, nil
}

// Release lets the process go on as it was. It fails if a thread sleeps
// uninterruptibly; the calling goroutine then stays locked to its thread, as
// only the end of that thread, or of the program, makes the kernel let go.
func (h *Held) Release() error { return h.release() }

// Writing returns the id of the first thread that is stopped in a write(2) to
// a descriptor for which is returns true; 0 if there is none.
func (h *Held) Writing(is func(fd int) bool) int { return h.writing(is) }

// SameFile reports whether descriptor fd of the process is the open file with
// the given device and inode numbers.
func (p *Process) SameFile(fd int, dev, inode uint64) bool { return p.sameFile(fd, dev, inode) }

// Watch says what WatchDeath waits for.
type Watch struct {
	TID int // the thread that is about to die
	// Poll is called again and again and must not block for long. When it
	// returns false the watch ends.
	Poll func() bool
	// Write, if it is set, is asked before each write(2) of thread TID, with the
	// descriptor and the beginning of what it writes. It is not asked where this
	// system does not tell.
	Write func(fd int, data []byte) Verdict
}

// Verdict is what Watch.Write says.
type Verdict int

// The verdicts.
const (
	Go       Verdict = iota // write, and ask again
	GoOnward                // write, and do not ask any more: asking makes each write some 50 µs slower
	Stop                    // do not write: stop here
)

// WatchDeath lets the process run, still under control, until the thread is
// about to die: it is stopped again where it would take SIGABRT or exit, or
// write what Watch.Write refuses. If the watch ends before that, stopped is
// false and the process is running; it can be watched again.
func (h *Held) WatchDeath(w Watch) (stopped bool, err error) { return h.watchDeath(w) }

// Exit makes the process end with the given exit status, at once and without
// running any more of its code, and releases it. A process that is Exiting
// keeps the status that it has chosen. If Exit fails the process is still held.
func (h *Held) Exit(status int) error { return h.exit(status) }
