package process_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/corekit/corekit/platform/process"
	"golang.org/x/sys/unix"
)

func hold(t *testing.T, p *process.Process) *process.Held {
	t.Helper()
	h, err := p.Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Release() }) // for tests that fail; does nothing twice
	return h
}

func release(t *testing.T, h *process.Held) {
	t.Helper()
	if err := h.Release(); err != nil {
		t.Fatal(err)
	}
}

// TestHoldBusy holds a process whose threads come and go all the time. Nothing
// may run while it is held, and no signal may get lost.
func TestHoldBusy(t *testing.T) {
	c, _ := start(t, "busy")
	for len(c.states()) < 25 {
		time.Sleep(time.Millisecond)
	}
	p := c.open()
	var slowest time.Duration
	for cycle := range 50 {
		if cycle%2 == 0 { // may be on its way when the threads stop
			c.Process.Signal(unix.SIGUSR1)
		}
		begun := time.Now()
		h := hold(t, p)
		slowest = max(slowest, time.Since(begun))
		if cycle%2 == 1 {
			c.Process.Signal(unix.SIGUSR1)
		}
		var held []int
		for _, th := range h.Threads {
			if len(th.Regs) > 0 {
				held = append(held, th.TID)
			}
		}
		if h.Threads[0].TID != c.Process.Pid || len(held) < 20 || len(h.Unstopped) > 0 {
			t.Errorf("cycle %d: threads %v, unstopped %v", cycle, held, h.Unstopped)
		}
		for range 2 {
			for tid, state := range c.states() {
				// One on its way out may have been passed over.
				if state != "t" && state != "X" && state != "Z" || state == "t" && !slices.Contains(held, tid) {
					t.Errorf("cycle %d: thread %d is in state %q", cycle, tid, state)
				}
			}
			time.Sleep(2 * time.Millisecond)
		}
		release(t, h)
		for wait := time.Now(); c.ask("count") != strconv.Itoa(cycle+1); {
			if time.Since(wait) > 5*time.Second {
				t.Fatalf("cycle %d: a signal got lost", cycle)
			}
		}
	}
	t.Logf("slowest hold: %v", slowest)
	c.in.Close()
	if st := c.end(); !st.Success() {
		t.Error(st)
	}
}

// TestHoldStopped checks that a process that was stopped stays so.
func TestHoldStopped(t *testing.T) {
	c, _ := start(t, "busy")
	p := c.open()
	c.Process.Signal(unix.SIGSTOP)
	stopped := func() bool {
		for range 100 {
			if c.states()[c.Process.Pid] == "T" {
				return true
			}
			time.Sleep(time.Millisecond)
		}
		return false
	}
	if !stopped() {
		t.Fatal("SIGSTOP does not stop it")
	}
	release(t, hold(t, p))
	if !stopped() {
		t.Errorf("after the release: %v", c.states())
	}
	c.Process.Signal(unix.SIGCONT)
	c.ask("count")
}

// TestHoldKilled checks that a process that is killed while it is held goes
// away when it is released, even though its holder lives on.
func TestHoldKilled(t *testing.T) {
	c, _ := start(t, "busy")
	holder, _ := start(t, "tracer")
	if got := holder.ask(strconv.Itoa(c.Process.Pid)); got != "held  <nil>" {
		t.Fatal(got)
	}
	c.Process.Kill()
	time.Sleep(20 * time.Millisecond)
	if got := holder.ask(""); got != "released  <nil>" {
		t.Error(got)
	}
	if st := c.end(); st.Sys().(interface{ Signal() unix.Signal }).Signal() != unix.SIGKILL {
		t.Error(st)
	}
}

// TestHoldOwnKilled is the same with a child of our own, whose status must be
// left to its parent.
func TestHoldOwnKilled(t *testing.T) {
	c, _ := start(t, "busy")
	h := hold(t, c.open())
	c.Process.Kill()
	time.Sleep(20 * time.Millisecond)
	release(t, h)
	if st := c.end(); st == nil || st.String() != "signal: killed" {
		t.Error(st)
	}
}

// TestHolderDies checks that the kernel lets the process go on.
func TestHolderDies(t *testing.T) {
	c, _ := start(t, "busy")
	holder, _ := start(t, "tracer")
	if got := holder.ask(strconv.Itoa(c.Process.Pid)); got != "held  <nil>" {
		t.Fatal(got)
	}
	holder.Process.Kill()
	c.ask("count")
}

func TestHoldTraced(t *testing.T) {
	c, _ := start(t, "busy")
	p := c.open()
	holder, _ := start(t, "tracer")
	if got := holder.ask(strconv.Itoa(c.Process.Pid)); got != "held  <nil>" {
		t.Fatal(got)
	}
	var traced *process.TracedError
	if _, err := p.Hold(); !errors.As(err, &traced) || traced.TracerPID != holder.Process.Pid || traced.PID != c.Process.Pid {
		t.Errorf("held by another process: %v", err)
	}
	holder.ask("")
	h := hold(t, p)
	if _, err := p.Hold(); !errors.As(err, &traced) || traced.TracerPID != os.Getpid() {
		t.Errorf("held by ourselves: %v", err)
	}
	if _, err := p.Hold(); err == nil || c.states()[c.Process.Pid] != "t" {
		t.Errorf("%v; the one who holds it has lost it", err)
	}
	release(t, h)
	c.ask("count")
}

