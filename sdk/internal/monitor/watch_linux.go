package monitor

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// watch waits until the program crashes or ends, and returns the monitor's
// exit status.
func watch(s Spec) int {
	m := &monitor{Spec: s}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return m.giveUp(fmt.Errorf("epoll: %w", err))
	}
	// The pipe is never empty, so that level-triggered readiness would say
	// nothing. Each write makes an edge.
	err = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, hookFD, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: hookFD})
	if err != nil {
		return m.giveUp(fmt.Errorf("epoll: %w", err))
	}
	// The pipe's end tells when the program ends. Not so if it left a child
	// that was forked without exec, as C code may do; its pidfd does (5.3).
	if pidfd, err := unix.PidfdOpen(s.PID, 0); err == nil {
		unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, pidfd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(pidfd)})
	} else if err == unix.ESRCH {
		return exitDone
	}
	for {
		// Asked before each wait: the crash may have begun before this monitor.
		if m.pending() > 0 {
			m.begun = time.Now()
			return m.save()
		}
		events := make([]unix.EpollEvent, 2)
		n, err := unix.EpollWait(ep, events, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return m.giveUp(fmt.Errorf("epoll: %w", err))
		}
		for _, e := range events[:n] {
			if e.Fd != hookFD || e.Events&unix.EPOLLHUP != 0 {
				if m.pending() > 0 {
					continue // killed in the middle of its crash text: save that
				}
				return exitDone
			}
		}
	}
}

// pending returns the number of bytes of crash text in the pipe, before any of
// it is read.
func (m *monitor) pending() int { return max(0, m.pipeLen()-m.Prefill) }

func (m *monitor) pipeLen() int {
	n, err := unix.IoctlGetInt(hookFD, unix.TIOCINQ) // FIONREAD
	if err != nil {
		return 0
	}
	return n
}

func (m *monitor) giveUp(err error) int {
	say(m.PID, "crashes will not be saved: "+err.Error())
	return exitGave
}
