package standby

import (
	"strconv"
	"syscall"
	"unsafe"
)

// beNeighbourly makes the process one that nobody minds: named, deaf to what
// is sent to the whole group or service, and without descriptors that C code
// in the program forgot to mark close-on-exec.
func beNeighbourly(role string) {
	name := append([]byte(role), 0)
	syscall.Syscall(syscall.SYS_PRCTL, syscall.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP, syscall.SIGPIPE, syscall.SIGALRM} {
		ignore(s)
	}
	const rlimitCore = 4 // include/uapi/asm-generic/resource.h
	syscall.Setrlimit(rlimitCore, &syscall.Rlimit{})
	closeOthers()
}

// ignore is signal.Ignore, which is not there yet.
func ignore(s syscall.Signal) {
	// struct sigaction as the kernel has it (include/linux/signal_types.h).
	const sigIgn = 1
	action := struct {
		handler, flags, restorer uintptr
		mask                     uint64
	}{handler: sigIgn}
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}

// closeOthers closes what was inherited besides the hook.
func closeOthers() {
	dir, err := syscall.Open("/proc/self/fd", syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer syscall.Close(dir)
	var names []string
	buf := make([]byte, 4096)
	for {
		n, err := syscall.ReadDirent(dir, buf)
		if err != nil || n <= 0 {
			break
		}
		_, _, names = syscall.ParseDirent(buf[:n], -1, names)
	}
	// The runtime's own poller is not inherited, and has to stay.
	const poller = "anon_inode:[event"
	link := make([]byte, len(poller))
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd <= HookFD || fd == dir {
			continue
		}
		n, _ := syscall.Readlink("/proc/self/fd/"+name, link)
		if string(link[:max(0, n)]) != poller {
			syscall.Close(fd)
		}
	}
}
