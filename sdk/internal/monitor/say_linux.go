package monitor

import (
	"github.com/corekit/corekit/platform/process"
	"golang.org/x/sys/unix"
)

// sayPatience bounds, in milliseconds, how long a message waits for a reader
// of the program's standard error. Nobody dies later because of it.
const sayPatience = 500

// say writes one line to the program's standard error. It opens that for just
// this moment: a monitor that kept it would keep a pipe's reader waiting after
// the program's end.
func say(pid int, line string) {
	p, err := process.Open(pid)
	if err != nil {
		return
	}
	defer p.Close()
	f, err := p.OpenStderr()
	if err != nil {
		return
	}
	defer f.Close()
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLOUT}}
	if n, err := unix.Poll(fds, sayPatience); err != nil || n != 1 || fds[0].Revents&unix.POLLOUT == 0 {
		return
	}
	unix.Write(int(f.Fd()), []byte("corekit: "+line+"\n"))
}
