package standby

import (
	"strconv"
	"syscall"
	"unsafe"
)

// sayPatience bounds, in milliseconds, how long a message waits for a reader
// of the program's standard error. Nobody dies later because of it.
const sayPatience = 500

// Say writes one line to the standard error of process pid. It opens that for
// just this moment: a monitor that kept it would keep a pipe's reader waiting
// after the program's end.
func Say(pid int, line string) {
	if fd, err := OpenStderr(pid); err == nil {
		SayTo(fd, line)
		syscall.Close(fd)
	}
}

// say is Say about the program of this guard or monitor. A program that is in
// its crash text stands still in the middle of a line.
func (o Order) say(line string) {
	fd, err := OpenStderr(o.PID)
	if err != nil {
		return
	}
	defer syscall.Close(fd)
	line = prefix + line
	if PipeLen() > o.Prefill {
		line = "\n" + line
	}
	write(fd, line)
}

// prefix begins whatever is said.
const prefix = "corekit: "

// SayTo writes one line to the descriptor fd.
func SayTo(fd int, line string) { write(fd, prefix+line) }

func write(fd int, line string) {
	b := []byte(line + "\n")
	// A socket whose reader is slow does not count as writable long before it
	// is full (net/unix/af_unix.c, unix_writable), so that is tried first.
	err := send(fd, b)
	if err == nil {
		return
	}
	if poll(fd, pollOut, sayPatience)&pollOut == 0 {
		return
	}
	if err == syscall.ENOTSOCK {
		syscall.Write(fd, b)
		return
	}
	send(fd, b)
}

// send writes to a socket, without waiting.
func send(fd int, b []byte) error {
	return syscall.Sendmsg(fd, b, nil, nil, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

// The numbers of these are the same on all architectures.
const (
	sysPidfdOpen  = 434
	sysPidfdGetfd = 438
)

// OpenStderr opens the standard error of process pid for writing.
func OpenStderr(pid int) (int, error) {
	// A socket (systemd's journal) cannot be opened by name, but its
	// descriptor can be borrowed; so try that first, since 5.6. The kernel
	// makes it close-on-exec.
	if pidfd, err := openPidfd(pid); err == nil {
		defer syscall.Close(pidfd)
		fd, _, e := syscall.Syscall(sysPidfdGetfd, uintptr(pidfd), 2, 0)
		if e == 0 {
			return int(fd), nil
		}
	}
	return syscall.Open("/proc/"+strconv.Itoa(pid)+"/fd/2",
		syscall.O_WRONLY|syscall.O_APPEND|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
}

// openPidfd is pidfd_open(2), since 5.3.
func openPidfd(pid int) (int, error) {
	fd, _, e := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}

// include/uapi/asm-generic/poll.h
const (
	pollOut = 4
	pollHUP = 16
)

// poll asks one descriptor for events, waiting at most the given number of
// milliseconds, and returns those that it has.
func poll(fd int, events int16, timeout int) int16 {
	p := struct {
		fd              int32
		events, revents int16
	}{int32(fd), events, 0}
	ts := syscall.NsecToTimespec(int64(timeout) * 1e6)
	n, _, e := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if e != 0 || n != 1 {
		return 0
	}
	return p.revents
}