func TestHoldGone(t *testing.T) {
	c, _ := start(t, "still")
	p := c.open()
	c.Process.Kill()
	for c.states()[c.Process.Pid] != "Z" {
		time.Sleep(time.Millisecond)
	}
	if _, err := p.Hold(); !errors.Is(err, unix.ESRCH) {
		t.Errorf("a zombie: %v", err)
	}
	c.end()
	if _, err := p.Hold(); !errors.Is(err, unix.ESRCH) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := process.Open(c.Process.Pid); !errors.Is(err, unix.ESRCH) {
		t.Errorf("open: %v", err)
	}
}

// offMain runs f on another thread than the main one, which never ends before
// the program.
func offMain(f func()) {
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			offMain(f)
			runtime.UnlockOSThread()
			return
		}
		f() // and end locked
	}()
	<-done
}

// TestHoldAsleep holds a process with a thread that cannot be stopped.
func TestHoldAsleep(t *testing.T) {
	c, line := start(t, "vfork")
	asleep, _ := strconv.Atoi(line)
	p := c.open()
	time.Sleep(10 * time.Millisecond)
	offMain(func() { // takes the thread with it
		h, err := p.Hold()
		if err != nil {
			t.Error(err)
			return
		}
		if !slices.Equal(h.Unstopped, []int{asleep}) {
			t.Errorf("unstopped threads: %v, want %d", h.Unstopped, asleep)
		}
		for _, th := range h.Threads {
			if (th.Regs == nil) != (th.TID == asleep) {
				t.Errorf("thread %d has %d bytes of registers", th.TID, len(th.Regs))
			}
		}
		if err := h.Release(); err == nil {
			t.Error("released what cannot be stopped")
		}
	})
	c.ask("")
	for s := "D"; s == "D"; time.Sleep(10 * time.Millisecond) {
		s = c.states()[asleep]
	}
	time.Sleep(20 * time.Millisecond)
	if s := c.states()[asleep]; s == "t" {
		t.Error("it is still held")
	}
}

// TestRegisters compares the registers with those that gdb shows.
func TestRegisters(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("compares amd64 registers")
	}
	gdb, err := exec.LookPath("gdb")
	if err != nil {
		if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	c, _ := start(t, "still")
	p := c.open()
	time.Sleep(10 * time.Millisecond)
	h := hold(t, p)
	th := h.Threads[0]
	release(t, h)
	out, err := exec.Command(gdb, "-batch", "-nx", self, strconv.Itoa(c.Process.Pid),
		"-ex", "info registers", "-ex", "p/x $mxcsr").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	value := func(pattern string) uint64 {
		m := regexp.MustCompile(pattern).FindSubmatch(out)
		if m == nil {
			t.Fatalf("gdb does not say %s:\n%s", pattern, out)
		}
		n, err := strconv.ParseUint(string(m[1]), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	// struct user_regs_struct (arch/x86/include/asm/user_64.h).
	names := strings.Fields("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi - rip cs eflags rsp ss - - ds es fs gs")
	for i, name := range names {
		if name == "-" {
			continue
		}
		if got, want := binary.LittleEndian.Uint64(th.Regs[8*i:]), value(`(?m)^`+name+` +0x([0-9a-f]+)`); got != want {
			t.Errorf("%s = %#x, gdb says %#x", name, got, want)
		}
	}
	// What gdb does not show of every program: orig_rax.
	if got := binary.LittleEndian.Uint64(th.Regs[8*15:]); got != unix.SYS_READ {
		t.Errorf("orig_rax = %d, want that of read", got)
	}
	// mxcsr in struct fxregs_state; XSAVE begins with the same.
	want := value(`\$1 = 0x([0-9a-f]+)`)
	for _, set := range [][]byte{th.FPRegs, th.XState} {
		if len(set) < 512 || uint64(binary.LittleEndian.Uint32(set[24:])) != want {
			t.Errorf("floating-point set of %d bytes, mxcsr is not %#x", len(set), want)
		}
	}
}

func TestStat(t *testing.T) {
	c, _ := start(t, "still", func(c *exec.Cmd) { c.Args = append(c.Args, "an argument", "") })
	s, err := c.open().Stat()
	if err != nil {
		t.Fatal(err)
	}
	sid, _ := unix.Getsid(0)
	if s.PPID != os.Getpid() || s.PGRP != unix.Getpgrp() || s.SID != sid || s.UID != uint32(os.Getuid()) ||
		s.GID != uint32(os.Getgid()) || s.NamespacePID != c.Process.Pid || s.TracerPID != 0 || s.Threads < 2 {
		t.Errorf("%+v", s)
	}
	if !slices.Equal(s.Args, c.Args) || !strings.HasPrefix(filepath.Base(self), s.Comm) || s.Comm == "" {
		t.Errorf("%+v", s)
	}
	c.Process.Kill()
	for c.states()[c.Process.Pid] != "Z" {
		time.Sleep(time.Millisecond)
	}
	if s, err = c.open().Stat(); err != nil || s.State != 'Z' || s.Args != nil {
		t.Errorf("zombie: %+v, %v", s, err)
	}
}

func TestEnvironAuxv(t *testing.T) {
	c, _ := start(t, "still", func(c *exec.Cmd) { c.Env = append(c.Env, "EMPTY=") })
	p := c.open()
	env, err := p.Environ()
	if err != nil || !slices.Contains(env, childVar+"=still") || env[len(env)-1] == "" || !slices.Contains(env, "EMPTY=") {
		t.Errorf("%q, %v", env, err)
	}
	want, _ := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", c.Process.Pid))
	if got, err := p.Auxv(); err != nil || string(got) != string(want) || len(got) < 64 {
		t.Errorf("% x, %v", got, err)
	}
}
