package process_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/corekit/corekit/platform/process"
	"golang.org/x/sys/unix"
)

// childVar makes the test binary one of the programs in children.
const childVar = "COREKIT_TEST_CHILD"

var children = map[string]func(){
	"busy": busyChild, "still": stillChild, "pages": pagesChild, "maps": mapsChild, "vfork": vforkChild,
	"panic": panicChild, "exit": exitChild, "exit-other": exitOtherChild, "tracer": tracerChild,
}

func TestMain(m *testing.M) {
	if run, ok := children[os.Getenv(childVar)]; ok {
		run()
		return
	}
	os.Exit(m.Run())
}

// self is this program; its children run elsewhere.
var self, _ = os.Executable()

// child is a running program. Its lines are its answers.
type child struct {
	*exec.Cmd
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts a child and waits for its first line.
func start(t *testing.T, name string, edit ...func(*exec.Cmd)) (*child, string) {
	t.Helper()
	c := &child{t: t, Cmd: exec.Command(self)}
	c.Env = append(os.Environ(), childVar+"="+name)
	c.Dir = t.TempDir()
	c.Stderr = os.Stderr
	for _, e := range edit {
		e(c.Cmd)
	}
	var err error
	if c.in, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.ProcessState == nil {
			c.Process.Kill()
			c.Wait()
		}
	})
	return c, c.line()
}

func (c *child) line() string {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("child %d says %q: %v", c.Process.Pid, line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (c *child) ask(line string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.line()
}

// end lets the child go and returns how it ended; it fails if that takes long.
func (c *child) end() *os.ProcessState {
	c.t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		c.t.Errorf("child %d does not end; its threads are %v", c.Process.Pid, c.states())
		c.Process.Kill()
		<-done
	}
	return c.ProcessState
}

func (c *child) open() *process.Process {
	c.t.Helper()
	p, err := process.Open(c.Process.Pid)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { p.Close() })
	return p
}

// states returns the states of the child's threads by their ids.
func (c *child) states() map[int]string {
	out := map[int]string{}
	dirs, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", c.Process.Pid))
	for _, dir := range dirs {
		tid, _ := strconv.Atoi(filepath.Base(dir))
		if b, err := os.ReadFile(dir + "/stat"); err == nil {
			_, rest, _ := strings.Cut(string(b), ") ")
			out[tid] = rest[:1]
		}
	}
	return out
}

// say prints an answer.
func say(args ...any) { fmt.Println(args...) }

// busyChild makes threads that live for a moment only, and counts SIGUSR1.
func busyChild() {
	var count atomic.Int64
	usr1 := make(chan os.Signal, 1000)
	signal.Notify(usr1, unix.SIGUSR1)
	go func() {
		for range usr1 {
			count.Add(1)
		}
	}()
	for range 4 {
		go func() {
			for {
				done := make(chan bool)
				go func() {
					runtime.LockOSThread() // its thread ends with it
					defer close(done)
					time.Sleep(100 * time.Microsecond)
				}()
				<-done
			}
		}()
	}
	for range 20 {
		go func() {
			runtime.LockOSThread()
			for {
				unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
			}
		}()
	}
	say("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		say(count.Load())
	}
}

// stillChild stands still with its main thread in read(2).
func stillChild() {
	say("ready")
	var b [1]byte
	for {
		if n, err := unix.Read(0, b[:]); n == 0 && err == nil {
			return
		}
	}
}

func init() {
	if os.Getenv(childVar) == "still" {
		runtime.LockOSThread() // to the main thread
	}
}

const pageSize = 4096

func mmap(fd int, pages int, prot, flags int) []byte {
	b, err := unix.Mmap(fd, 0, pages*pageSize, prot, flags)
	if err != nil {
		panic(err)
	}
	unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	return b
}

const (
	readWrite = unix.PROT_READ | unix.PROT_WRITE
	anonymous = unix.MAP_PRIVATE | unix.MAP_ANON
)

