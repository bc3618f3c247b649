package standby

import (
	"strconv"
	"syscall"
)

// Self is the running executable, even if its file was replaced or deleted.
const Self = "/proc/self/exe"

// inherited are the variables that a guard and a monitor need of the program's
// environment: those that the dynamic linker and the coverage tool look at,
// and no others, so that no secret is copied into two more processes.
var inherited = []string{"LD_LIBRARY_PATH", "LD_PRELOAD", "GOCOVERDIR", "TMPDIR"}

// Spawn starts the guard, and by that the monitor, of this process; hook is
// the reading end of the pipe. It returns the guard's process id.
func Spawn(o Order, hook int) (pid int, err error) { return spawn(guardName, o, hook) }

// spawn starts this executable again in the given role. It uses
// syscall.StartProcess, not package os: that would look for pidfd support by
// starting one more process.
func spawn(role string, o Order, hook int) (int, error) {
	env := append(o.environ(), "GOTRACEBACK=single")
	for _, name := range inherited {
		if v, ok := syscall.Getenv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	none := ^uintptr(0) // closed; the child's runtime opens /dev/null there
	pid, _, err := syscall.StartProcess(Self, []string{role + ": " + programName(o.PID)}, &syscall.ProcAttr{
		Dir:   "/", // so that no mount stays busy because of us
		Env:   env,
		Files: []uintptr{none, none, none, uintptr(hook)},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, &startError{role, err}
	}
	return pid, nil
}

// startError is what fmt.Errorf would make; fmt is not there yet.
type startError struct {
	role string
	err  error
}

func (e *startError) Error() string { return "start " + e.role + ": " + e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

func programName(pid int) string {
	b := make([]byte, syscall.PathMax)
	n, err := syscall.Readlink("/proc/"+strconv.Itoa(pid)+"/exe", b)
	if err != nil {
		return "pid " + strconv.Itoa(pid)
	}
	const deleted = " (deleted)"
	if m := n - len(deleted); m > 0 && string(b[m:n]) == deleted {
		n = m
	}
	begin := n
	for begin > 0 && b[begin-1] != '/' {
		begin--
	}
	return string(b[begin:n])
}
