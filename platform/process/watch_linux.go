package process

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

func unwrapErrno(err error) unix.Errno {
	var e unix.Errno
	errors.As(err, &e)
	return e
}

func (h *Held) writing(is func(fd int) bool) int {
	for _, t := range h.live() {
		if nr, fd, ok := currentSyscall(t.Regs); ok && nr == unix.SYS_WRITE && is(int(fd)) {
			return t.TID
		}
	}
	return 0
}

func (p *Process) sameFile(fd int, dev, inode uint64) bool {
	var st unix.Stat_t
	err := unix.Fstatat(p.dir, fmt.Sprintf("fd/%d", fd), &st, 0)
	return err == nil && uint64(st.Dev) == dev && st.Ino == inode
}

// pollEvery bounds how long news of threads keep watchDeath from polling.
const pollEvery = 5 * time.Millisecond

func (h *Held) watchDeath(w Watch) (bool, error) {
	for _, t := range h.live() {
		if err := ptrace(unix.PTRACE_SETOPTIONS, t.TID, 0, watchOptions); err != nil && err != unix.ESRCH {
			return false, fmt.Errorf("watch thread %d: %w", t.TID, err)
		}
	}
	if h.running {
		h.catch(&w)
	}
	h.running = true
	for _, t := range h.live() {
		if err := t.resume(w.request(t)); err != nil {
			return false, err
		}
	}
	// Each thread is asked by itself: wait4(-1) would take the news of other
	// children of ours.
	for polled := time.Now(); ; {
		quiet, left := true, false
		for i := 0; i < len(h.Threads); i++ {
			ws, stopped := h.look(i)
			left = left || !h.Threads[i].gone
			if !stopped {
				continue
			}
			quiet = false
			if h.dies(i, ws, &w) {
				return true, nil
			}
		}
		if !left {
			return true, fmt.Errorf("process %d died unseen: %w", h.PID, unix.ESRCH)
		}
		if quiet || time.Since(polled) > pollEvery {
			if !w.Poll() {
				return false, nil
			}
			polled = time.Now()
		}
	}
}

// catch stops the thread that is to be asked about its writes if it is running
// already, from an earlier watch.
func (h *Held) catch(w *Watch) {
	i, ok := h.index[w.TID]
	if !ok || w.Write == nil || h.Threads[i].stopped || h.Threads[i].gone {
		return
	}
	if unix.PtraceInterrupt(w.TID) == nil {
		h.awaitStop(i, time.Now().Add(detachPatience))
	}
}

// request is how a thread is resumed: to the next stop of its own, or to its
// next system call.
func (w *Watch) request(t *Thread) int {
	if w.Write != nil && t.TID == w.TID && tracesWrites {
		return unix.PTRACE_SYSCALL
	}
	return unix.PTRACE_CONT
}

// syscallStop is the signal of a stop at a system call (PTRACE_O_TRACESYSGOOD).
const syscallStop = unix.SIGTRAP | 0x80

// dies deals with the stop of Threads[i] and reports whether that is what
// watchDeath waits for.
func (h *Held) dies(i int, ws unix.WaitStatus, w *Watch) bool {
	t := &h.Threads[i]
	request := w.request(t)
	switch event := eventOf(ws); {
	case event == unix.PTRACE_EVENT_EXIT && t.TID == w.TID:
		h.Exiting, h.dying = true, t.TID
		return true
	case event == 0 && ws.StopSignal() == unix.SIGABRT && t.TID == w.TID:
		h.dying = t.TID
		return true
	case event == 0 && ws.StopSignal() == syscallStop:
		t.signal = 0
		if h.refuses(t, w) {
			h.dying = t.TID
			return true
		}
		request = w.request(t)
	case event == unix.PTRACE_EVENT_STOP && ws.StopSignal() != unix.SIGTRAP:
		request = unix.PTRACE_LISTEN // SIGSTOP and its like: it stays stopped
	}
	t.resume(request)
	return false
}

// maxWrite bounds how much of a write is shown to Watch.Write, in bytes.
const maxWrite = 256

// refuses asks Watch.Write if the thread has stopped on its way into a write.
func (h *Held) refuses(t *Thread, w *Watch) bool {
	regs, err := getRegisterSet(t.TID, noteStatus)
	if err != nil || w.Write == nil {
		return false
	}
	fd, addr, n, ok := enteredWrite(regs)
	if !ok {
		return false
	}
	data := make([]byte, min(n, maxWrite))
	if _, err := h.ReadAt(data, int64(addr)); err != nil {
		return false
	}
	switch w.Write(fd, data) {
	case Stop:
		return true
	case GoOnward:
		w.Write = nil
	}
	return false
}

// resume lets a stopped thread run, with the signal that it was about to get.
func (t *Thread) resume(request int) error {
	sig := t.signal
	t.signal, t.stopped = 0, false
	if err := ptrace(request, t.TID, 0, uintptr(sig)); err != nil && err != unix.ESRCH { // ESRCH: killed this moment
		return fmt.Errorf("continue thread %d: %w", t.TID, err)
	}
	return nil
}
