package monitor

import (
	"errors"
	"fmt"
	"time"

	"github.com/corekit/corekit/platform/process"
	"github.com/corekit/corekit/sdk/bundle"
	"github.com/corekit/corekit/sdk/internal/standby"
	"golang.org/x/sys/unix"
)

// monitor is the state of one monitor process.
type monitor struct {
	Spec
	begun time.Time // when the crash was noticed

	proc    *process.Process
	held    *process.Held // nil if the program could not be held
	crasher int           // thread id, 0 if unknown
	man     bundle.Manifest
	out     *bundle.Writer
	text    crashText

	// stderr is the program's, kept open if nothing keeps the program alive
	// until all is said; -1 otherwise.
	stderr int
}

// say writes a line to the program's standard error.
func (m *monitor) say(line string) {
	if m.stderr >= 0 {
		standby.SayTo(m.stderr, line)
		return
	}
	standby.Say(m.PID, line)
}

// save writes the bundle of the crashing program and lets it die. It returns
// the monitor's exit status.
func (m *monitor) save() int {
	path, err := m.trySave()
	switch {
	case err != nil && path == "":
		m.say("the crash was not saved: " + err.Error())
	case err != nil:
		m.say(fmt.Sprintf("the crash was saved in part to %s: %v", path, err))
	default:
		m.say("the crash was saved to " + path)
	}
	m.end(path != "" && err == nil)
	if path != "" {
		// Errors here concern old bundles only; the next crash tries again.
		m.store().Prune(path)
	}
	return standby.ExitDone
}

// trySave returns the bundle's path, and what kept it from being whole.
func (m *monitor) trySave() (string, error) {
	m.text.skip = m.Prefill
	var err error
	if m.proc, err = process.Open(m.PID); err != nil {
		return "", err
	}
	m.describe()
	// Also before: where each monitor is killed, none comes to the end of save,
	// and what they leave behind would fill the volume.
	m.store().Prune("")
	why := m.hold()
	if why == nil {
		why = m.fullBundle()
	}
	if why != nil {
		m.lacks("core", why)
		if m.held == nil {
			// It dies as soon as its text is read, before there is a bundle to
			// name. Whoever reads its standard error to the end waits for us.
			m.stderr, _ = standby.OpenStderr(m.PID)
		}
		if err := m.smallBundle(why); err != nil {
			m.drain()
			return "", err
		}
	}
	m.drain()
	path, err := m.finish()
	if err != nil {
		m.out.Abort()
		return "", errors.Join(why, err)
	}
	return path, why
}

// hold stops the program where it blocks in its crash text.
func (m *monitor) hold() error {
	var hook unix.Stat_t
	if err := unix.Fstat(hookFD, &hook); err != nil {
		return fmt.Errorf("crash hook: %w", err)
	}
	isHook := func(fd int) bool { return m.proc.SameFile(fd, uint64(hook.Dev), hook.Ino) }
	isStderr := func(fd int) bool { return fd == 2 }
	// The pipe wakes us at the first piece of text; the thread blocks in the
	// second or third. Between the two it may be writing to standard error,
	// and be stuck there if nobody reads that.
	for tries := 20; ; tries-- {
		h, err := m.proc.Hold()
		if err != nil {
			return err
		}
		m.man.MonotonicNS = monotonicNow()
		if m.crasher = h.Writing(isHook); m.crasher == 0 && tries == 0 {
			m.crasher = h.Writing(isStderr)
		}
		if m.crasher != 0 || tries == 0 {
			m.held = h
			return nil
		}
		if err := h.Release(); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// end lets the program die: with the status that it would have had, and
// without a core file of the kernel's if there is a better one.
func (m *monitor) end(saved bool) {
	if m.held == nil {
		return
	}
	if saved {
		disableCore(m.PID)
		if m.Traceback != "crash" && m.held.Exit(2) == nil {
			return
		}
	}
	m.held.Release()
}

func (m *monitor) store() bundle.Store {
	return bundle.Store{Dir: m.Dir, MaxCount: m.MaxBundles, MaxBytes: m.MaxBytes}
}

func (m *monitor) lacks(what string, why error) {
	m.man.Missing = append(m.man.Missing, bundle.Missing{What: what, Why: why.Error()})
}
