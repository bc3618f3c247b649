package monitor

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/corekit/corekit/platform/process"
	"github.com/corekit/corekit/sdk/internal/standby"
	"golang.org/x/sys/unix"
)

const (
	// maxText bounds how much crash text is kept and waited for. A program
	// with a million goroutines prints a gigabyte in two minutes; the core has
	// all of it already.
	maxText = 1 << 20
	// textPatience bounds how long the text is waited for.
	textPatience = 3 * time.Second
)

// crashText collects what the runtime prints.
type crashText struct {
	skip int // bytes of filling that come before it
	buf  []byte
	last byte // of all that was read, kept or not
}

// read takes what is in the pipe, waiting at most the given number of
// milliseconds for something to come. It returns false at the pipe's end.
func (t *crashText) read(timeout int) bool {
	fds := []unix.PollFd{{Fd: hookFD, Events: unix.POLLIN}}
	n, err := unix.Poll(fds, timeout)
	if n < 1 || err != nil {
		return err == nil || err == unix.EINTR
	}
	b := make([]byte, 64<<10)
	n, err = unix.Read(hookFD, b)
	if n <= 0 {
		return err == unix.EINTR
	}
	b = b[:n]
	drop := min(t.skip, len(b))
	t.skip -= drop
	t.last = b[n-1]
	if room := maxText - len(t.buf); room > 0 {
		b = b[drop:]
		t.buf = append(t.buf, b[:min(room, len(b))]...)
	}
	return true
}

// full reports whether more text is not worth waiting for.
func (t *crashText) full() bool { return len(t.buf) >= maxText }

var goroutineHeader = []byte("goroutine ")

// shown tells whether the program has printed as much as it would have without
// us, now that it is about to print next: after a panic only the goroutine that
// panicked, unless GOTRACEBACK says otherwise.
func (t *crashText) shown(level string, next []byte) process.Verdict {
	if level != "" && level != "single" && level != "1" {
		return process.GoOnward
	}
	const begin = "panic: "
	if n := min(len(t.buf), len(begin)); string(t.buf[:n]) != begin[:n] {
		return process.GoOnward
	}
	if endsStack(t.last, next) && bytes.Contains(t.buf, goroutineHeader) {
		return process.Stop
	}
	return process.Go
}

// endsStack reports whether next, behind text that ends with last, is the empty
// line behind a goroutine's stack (runtime/traceback.go, tracebackothers).
func endsStack(last byte, next []byte) bool { return last == '\n' && string(next) == "\n" }

// drain lets the program print its crash text and keeps it. If the program is
// held, it is held again afterwards, on the brink of its death.
func (m *monitor) drain() {
	if m.held == nil {
		// It runs freely, and goes on printing for as long as somebody reads.
		// Process 1 takes the monitor along when it ends. Its bundle must be
		// finished while it still waits, and has the beginning of the text.
		if m.man.ContainerPID1 {
			err := m.text.peek()
			if err == nil {
				err = errors.New("cut: nothing but its unfinished text holds process 1")
			}
			m.lacks("traceback", err)
			return
		}
		for m.text.read(-1) {
		}
		return
	}
	limit := time.Now().Add(textPatience)
	busy := time.Now()
	stopped, err := m.held.WatchDeath(process.Watch{
		TID: m.crasher,
		Poll: func() bool {
			// While it stops at every write, it is soon back.
			wait := 1
			if time.Since(busy) < time.Millisecond {
				wait = 0
			}
			return m.text.read(wait) && !m.text.full() && time.Now().Before(limit)
		},
		Write: func(fd int, data []byte) process.Verdict {
			busy = time.Now()
			if fd != 2 {
				return process.Go
			}
			// Each piece goes to standard error first and then to us, so that
			// what it has printed so far is in the pipe.
			for standby.PipeLen() > 0 {
				m.text.read(0)
			}
			return m.text.shown(m.Traceback, data)
		},
	})
	if err == nil && !stopped {
		_, err = m.stopAtGoroutine()
	}
	if err != nil {
		m.lacks("traceback", err)
	}
}

// stopAtGoroutine stops the program, which has more to print than anybody waits
// for, before its next goroutine, so that our line does not end up within one.
func (m *monitor) stopAtGoroutine() (bool, error) {
	limit := time.Now().Add(textPatience / 10)
	return m.held.WatchDeath(process.Watch{
		TID:  m.crasher,
		Poll: func() bool { return m.text.read(0) && time.Now().Before(limit) },
		Write: func(fd int, data []byte) process.Verdict {
			for standby.PipeLen() > 0 {
				m.text.read(0)
			}
			if fd == 2 && endsStack(m.text.last, data) {
				return process.Stop
			}
			return process.Go
		},
	})
}

// peek takes a copy of what is in the pipe and leaves it there, so that the
// program goes on waiting.
func (t *crashText) peek() error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	b := make([]byte, 64<<10)
	if _, err := unix.Tee(hookFD, p[1], len(b), unix.SPLICE_F_NONBLOCK); err != nil {
		return fmt.Errorf("tee: %w", err)
	}
	n, err := unix.Read(p[0], b)
	if err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	t.buf = append(t.buf, b[min(t.skip, n):n]...)
	return nil
}
