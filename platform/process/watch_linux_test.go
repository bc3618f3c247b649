package process_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/corekit/corekit/platform/process"
	"golang.org/x/sys/unix"
)

// hook is a full pipe whose writing end a child has as descriptor 3.
type hook struct {
	t    *testing.T
	r, w *os.File
	text []byte
	fill int
}

func newHook(t *testing.T) *hook {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("system calls are known on amd64 only")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	h := &hook{t: t, r: r, w: w}
	t.Cleanup(func() { r.Close(); w.Close() })
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
	if err != nil {
		t.Fatal(err)
	}
	h.fill = size
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hook) give(c *exec.Cmd) { c.ExtraFiles = []*os.File{h.w} }

// drain reads what is there, waiting a millisecond at most.
func (h *hook) drain() bool {
	fds := []unix.PollFd{{Fd: int32(h.r.Fd()), Events: unix.POLLIN}}
	if n, _ := unix.Poll(fds, 1); n == 1 {
		b := make([]byte, 4096)
		n, _ := h.r.Read(b)
		h.text = append(h.text, b[:n]...)
	}
	return true
}

// caught holds the child as soon as a thread stands in a write to the hook.
func (h *hook) caught(p *process.Process) (*process.Held, int) {
	h.t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(int(h.w.Fd()), &st); err != nil {
		h.t.Fatal(err)
	}
	isHook := func(fd int) bool { return p.SameFile(fd, uint64(st.Dev), st.Ino) }
	for range 1000 {
		held := hold(h.t, p)
		if tid := held.Writing(isHook); tid != 0 {
			return held, tid
		}
		release(h.t, held)
		time.Sleep(time.Millisecond)
	}
	h.t.Fatal("nobody writes to the hook")
	return nil, 0
}

func watch(t *testing.T, h *process.Held, tid int, poll func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	died, err := h.WatchDeath(process.Watch{TID: tid, Poll: func() bool { return poll() && time.Now().Before(deadline) }})
	if !died || err != nil {
		t.Fatalf("WatchDeath = %v, %v", died, err)
	}
}

// crash lets a child panic, and returns it when it is about to abort.
func crash(t *testing.T) (*child, *process.Held) {
	t.Helper()
	hook := newHook(t)
	c, _ := start(t, "panic", hook.give, func(c *exec.Cmd) { c.Stderr = nil })
	p := c.open()
	c.in.Write([]byte("x"))
	h, tid := hook.caught(p)
	watch(t, h, tid, hook.drain)
	if h.Exiting {
		t.Error("a panic is no exit")
	}
	if s := c.states()[tid]; s != "t" {
		t.Errorf("the crashed thread is in state %q", s)
	}
	if !bytes.Contains(hook.text[hook.fill:], []byte("panic: boom")) || !bytes.Contains(hook.text, []byte("goroutine 1 [running]:\nmain.")) &&
		!bytes.Contains(hook.text, []byte("panicChild")) {
		t.Errorf("the crash text is:\n%s", hook.text[hook.fill:])
	}
	return c, h
}

func status(c *child) syscall.WaitStatus { return c.end().Sys().(syscall.WaitStatus) }

func TestWatchDeathExit(t *testing.T) {
	for _, want := range []int{2, 0, 77} {
		c, h := crash(t)
		if err := h.Exit(want); err != nil {
			t.Fatal(err)
		}
		if ws := status(c); !ws.Exited() || ws.ExitStatus() != want {
			t.Errorf("ended with %v, want %d", c.ProcessState, want)
		}
	}
}

func TestWatchDeathRelease(t *testing.T) {
	c, h := crash(t)
	release(t, h)
	if ws := status(c); !ws.Signaled() || ws.Signal() != syscall.SIGABRT {
		t.Errorf("ended with %v, want SIGABRT", c.ProcessState)
	}
}

