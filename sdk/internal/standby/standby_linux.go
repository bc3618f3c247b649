package standby

import (
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// crashed is set in a monitor whose program crashes.
var crashed *Order

// Crashed returns what this process was told if it is a monitor whose program
// crashes, nil in every other.
func Crashed() *Order { return crashed }

func init() {
	role, o := order()
	if role == "" {
		return
	}
	// What the program's packages may start from here on must not take itself
	// for a monitor.
	syscall.Unsetenv(orderVar)
	syscall.Unsetenv(specVar)
	beNeighbourly(role)
	if role == guardName {
		syscall.Exit(guard(o))
	}
	if done, status := watch(o); done {
		syscall.Exit(status)
	}
	// From here on the program may be stuck in its crash text for as long as we
	// live. It is not enough to have a deadline in the code that saves: that may
	// be stuck in a write to a dead disk, and may never be reached if a package
	// of the program's cannot be initialised here.
	time.AfterFunc(o.MaxHold, func() {
		o.say("the crash was not saved within " + o.MaxHold.String() + "; the program is let go")
		syscall.Exit(ExitGave)
	})
	restoreEnviron(o.PID)
	crashed = &o
}

// watch waits until the program crashes. If it ends, or cannot be watched, done
// is true and status the monitor's exit status.
func watch(o Order) (done bool, status int) {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return giveUp(o, err)
	}
	defer syscall.Close(ep)
	// The pipe is never empty, so that level-triggered readiness would say
	// nothing. Each write makes an edge.
	const edge = 1 << 31 // EPOLLET, which package syscall has as a negative number
	if err := syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, HookFD, &syscall.EpollEvent{Events: syscall.EPOLLIN | edge, Fd: HookFD}); err != nil {
		return giveUp(o, err)
	}
	// The pipe's end tells when the program ends. Not so if it left a child
	// that was forked without exec, as C code may do; its pidfd does.
	pidfd, err := openPidfd(o.PID)
	if err == nil {
		syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, pidfd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(pidfd)})
		defer syscall.Close(pidfd)
	} else if err == syscall.ESRCH {
		return true, ExitDone
	}
	for {
		// Asked before each wait: the crash may have begun before this monitor.
		if PipeLen() > o.Prefill {
			return false, 0
		}
		events := make([]syscall.EpollEvent, 2)
		n, err := syscall.EpollWait(ep, events, -1)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return giveUp(o, err)
		}
		for _, e := range events[:n] {
			if e.Fd == HookFD && e.Events&syscall.EPOLLHUP == 0 {
				continue
			}
			if PipeLen() > o.Prefill {
				return false, 0 // killed in the middle of its crash text: save that
			}
			if e.Fd == HookFD && o.Image != 0 && ImageOf(o.PID) == o.Image {
				o.say("crashes will not be saved any more: the program gave debug.SetCrashOutput another file, or closed descriptors that are not its own")
			}
			return true, ExitDone
		}
	}
}

func giveUp(o Order, err error) (done bool, status int) {
	o.say("crashes will not be saved: epoll: " + err.Error())
	return true, ExitGave
}

// PipeLen returns the number of bytes in the hook's pipe.
func PipeLen() int {
	var n int32
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, HookFD, syscall.TIOCINQ, uintptr(unsafe.Pointer(&n))) // FIONREAD
	if e != 0 {
		return 0
	}
	return int(n)
}

// restoreEnviron gives this process the environment of the program, now that
// the program's packages are about to be initialised in it: they may refuse to
// be without. Not so what would change how the Go runtime works, or corekit.
func restoreEnviron(pid int) {
	b := readFile("/proc/"+strconv.Itoa(pid)+"/environ", 1<<20)
	for len(b) > 0 {
		end, eq := 0, 0
		for end < len(b) && b[end] != 0 {
			if b[end] == '=' && eq == 0 {
				eq = end
			}
			end++
		}
		if name := string(b[:eq]); eq > 0 && !ours(name) {
			syscall.Setenv(name, string(b[eq+1:end]))
		}
		b = b[min(end+1, len(b)):]
	}
}

func ours(name string) bool {
	switch name {
	case "GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG", "GOTRACEBACK", "GORACE", "GOCOVERDIR":
		return true
	}
	const own = "COREKIT"
	return len(name) >= len(own) && name[:len(own)] == own
}
