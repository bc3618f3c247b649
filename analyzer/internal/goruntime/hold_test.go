//go:build linux && amd64

package goruntime_test

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/corekit/corekit/analyzer/gotrace"
	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// TestHeld looks at processes that stand still in their first write to a full
// crash output, before anything is printed: how the monitor sees them.
func TestHeld(t *testing.T) {
	exe := buildProgram(t, "crash", "-ldflags=-s -w")
	cgo := buildProgram(t, "cgocrash")
	var sum score
	for _, sc := range scenarios {
		name, file := sc.name, exe
		if sc.cgo {
			name, file = "cgo-"+sc.name, cgo
		}
		t.Run(name, func(t *testing.T) { held(t, file, sc, &sum) })
	}
	t.Logf("%d of %d goroutines agree with the runtime's text", sum.agreed, sum.total)
}

// heldProcess is a program that stands still in its crash output.
type heldProcess struct {
	cmd    *exec.Cmd
	pipe   *os.File // drain it to let the program go on
	stdout io.Reader
	stderr *bytes.Buffer
}

// hold starts a program and waits until it blocks.
func hold(t testing.TB, exe string, sc scenario) heldProcess {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	const size = 4096
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, w.Fd(), 1031 /* F_SETPIPE_SZ */, size); errno != 0 {
		t.Fatal(errno)
	}
	// Pieces up to PIPE_BUF are written whole or not at all: there must be
	// room for the longest first one, "SIGSEGV: segmentation violation".
	const room = 64
	if _, err := w.Write(make([]byte, size-room)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, sc.name)
	cmd.Env = append(os.Environ(), "GOTRACEBACK=crash", "CRASH_OUTPUT_FD=3")
	cmd.ExtraFiles = []*os.File{w}
	cmd.Dir = t.TempDir()
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	kill := time.AfterFunc(120*time.Second, func() { cmd.Process.Kill() })
	t.Cleanup(func() { kill.Stop() })
	if sc.signal != 0 {
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			t.Fatalf("waiting for the program: %v", err)
		}
		time.Sleep(30 * time.Millisecond)
		cmd.Process.Signal(sc.signal)
	}
	waitBlocked(t, r, size-room)
	return heldProcess{cmd, r, stdout, stderr}
}

// dieHeld returns a program held in its crash; release kills it. The calling
// goroutine is locked to its thread until then.
func dieHeld(t testing.TB, exe, name string) (in goruntime.Input, release func()) {
	t.Helper()
	h := hold(t, exe, scenario{name: name})
	runtime.LockOSThread()
	in, detach := stop(t, h.cmd.Process.Pid, exe)
	return in, func() {
		// In this order: the dead threads of a traced process wait for the
		// tracer.
		detach()
		h.cmd.Process.Kill()
		h.cmd.Wait()
		runtime.UnlockOSThread()
	}
}