// TestWatchExit watches children that end by calls of their own.
func TestWatchExit(t *testing.T) {
	for _, name := range []string{"exit", "exit-other"} {
		t.Run(name, func(t *testing.T) {
			hook := newHook(t)
			c, _ := start(t, name, hook.give)
			h, tid := hook.caught(c.open())
			watch(t, h, tid, hook.drain)
			if !h.Exiting {
				t.Error("Exiting is not set")
			}
			if err := h.Exit(2); err != nil {
				t.Fatal(err)
			}
			if ws := status(c); ws.ExitStatus() != 7 {
				t.Errorf("ended with %v, want 7", c.ProcessState)
			}
		})
	}
}

// TestWatchGivesUp checks what runs on when poll has had enough.
func TestWatchGivesUp(t *testing.T) {
	for _, exit := range []bool{true, false} {
		hook := newHook(t)
		c, _ := start(t, "panic", hook.give, func(c *exec.Cmd) { c.Stderr = nil })
		c.in.Write([]byte("x"))
		h, tid := hook.caught(c.open())
		polls := 0
		died, err := h.WatchDeath(process.Watch{TID: tid, Poll: func() bool { polls++; time.Sleep(time.Millisecond); return polls < 5 }})
		if died || err != nil {
			t.Fatalf("WatchDeath = %v, %v", died, err)
		}
		if s := c.states()[tid]; s != "S" {
			t.Errorf("the thread is in state %q, want in its write", s)
		}
		if exit {
			if err := h.Exit(5); err != nil {
				t.Fatal(err)
			}
			if ws := status(c); ws.ExitStatus() != 5 {
				t.Errorf("ended with %v, want 5", c.ProcessState)
			}
			continue
		}
		release(t, h)
		hook.w.Close()
		go func() {
			for {
				if n, err := hook.r.Read(make([]byte, 4096)); n == 0 || err != nil {
					return
				}
			}
		}()
		if ws := status(c); ws.Signal() != syscall.SIGABRT {
			t.Errorf("ended with %v, want SIGABRT", c.ProcessState)
		}
	}
}

// TestWatchBusy watches a process whose threads come and go, and lets it live:
// new threads must not be forgotten.
func TestWatchBusy(t *testing.T) {
	c, _ := start(t, "busy")
	p := c.open()
	for cycle := range 10 {
		h := hold(t, p)
		c.Process.Signal(unix.SIGUSR1)
		begun := time.Now()
		died, err := h.WatchDeath(process.Watch{TID: c.Process.Pid, Poll: func() bool {
			time.Sleep(100 * time.Microsecond)
			return time.Since(begun) < 50*time.Millisecond
		}})
		if died || err != nil {
			t.Fatalf("WatchDeath = %v, %v", died, err)
		}
		release(t, h)
		for tid, s := range c.states() {
			if s == "t" {
				t.Errorf("cycle %d: thread %d is held still", cycle, tid)
			}
		}
		for wait := time.Now(); c.ask("count") != strconv.Itoa(cycle+1); {
			if time.Since(wait) > 5*time.Second {
				t.Fatalf("cycle %d: a signal got lost", cycle)
			}
		}
	}
	c.in.Close()
	if st := c.end(); !st.Success() {
		t.Error(st)
	}
}

func TestWatchKilled(t *testing.T) {
	c, _ := start(t, "busy")
	h := hold(t, c.open())
	died, err := h.WatchDeath(process.Watch{TID: c.Process.Pid, Poll: func() bool { c.Process.Kill(); return true }})
	if died && err == nil {
		// The kernel let it stop on its way out.
		if err := h.Exit(2); err != nil {
			t.Error(err)
		}
	} else if !died || !errors.Is(err, unix.ESRCH) {
		t.Errorf("WatchDeath = %v, %v", died, err)
	} else {
		release(t, h)
	}
	if st := c.end(); st.String() != "signal: killed" {
		t.Error(st)
	}
}

// TestExitHeld ends a process that is just held.
func TestExitHeld(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("system calls are known on amd64 only")
	}
	for want := range 20 {
		c, _ := start(t, "busy")
		h := hold(t, c.open())
		if err := h.Exit(want); err != nil {
			t.Fatal(err)
		}
		if ws := status(c); !ws.Exited() || ws.ExitStatus() != want {
			t.Errorf("ended with %v, want %d", c.ProcessState, want)
		}
	}
}
