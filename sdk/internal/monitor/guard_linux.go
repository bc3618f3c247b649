package monitor

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxMonitors is how many monitors a program gets: if three were killed, so
// would be the fourth.
const maxMonitors = 3

// guard starts the monitor and waits for it. When it returns, the hook's
// reading end closes; a program that is being held by it then goes on dying.
func guard(s Spec) int {
	for s.Attempt = 0; s.Attempt < maxMonitors; s.Attempt++ {
		pid, err := spawn(monitorName, s, hookFD)
		if err != nil {
			say(s.PID, "crashes will not be saved: "+err.Error())
			return 1
		}
		ws := await(pid)
		if ws.Exited() && (ws.ExitStatus() == exitDone || ws.ExitStatus() == exitGave) || programGone() {
			return 0
		}
		how := "was killed by signal " + unix.SignalName(ws.Signal())
		if ws.Exited() {
			how = fmt.Sprintf("failed with status %d", ws.ExitStatus())
		}
		if s.Attempt+1 < maxMonitors {
			say(s.PID, fmt.Sprintf("the crash monitor (pid %d) %s; another one was started", pid, how))
		} else {
			say(s.PID, fmt.Sprintf("the crash monitor (pid %d) %s, the last of %d; crashes are not saved any more", pid, how, maxMonitors))
		}
	}
	return 1
}

func await(pid int) (ws syscall.WaitStatus) {
	for {
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != syscall.EINTR {
			return ws
		}
	}
}

// programGone reports whether nobody holds the hook's writing end any more.
func programGone() bool {
	fds := []unix.PollFd{{Fd: hookFD}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLHUP != 0
}
