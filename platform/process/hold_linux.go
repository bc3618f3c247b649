package process

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

type heldData struct {
	index map[int]int // thread id → index in Threads
	child bool        // the process is a child of ours, whose end somebody waits for
	// dying is the thread that WatchDeath stopped, 0 before that; running
	// tells that the others run.
	dying   int
	running bool
}

// watchOptions: new threads are ours at once, and every exit stops first. While
// the process is held they are not set, so that SIGKILL takes it without us.
const watchOptions = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXIT | unix.PTRACE_O_TRACESYSGOOD

func (h *Held) hold() error {
	runtime.LockOSThread() // ptrace(2) belongs to a thread
	h.index = map[int]int{}
	st, err := h.Stat()
	if err == nil {
		h.child = st.PPID == os.Getpid()
		err = h.stopAll()
	}
	if err == nil {
		err = h.readRegisters()
	}
	if err == nil && len(h.live()) == 0 {
		err = unix.ESRCH
	}
	if err != nil {
		h.release()
		return err
	}
	return nil
}

// stopAll stops every thread. A thread that still runs may make others, and a
// list of threads that is read while some end may lack others that live
// (fs/proc/base.c, next_tid), so it takes until a list that was read while all
// known threads stood still is whole and has nothing new.
func (h *Held) stopAll() error {
	deadline := time.Now().Add(stopPatience)
	for {
		tids, err := h.tids()
		if err != nil {
			return err
		}
		known := len(h.Threads)
		for _, tid := range tids {
			if err := h.seize(tid); err != nil {
				return err
			}
		}
		if len(h.Threads) == known {
			st, err := h.Stat()
			if err != nil {
				return err
			}
			if st.Threads <= len(tids) {
				break
			}
		}
		if time.Now().After(deadline.Add(stopPatience)) {
			return errors.New("new threads appear faster than they can be stopped")
		}
		for i := range h.Threads {
			h.awaitStop(i, deadline)
		}
	}
	for _, t := range h.Threads {
		if !t.gone && !t.stopped {
			h.Unstopped = append(h.Unstopped, t.TID)
		}
	}
	return nil
}

// seize takes control of a thread that is not known yet, and tells it to stop.
func (h *Held) seize(tid int) error {
	if _, ok := h.index[tid]; ok {
		return nil
	}
	err := unix.PtraceSeize(tid)
	switch {
	case errors.Is(err, unix.ESRCH):
		return nil // it has just ended
	case err != nil:
		return h.refused(tid, err)
	}
	h.add(tid)
	if err := unix.PtraceInterrupt(tid); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("interrupt thread %d: %w", tid, err)
	}
	return nil
}

func (h *Held) add(tid int) {
	if _, ok := h.index[tid]; !ok {
		h.index[tid] = len(h.Threads)
		h.Threads = append(h.Threads, Thread{TID: tid})
	}
}

// refused finds out why a thread may not be seized; nil if it has ended: that
// is EPERM too (kernel/ptrace.c, ptrace_attach).
func (h *Held) refused(tid int, err error) error {
	s, serr := h.statOf(fmt.Sprintf("task/%d/", tid))
	switch {
	case serr != nil && (errors.Is(serr, unix.ENOENT) || errors.Is(serr, unix.ESRCH)):
		return nil
	case serr == nil && (s.State == 'Z' || s.State == 'X'):
		return nil
	case serr == nil && s.TracerPID != 0:
		return &TracedError{PID: h.PID, TracerPID: s.TracerPID}
	}
	return fmt.Errorf("seize thread %d: %w", tid, err)
}

func (h *Held) tids() ([]int, error) {
	f, err := h.file("task", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var tids []int
	for _, n := range names {
		if tid, err := strconv.Atoi(n); err == nil {
			tids = append(tids, tid)
		}
	}
	slices.Sort(tids)
	// The main thread has the process's id, which need not be the lowest.
	if i := slices.Index(tids, h.PID); i > 0 {
		tids = slices.Insert(slices.Delete(tids, i, i+1), 0, h.PID)
	}
	return tids, nil
}

// look takes the news of Threads[i], if there are any: it has stopped, for
// which look returns true, or it has ended. Threads may grow by it.
func (h *Held) look(i int) (unix.WaitStatus, bool) {
	t := &h.Threads[i]
	if t.gone {
		return 0, false
	}
	wait := wait4
	if t.TID == h.PID && h.child {
		wait = waitStopped
	}
	ws, err := wait(t.TID)
	for err == unix.EINTR {
		ws, err = wait(t.TID)
	}
	switch {
	case err == errNoNews:
		return 0, false
	case err != nil, !ws.Stopped(): // ECHILD, or its end
		t.gone, t.stopped = true, false
		return 0, false
	}
	t.stopped = true
	switch eventOf(ws) {
	case 0:
		// The stop interrupts the delivery of a signal, which must reach the
		// thread when that goes on.
		t.signal = int(ws.StopSignal())
	case unix.PTRACE_EVENT_CLONE:
		if tid, err := unix.PtraceGetEventMsg(t.TID); err == nil {
			h.add(int(tid))
		}
	}
	return ws, true
}

// eventOf returns the PTRACE_EVENT of a stop, 0 for a signal's delivery.
func eventOf(ws unix.WaitStatus) int { return int(uint32(ws) >> 16) }

// awaitStop waits until Threads[i] stops or ends, and reports whether it is
// stopped.
func (h *Held) awaitStop(i int, deadline time.Time) bool {
	for pause := time.Duration(0); ; pause = min(pause+10*time.Microsecond, time.Millisecond) {
		if h.Threads[i].stopped || h.Threads[i].gone {
			break
		}
		if _, ok := h.look(i); ok {
			break
		}
		if h.Threads[i].gone || time.Now().After(deadline) {
			break
		}
		// The main thread's end is not told before that of all others.
		if pause == 100*time.Microsecond && h.Threads[i].TID == h.PID && h.zombie() {
			break
		}
		// The first looks are for the many that stop at once.
		time.Sleep(pause)
	}
	return h.Threads[i].stopped
}

func (h *Held) zombie() bool {
	s, err := h.statOf(fmt.Sprintf("task/%d/", h.PID))
	return err != nil || s.State == 'Z' || s.State == 'X'
}

// live returns the threads that are stopped. The pointers are good until the
// next look.
func (h *Held) live() []*Thread {
	var out []*Thread
	for i := range h.Threads {
		if t := &h.Threads[i]; t.stopped {
			out = append(out, t)
		}
	}
	return out
}
