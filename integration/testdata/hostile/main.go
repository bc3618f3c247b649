//go:build linux

// Command hostile calls Start and then does what a program may do and a
// crash catcher must survive. Its arguments name what.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/corekit/corekit/sdk"
	"golang.org/x/sys/unix"
)

var acts = map[string]func(){
	"panic":       func() { panic("that was it") },
	"exit":        func() { os.Exit(7) },
	"return":      func() { os.Exit(0) },
	"sleep":       func() { time.Sleep(300 * time.Millisecond) },
	"ready":       func() { fmt.Println("ready"); time.Sleep(300 * time.Millisecond) },
	"wait":        func() { fmt.Println("ready"); time.Sleep(time.Minute) },
	"storm":       storm,
	"closefds":    closeAll,
	"crashoutput": ownCrashOutput,
	"notify":      func() { signal.Notify(make(chan os.Signal, 100)) },
	"ignorechld":  func() { signal.Ignore(syscall.SIGCHLD) },
	"reap":        reap,
	"threads":     threads,
	"nofile":      func() { limit(unix.RLIMIT_NOFILE, 16) },
	"nofile5":     func() { limit(unix.RLIMIT_NOFILE, 5) },
	"nproc":       func() { limit(unix.RLIMIT_NPROC, 1) },
	"as":          func() { limit(unix.RLIMIT_AS, 1<<30) },
	"seccomp":     seccomp,
	"heap":        func() { heap = ballast(300 << 20) },
	"child":       func() { exec.Command("sleep", "2").Start() },
	"fatal":       func() { var mu sync.Mutex; mu.Unlock() },
	"quit":        func() { syscall.Kill(os.Getpid(), syscall.SIGQUIT); time.Sleep(time.Second) },
	"exec":        func() { syscall.Exec("/proc/self/exe", []string{"hostile", "start", "panic"}, os.Environ()) },
	"start":       func() { start() },
}

var heap [][]byte

func main() {
	for _, arg := range os.Args[1:] {
		act, ok := acts[arg]
		if !ok {
			fmt.Fprintln(os.Stderr, "no such act:", arg)
			os.Exit(64)
		}
		act()
	}
}

func start() {
	begin := time.Now()
	r := sdk.Start(sdk.Config{})
	if took := time.Since(begin); os.Getenv("HOSTILE_TELL") != "" {
		fmt.Printf("mode=%s took=%v err=%q\n", r.Mode(), took, fmt.Sprint(r.Err()))
	}
}

// storm makes many goroutines, on threads of their own, panic at once.
func storm() {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range 100 {
		wg.Add(1)
		go func() {
			runtime.LockOSThread()
			wg.Done()
			<-begin
			panic(fmt.Sprint("storm ", i))
		}()
	}
	wg.Wait()
	close(begin)
	time.Sleep(time.Minute)
}

// closeAll closes every descriptor but the three and the runtime's poller.
func closeAll() {
	time.Sleep(50 * time.Millisecond)
	for fd := 3; fd < 100; fd++ {
		if link, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)); !strings.HasPrefix(link, "anon_inode:[event") {
			unix.Close(fd)
		}
	}
}

func ownCrashOutput() {
	f, err := os.Create(os.Getenv("HOSTILE_FILE"))
	if err != nil {
		panic(err)
	}
	debug.SetCrashOutput(f, debug.CrashOptions{})
}

// reap is what a process 1 does, and tells what it sees.
func reap() {
	go func() {
		for {
			var ws syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &ws, 0, nil)
			if err == syscall.ECHILD {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			fmt.Fprintln(os.Stdout, "reaped", pid, ws)
		}
	}()
}

// threads makes threads that are all blocked in a system call.
func threads() {
	n, _ := strconv.Atoi(os.Getenv("HOSTILE_THREADS"))
	for range n {
		go func() {
			runtime.LockOSThread()
			unix.Select(0, nil, nil, nil, &unix.Timeval{Sec: 60})
		}()
	}
	for runtime.NumGoroutine() < n {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
}

func limit(what int, n uint64) {
	if err := unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: n}); err != nil {
		panic(err)
	}
}

func ballast(n int) (out [][]byte) {
	for ; n > 0; n -= 1 << 20 {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i*i>>3) ^ byte(n>>20)
		}
		out = append(out, b)
	}
	return out
}

// seccomp makes the system calls named in HOSTILE_SECCOMP fail with EPERM.
func seccomp() {
	nrs := map[string]uint32{"ptrace": unix.SYS_PTRACE, "process_vm_readv": unix.SYS_PROCESS_VM_READV,
		"pidfd_open": unix.SYS_PIDFD_OPEN, "pidfd_getfd": unix.SYS_PIDFD_GETFD, "execve": unix.SYS_EXECVE,
		"prctl": unix.SYS_PRCTL, "epoll_create1": unix.SYS_EPOLL_CREATE1, "setsid": unix.SYS_SETSID, "prlimit64": unix.SYS_PRLIMIT64}
	prog := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}}
	for _, name := range strings.Split(os.Getenv("HOSTILE_SECCOMP"), ",") {
		prog = append(prog,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nrs[name], Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)})
	}
	prog = append(prog, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	filter(prog)
}
