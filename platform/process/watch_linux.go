package process

import (
	"errors"
	"fmt"
	"runtime"
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

func (h *Held) watchDeath(tid int, poll func() bool) (bool, error) {
	for _, t := range h.live() {
		if err := ptrace(unix.PTRACE_SETOPTIONS, t.TID, 0, seizeOptions); err != nil && err != unix.ESRCH {
			return false, fmt.Errorf("watch thread %d: %w", t.TID, err)
		}
	}
	for _, t := range h.live() {
		sig := t.signal
		t.signal = 0
		if err := ptrace(unix.PTRACE_CONT, t.TID, 0, uintptr(sig)); err != nil && err != unix.ESRCH {
			return false, fmt.Errorf("continue thread %d: %w", t.TID, err)
		}
	}
	h.running = true
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil: // ECHILD: all are gone
			return true, fmt.Errorf("process %d died unseen: %w", h.PID, unix.ESRCH)
		case got == 0:
			if !poll() {
				return false, nil
			}
			continue
		}
		if h.event(got, ws, tid) {
			h.dying = got
			return true, nil
		}
	}
}

// event deals with one thread's stop and reports whether that is the death
// that watchDeath waits for.
func (h *Held) event(got int, ws unix.WaitStatus, tid int) bool {
	i, known := h.index[got]
	if !known {
		i = len(h.Threads)
		h.index[got] = i
		h.Threads = append(h.Threads, Thread{TID: got})
	}
	t := &h.Threads[i]
	if !ws.Stopped() {
		t.gone = true
		return false
	}
	sig := 0
	switch event := uint32(ws) >> 16; {
	case event == unix.PTRACE_EVENT_EXIT && got == tid:
		h.Exiting = true
		return true
	case event != 0: // a new thread, another's end, or a job-control stop
	case ws.StopSignal() == unix.SIGABRT && got == tid:
		t.signal = int(unix.SIGABRT)
		return true
	default:
		sig = int(ws.StopSignal())
	}
	ptrace(unix.PTRACE_CONT, got, 0, uintptr(sig)) // ESRCH: killed this moment
	return false
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
	t := &h.Threads[h.index[tid]]
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
	t.signal = 0
	// A detached thread runs on at once; the others fall with it, and stopping
	// before their own end would keep it waiting for us.
	if err := ptrace(unix.PTRACE_DETACH, tid, 0, 0); err != nil {
		return fmt.Errorf("end process: %w", err)
	}
	t.gone = true
	h.detachDying()
	runtime.UnlockOSThread()
	return nil
}

// stopOne stops a running thread to be the one that exits.
func (h *Held) stopOne() int {
	for _, t := range h.live() {
		if !h.running {
			return t.TID
		}
		if unix.PtraceInterrupt(t.TID) == nil && awaitStop(t) {
			return t.TID
		}
	}
	return 0
}

// detachDying lets go of the other threads while exit_group takes them.
func (h *Held) detachDying() {
	for deadline := time.Now().Add(stopPatience); time.Now().Before(deadline); {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
		case err != nil: // ECHILD: none is left
			return
		case got == 0:
			time.Sleep(100 * time.Microsecond)
		case ws.Stopped():
			ptrace(unix.PTRACE_DETACH, got, 0, 0)
		}
	}
}
