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
	// dying is the thread that WatchDeath stopped, 0 before that; running
	// tells that the others run.
	dying   int
	running bool
}

// seizeOptions: new threads are ours at once, and every exit stops first.
const seizeOptions = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXIT

func (h *Held) hold() error {
	runtime.LockOSThread() // ptrace(2) belongs to a thread
	h.index = map[int]int{}
	err := h.seizeAll()
	if err == nil {
		err = h.awaitStops()
	}
	if err == nil && len(h.live()) == 0 {
		err = unix.ESRCH
	}
	if err == nil {
		err = h.readRegisters()
	}
	if err != nil {
		h.release()
		return err
	}
	return nil
}

// seizeAll seizes and interrupts threads until a whole pass over the list
// finds no new one: a thread that still ran may have made others meanwhile.
func (h *Held) seizeAll() error {
	for {
		tids, err := h.tids()
		if err != nil {
			return err
		}
		found := false
		for _, tid := range tids {
			if _, ok := h.index[tid]; ok {
				continue
			}
			ok, err := h.seize(tid)
			if err != nil {
				return err
			}
			found = found || ok
		}
		if !found {
			return nil
		}
	}
}

func (h *Held) seize(tid int) (bool, error) {
	err := unix.PtraceSeize(tid)
	switch {
	case errors.Is(err, unix.ESRCH):
		return false, nil // it has just ended
	case errors.Is(err, unix.EPERM):
		return false, h.refused(tid, err)
	case err != nil:
		return false, fmt.Errorf("seize thread %d: %w", tid, err)
	}
	if err := unix.PtraceInterrupt(tid); err != nil && !errors.Is(err, unix.ESRCH) {
		return false, fmt.Errorf("interrupt thread %d: %w", tid, err)
	}
	h.index[tid] = len(h.Threads)
	h.Threads = append(h.Threads, Thread{TID: tid})
	return true, nil
}

// refused finds out why a thread may not be seized.
func (h *Held) refused(tid int, err error) error {
	s, serr := h.Stat()
	if serr != nil {
		return fmt.Errorf("seize thread %d: %w", tid, err)
	}
	if s.TracerPID != 0 && s.TracerPID != os.Getpid() {
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
		tids = append([]int{h.PID}, slices.Delete(tids, i, i+1)...)
	}
	return tids, nil
}

// awaitStops waits until every seized thread has stopped or ended.
func (h *Held) awaitStops() error {
	deadline := time.Now().Add(stopPatience)
	for i := range h.Threads {
		t := &h.Threads[i]
		for pause := time.Duration(0); ; {
			var ws unix.WaitStatus
			got, err := unix.Wait4(t.TID, &ws, unix.WALL|unix.WNOHANG, nil)
			if err == unix.EINTR {
				continue
			}
			if err == unix.ECHILD || err == nil && got == t.TID && (ws.Exited() || ws.Signaled()) {
				t.gone = true
				break
			}
			if err != nil {
				return fmt.Errorf("wait for thread %d: %w", t.TID, err)
			}
			if got == t.TID && ws.Stopped() {
				t.noteStop(ws)
				break
			}
			if time.Now().After(deadline) {
				h.Unstopped = append(h.Unstopped, t.TID)
				break
			}
			// The first looks are for the many that stop at once.
			time.Sleep(pause)
			pause = min(pause+10*time.Microsecond, time.Millisecond)
		}
	}
	return nil
}

// noteStop remembers a signal whose delivery the stop has interrupted: it must
// reach the thread when that goes on.
func (t *Thread) noteStop(ws unix.WaitStatus) {
	if event := uint32(ws) >> 16; event == 0 {
		t.signal = int(ws.StopSignal())
	}
}

// live returns the threads that are stopped and have not ended.
func (h *Held) live() []*Thread {
	var out []*Thread
	for i := range h.Threads {
		t := &h.Threads[i]
		if !t.gone && !slices.Contains(h.Unstopped, t.TID) {
			out = append(out, t)
		}
	}
	return out
}

func (h *Held) release() error {
	defer runtime.UnlockOSThread()
	var first error
	for _, t := range h.Threads {
		if t.gone {
			continue
		}
		if h.running && t.TID != h.dying || slices.Contains(h.Unstopped, t.TID) {
			// Only a stopped thread can be let go.
			unix.PtraceInterrupt(t.TID)
			t.gone = !awaitStop(&t)
		}
		err := ptrace(unix.PTRACE_DETACH, t.TID, 0, uintptr(t.signal))
		if err != nil && err != unix.ESRCH && first == nil {
			first = fmt.Errorf("release thread %d: %w", t.TID, err)
		}
	}
	return first
}

// awaitStop waits for one thread that was interrupted, a tenth of a second at
// the most.
func awaitStop(t *Thread) bool {
	for range 1000 {
		var ws unix.WaitStatus
		got, err := unix.Wait4(t.TID, &ws, unix.WALL|unix.WNOHANG, nil)
		if err != nil && err != unix.EINTR {
			return false
		}
		if got == t.TID {
			if ws.Stopped() {
				t.noteStop(ws)
			}
			return ws.Stopped()
		}
		time.Sleep(100 * time.Microsecond)
	}
	return false
}