func held(t *testing.T, exe string, sc scenario, sum *score) {
	h := hold(t, exe, sc)
	cmd, r, stdout, stderr := h.cmd, h.pipe, h.stdout, h.stderr
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	in, release := stop(t, cmd.Process.Pid, exe)
	p, err := goruntime.Open(in)
	if err != nil {
		release()
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatal(err)
	}
	// Everything must be read while the process is held.
	gs, err := p.Goroutines()
	if err != nil {
		t.Error(err)
	}
	crash, err := p.Crash()
	if err != nil {
		t.Error(err)
	}
	stacks := make(map[uint64]goruntime.Stack)
	byID := make(map[uint64]goruntime.Goroutine)
	for _, g := range gs {
		byID[g.ID] = g
		if stacks[g.ID], err = p.Stack(g); err != nil {
			t.Error(err)
		}
	}
	for _, th := range in.Threads {
		if s, err := p.ThreadStack(th.TID); err != nil || len(s.Frames) == 0 {
			t.Errorf("thread %d has no stack: %v", th.TID, err)
		}
	}
	release()
	go io.Copy(io.Discard, r)
	io.Copy(io.Discard, stdout)
	cmd.Wait()

	trace, err := gotrace.Parse(stderr.String())
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	agreed, total := 0, 0
	seen := make(map[uint64]bool)
	for i := range trace.Goroutines {
		want := &trace.Goroutines[i]
		g, ok := byID[want.ID]
		if want.ID == 0 || want.Unavailable || seen[want.ID] || ok && g.Status == "running" && want.ID != crash.Goroutine {
			seen[want.ID] = true // it ran on while it was printed
			continue
		}
		total++
		if !ok {
			t.Errorf("goroutine %d [%s] is missing", want.ID, want.Header)
		} else if diff := compare(want, g, stacks[g.ID]); diff != "" {
			t.Errorf("goroutine %d [%s]: %s", g.ID, want.Header, diff)
		} else {
			agreed++
		}
	}
	sum.add(agreed, total)
	checkCrash(t, p, sc, stderr.String(), trace)
	for _, warning := range p.Warnings() {
		t.Errorf("warning: %s", warning)
	}
	if sc.name == "nil-leaf" {
		checkFaultRegs(t, crash)
	}
}

// checkFaultRegs verifies that the registers are those of the faulting
// instruction: RAX, the argument, is the nil pointer, and the next frame's SP
// lies one return address above.
func checkFaultRegs(t *testing.T, c *goruntime.Crash) {
	f := c.Stack.Frames[c.Fault]
	if f.Regs.G == nil {
		t.Fatal("the faulting frame has no registers")
	}
	rax, ok := f.Regs.G[0]
	if !ok || rax != 0 || f.Regs.G[16] != f.PC || f.Regs.G[7] != f.SP || f.Regs.G[6] != f.Regs.FP {
		t.Errorf("registers are %#x in frame %+v", f.Regs.G, f)
	}
	if next := c.Stack.Frames[c.Fault+1]; next.SP != f.SP+8 || f.CFA != next.SP {
		t.Errorf("the frameless leaf's SP is %#x, CFA %#x, its caller's SP %#x", f.SP, f.CFA, next.SP)
	}
}

// waitBlocked waits until more is in the pipe than the n bytes it began with,
// and the writer has had time to block.
func waitBlocked(t testing.TB, r *os.File, n int) {
	t.Helper()
	for range 3000 {
		var have int32
		const fionread = 0x541B
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, r.Fd(), fionread, uintptr(unsafe.Pointer(&have))); errno != 0 {
			t.Fatal(errno)
		}
		if int(have) > n {
			time.Sleep(20 * time.Millisecond)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the program did not crash")
}

// stop stops every thread of a process.
func stop(t testing.TB, pid int, exe string) (in goruntime.Input, release func()) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	in = goruntime.Input{Machine: elf.EM_X86_64}
	for _, task := range tasks {
		tid, _ := strconv.Atoi(filepath.Base(task))
		if err := syscall.PtraceAttach(tid); err != nil {
			unmet(t, "ptrace is not allowed: "+err.Error())
		}
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(tid, &ws, syscall.WALL, nil); err != nil {
			t.Fatal(err)
		}
		var regs syscall.PtraceRegs
		if err := syscall.PtraceGetRegs(tid, &regs); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		binary.Write(&b, binary.LittleEndian, &regs)
		in.Threads = append(in.Threads, goruntime.Thread{TID: tid, Regs: userRegs(b.Bytes())})
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	in.Mem, in.Exe = fileMemory{mem}, file
	return in, func() {
		for _, th := range in.Threads {
			syscall.PtraceDetach(th.TID)
		}
		mem.Close()
		file.Close()
	}
}

// fileMemory is /proc/PID/mem.
type fileMemory struct{ f *os.File }

func (m fileMemory) ReadMemory(p []byte, addr uint64) (int, error) {
	if addr > 1<<62 {
		return 0, fmt.Errorf("no memory at %#x", addr)
	}
	return m.f.ReadAt(p, int64(addr))
}
