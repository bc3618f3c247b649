package standby

import (
	"strconv"
	"syscall"
)

// maxMonitors is how many monitors a program gets: if three were killed, so
// would be the fourth.
const maxMonitors = 3

// guard starts the monitor and waits for it. When it returns, the hook's
// reading end closes; a program that is being held by it then goes on dying.
func guard(o Order) int {
	for o.Attempt = 0; o.Attempt < maxMonitors; o.Attempt++ {
		pid, err := spawn(monitorName, o, HookFD)
		if err != nil {
			o.say("crashes will not be saved: " + err.Error())
			return 1
		}
		ws := await(pid)
		if ws.Exited() && (ws.ExitStatus() == ExitDone || ws.ExitStatus() == ExitGave) || programGone() {
			return 0
		}
		what := "the crash monitor (pid " + strconv.Itoa(pid) + ") was killed by signal " + signalName(ws.Signal())
		if ws.Exited() {
			what = "the crash monitor (pid " + strconv.Itoa(pid) + ") failed with status " + strconv.Itoa(ws.ExitStatus())
		}
		switch {
		case o.Attempt+1 == maxMonitors:
			o.say(what + ", the last of " + strconv.Itoa(maxMonitors) + "; crashes are not saved any more")
		case !ws.Exited():
			o.say(what + "; another one was started")
		}
		// One that fails by itself says nothing yet: the next may do better, and
		// if not, then one line says it all.
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
	return poll(HookFD, 0, 0)&pollHUP != 0
}

func signalName(s syscall.Signal) string {
	switch s {
	case syscall.SIGKILL:
		return "SIGKILL"
	case syscall.SIGSEGV:
		return "SIGSEGV"
	case syscall.SIGBUS:
		return "SIGBUS"
	case syscall.SIGABRT:
		return "SIGABRT"
	case syscall.SIGSYS:
		return "SIGSYS"
	}
	return strconv.Itoa(int(s))
}
