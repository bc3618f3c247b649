package process

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// detachPatience is how long a thread that runs, or sleeps uninterruptibly, is
// waited for to be let go.
const detachPatience = 100 * time.Millisecond

func (h *Held) release() error {
	var errs []error
	// The dying thread goes last: what it dies from takes the others, and
	// while the kernel writes a core file they neither stop nor end.
	for i := 0; i < len(h.Threads) || h.adopt(); i++ {
		if h.Threads[i].TID != h.dying {
			errs = append(errs, h.letGo(i))
		}
	}
	if i, ok := h.index[h.dying]; ok {
		errs = append(errs, h.letGo(i))
	}
	if err := errors.Join(errs...); err != nil {
		// The operating-system thread must end with its goroutine: that makes
		// the kernel let go of the rest.
		return err
	}
	h.reap()
	runtime.UnlockOSThread()
	return nil
}

// adopt adds threads that we trace without knowing: born under our control, to
// a thread that was killed before it could tell. It reports whether there are
// any that are not known.
func (h *Held) adopt() bool {
	if !h.running {
		return false // those that are held have no offspring
	}
	known := len(h.Threads)
	tids, _ := h.tids()
	for _, tid := range tids {
		h.add(tid) // look finds out when it is not ours
	}
	return len(h.Threads) > known
}

// letGo ends the control over Threads[i].
func (h *Held) letGo(i int) error {
	if h.look(i); !h.Threads[i].gone && !h.Threads[i].stopped {
		// Only a stopped thread can be let go.
		t := h.Threads[i]
		unix.PtraceInterrupt(t.TID)
		h.awaitStop(i, time.Now().Add(detachPatience))
	}
	t := &h.Threads[i]
	switch {
	case t.gone:
		return nil
	case !t.stopped:
		if t.TID == h.PID && h.zombie() {
			return nil // reap tells when it is gone
		}
		return fmt.Errorf("release thread %d: it does not stop", t.TID)
	}
	t.stopped = false
	err := ptrace(unix.PTRACE_DETACH, t.TID, 0, uintptr(t.signal))
	if err == unix.ESRCH {
		return nil // killed: reap takes it
	}
	t.gone = true
	if err != nil {
		return fmt.Errorf("release thread %d: %w", t.TID, err)
	}
	return nil
}

// reap waits for the threads that ended under our control; until we do, they
// are zombies that even their parent cannot get rid of. Those that stop
// meanwhile, on their way out, are let go.
func (h *Held) reap() {
	deadline := time.Now().Add(stopPatience)
	for pause := time.Duration(0); time.Now().Before(deadline); pause = min(pause+10*time.Microsecond, time.Millisecond) {
		left := false
		for i := 0; i < len(h.Threads); i++ {
			if _, stopped := h.look(i); stopped {
				h.Threads[i].stopped = false
				ptrace(unix.PTRACE_DETACH, h.Threads[i].TID, 0, 0)
				h.Threads[i].gone = true
			}
			left = left || !h.Threads[i].gone
		}
		if left = h.adopt() || left; !left {
			return
		}
		time.Sleep(pause)
	}
}

func (h *Held) exit(status int) error {
	if h.Exiting {
		return h.release()
	}
	tid := h.dying
	if tid == 0 {
		if tid = h.stopOne(); tid == 0 {
			return errors.New("end process: no thread stops")
		}
	}
	regs, err := getRegisterSet(tid, noteStatus)
	if err != nil {
		return fmt.Errorf("end process: %w", err)
	}
	insn, ok := h.syscallInstruction()
	if !ok {
		return errors.New("end process: no system call instruction known")
	}
	if err := setSyscall(regs, insn, unix.SYS_EXIT_GROUP, uint64(status)); err != nil {
		return fmt.Errorf("end process: %w", err)
	}
	if err := setRegisterSet(tid, noteStatus, regs); err != nil {
		return fmt.Errorf("end process: %w", err)
	}
	// A detached thread runs on at once, and the others fall with it.
	if err := ptrace(unix.PTRACE_DETACH, tid, 0, 0); err != nil {
		return fmt.Errorf("end process: %w", err)
	}
	t := &h.Threads[h.index[tid]]
	t.gone, t.stopped = true, false
	h.reap()
	runtime.UnlockOSThread()
	return nil
}

// stopOne stops a thread to be the one that exits.
func (h *Held) stopOne() int {
	for i := 0; i < len(h.Threads); i++ {
		if t := h.Threads[i]; !t.gone && !t.stopped {
			unix.PtraceInterrupt(t.TID)
			h.awaitStop(i, time.Now().Add(detachPatience))
		}
		if t := h.Threads[i]; t.stopped {
			return t.TID
		}
	}
	return 0
}