// pagesChild says for several mappings which of their pages are its own.
func pagesChild() {
	tell := func(name string, b []byte, own ...int) {
		fmt.Printf("%s %p %d %s\n", name, &b[0], len(b), strings.Trim(fmt.Sprint(own), "[]"))
	}
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	b := mmap(-1, 64, readWrite, anonymous)
	var even []int
	for i := 0; i < 64; i += 2 {
		b[i*pageSize] = 1
		even = append(even, i)
	}
	tell("even", b, even...)

	tell("untouched", mmap(-1, 300, unix.PROT_READ, anonymous))

	b = mmap(-1, 16, readWrite, anonymous)
	sum := byte(0)
	for i := range 16 {
		sum += b[i*pageSize]
	}
	b[7*pageSize] = sum + 1
	tell("looked-at", b, 7)

	// More runs than one scan returns.
	b = mmap(-1, 4096, readWrite, anonymous)
	even = nil
	for i := 0; i < 4096; i += 2 {
		b[i*pageSize] = 1
		even = append(even, i)
	}
	tell("many", b, even...)

	b = mmap(-1, 8, readWrite, anonymous)
	for i := range 8 {
		b[i*pageSize] = 1
	}
	must(unix.Madvise(b[2*pageSize:5*pageSize], unix.MADV_DONTNEED))
	tell("dontneed", b, 0, 1, 5, 6, 7)

	b = mmap(-1, 4, readWrite, anonymous)
	b[pageSize] = 1
	must(unix.Mprotect(b, unix.PROT_NONE))
	tell("none", b, 1)

	const guardInstall = 102 // MADV_GUARD_INSTALL (include/uapi/asm-generic/mman-common.h), since 6.13
	b = mmap(-1, 4, readWrite, anonymous)
	b[0], b[pageSize], b[3*pageSize] = 1, 1, 1
	if unix.Madvise(b[pageSize:2*pageSize], guardInstall) == nil {
		tell("guard", b, 0, 3)
	}

	f, err := os.Create("file")
	must(err)
	must(f.Truncate(16 * pageSize))
	b = mmap(int(f.Fd()), 16, readWrite, unix.MAP_PRIVATE)
	b[3*pageSize], b[5*pageSize] = 1, b[6*pageSize]
	tell("file", b, 3, 5)

	fd, err := unix.MemfdCreate("x", 0)
	must(err)
	must(unix.Ftruncate(fd, 16*pageSize))
	b = mmap(fd, 16, readWrite, unix.MAP_SHARED)
	b[pageSize], b[9*pageSize] = 1, 1
	tell("memfd", b, 1, 9)
	say("end")
	io.Copy(io.Discard, os.Stdin)
}

// mapsChild maps the file "mapped" and reports its checksum, again and again.
func mapsChild() {
	f, err := os.Open("mapped")
	if err != nil {
		panic(err)
	}
	b := mmap(int(f.Fd()), 1, unix.PROT_READ, unix.MAP_PRIVATE)
	say(fmt.Sprintf("%p", &b[0]))
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		say(fmt.Sprintf("%x", sha256.Sum256(b)))
	}
}

// vforkChild has a thread that no signal wakes: it waits for a child that was
// made by vfork and takes its time.
func vforkChild() {
	go func() {
		runtime.LockOSThread()
		fmt.Println(unix.Gettid())
		ts := unix.Timespec{Sec: 4}
		pid, _, _ := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_VFORK|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if pid == 0 {
			unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		say("runs")
	}
}

// Descriptor 3 of these children is the writing end of a full pipe: whoever
// writes to it stands still.

func panicChild() {
	debug.SetTraceback("crash")
	if err := debug.SetCrashOutput(os.NewFile(3, "hook"), debug.CrashOptions{}); err != nil {
		panic(err)
	}
	go idle()
	say("ready")
	io.ReadFull(os.Stdin, make([]byte, 1))
	panic("boom")
}

func exitChild() {
	go idle()
	say("ready")
	unix.Write(3, make([]byte, 100))
	os.Exit(7)
}

func exitOtherChild() {
	written := make(chan bool)
	go func() {
		runtime.LockOSThread()
		unix.Write(3, make([]byte, 100))
		close(written)
		select {}
	}()
	say("ready")
	runtime.LockOSThread()
	<-written
	os.Exit(7)
}

func idle() {
	runtime.LockOSThread()
	for {
		unix.Nanosleep(&unix.Timespec{Nsec: 1e5}, nil)
	}
}

// tracerChild holds and releases the process that it is told.
func tracerChild() {
	say("ready")
	in := bufio.NewScanner(os.Stdin)
	in.Scan()
	pid, _ := strconv.Atoi(in.Text())
	p, err := process.Open(pid)
	if err != nil {
		say(err)
		return
	}
	h, err := p.Hold()
	say("held ", err)
	in.Scan()
	say("released ", h.Release())
	in.Scan()
}
