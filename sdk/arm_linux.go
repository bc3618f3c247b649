package sdk

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/corekit/corekit/platform"
	"github.com/corekit/corekit/sdk/bundle"
	"github.com/corekit/corekit/sdk/internal/monitor"
)

// arm turns on, step by step, all that this system allows. A step that fails
// leaves the others in force.
func (r *Recorder) arm(c Config) {
	if err := room(); err != nil {
		debug.SetTraceback("crash")
		r.mode = "kernel"
		r.fail("descriptors", err, "raise RLIMIT_NOFILE (ulimit -n)")
		complain("crashes will not be saved: " + err.Error())
		return
	}
	r.armKernel()
	if err := fit(); err != nil {
		r.fail("executable", err, "call Start in a program whose main is Go's")
		complain("crashes will not be saved: " + err.Error())
		return
	}
	dir, err := prepare(c.Dir)
	if err != nil {
		r.fail("directory", err, "set Config.Dir or COREKIT_DIR to a directory that can be written")
		complain("crashes will not be saved: " + err.Error() + " (set Config.Dir or COREKIT_DIR to a directory that can be written)")
		return
	}
	c.Dir = dir
	if err := r.armMonitor(c); err != nil {
		r.fail("monitor", err, "")
		complain("crashes will not be saved: " + err.Error())
		return
	}
	r.mode = "monitor"
}

func prepare(dir string) (string, error) {
	if dir == "" {
		dir = bundle.DefaultDir()
	}
	if dir == "" {
		return "", errors.New("this user has no home and no temporary directory")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, bundle.Prepare(dir)
}

// armKernel prepares what is left if the monitor should fail: a core file of
// the kernel's. FilterMappedPrivate puts the program's own code into it, so
// that it can be read even when the executable is gone.
func (r *Recorder) armKernel() {
	debug.SetTraceback("crash")
	r.mode = "kernel"
	if err := platform.RaiseCoreLimit(); err != nil {
		r.fail("core limit", err, "")
	}
	err := platform.AddCoreFilter(platform.FilterAnonPrivate | platform.FilterAnonShared |
		platform.FilterMappedPrivate | platform.FilterELFHeaders)
	if err != nil {
		r.fail("core filter", err, "")
	}
}

// armMonitor makes the pipe, starts the monitor with its reading end and gives
// the runtime the writing end.
func (r *Recorder) armMonitor(c Config) error {
	hook, err := newHook()
	if err != nil {
		return err
	}
	defer hook.close()
	pid, err := monitor.Start(monitor.Spec{
		PID: os.Getpid(), Prefill: hook.prefill, Dir: c.Dir,
		MaxBundles: c.MaxBundles, MaxBytes: c.MaxBytes, MaxHold: c.MaxHold,
		WithArgs: c.WithArgs, WithEnv: c.WithEnv, Traceback: os.Getenv("GOTRACEBACK"),
	}, hook.r)
	if err != nil {
		return err
	}
	if err := platform.AllowTracer(pid); err != nil {
		r.fail("tracer", err, "")
	}
	f := os.NewFile(uintptr(hook.w), "crash hook")
	hook.w = -1
	defer f.Close()
	return debug.SetCrashOutput(f, debug.CrashOptions{})
}

// hook is the pipe that the runtime writes its crash text to.
type hook struct {
	r, w    int
	prefill int // bytes that are in the pipe already
}

const (
	// hookSize is what the pipe's size is set to; the kernel rounds it up to a
	// page, and one page is one buffer.
	hookSize = 4096
	// hookRoom is what the first write finds. The kernel writes a piece of text
	// whole or not at all, and one that does not fit wakes nobody: so it must
	// hold the first piece of any crash text ("panic: ", "\n", and the longest,
	// the name of a signal in runtime/sigtab_linux_generic.go), and be too
	// small for the whole text, so that one of the next pieces blocks.
	hookRoom = 64
)

func newHook() (*hook, error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	h := &hook{r: fds[0], w: fds[1]}
	size, err := h.setSize(hookSize)
	if err != nil {
		h.close()
		return nil, err
	}
	h.prefill = size - hookRoom
	// One write, as a pipe does not join pieces across buffers.
	n, err := syscall.Write(h.w, make([]byte, h.prefill))
	if err != nil || n != h.prefill {
		h.close()
		return nil, os.NewSyscallError("fill crash hook", err)
	}
	return h, nil
}

// setSize sets the pipe's capacity and returns what it has become, which is a
// page (include/uapi/linux/fcntl.h, F_SETPIPE_SZ and F_GETPIPE_SZ).
func (h *hook) setSize(n int) (int, error) {
	size, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(h.w), 1031, uintptr(n))
	if e != 0 {
		return 0, os.NewSyscallError("fcntl F_SETPIPE_SZ", e)
	}
	return int(size), nil
}

func (h *hook) close() {
	syscall.Close(h.r)
	if h.w >= 0 {
		syscall.Close(h.w)
	}
}
