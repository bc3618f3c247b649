package monitor

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/corekit/corekit/platform"
	"golang.org/x/sys/unix"
)

// self is the running executable, even if its file was replaced or deleted.
const self = "/proc/self/exe"

// kept are the variables that a monitor needs of its program's environment:
// those that the dynamic linker and the coverage tool look at, and no others,
// so that no secret is copied into one more process.
var kept = []string{"LD_LIBRARY_PATH", "LD_PRELOAD", "GOCOVERDIR", "TMPDIR"}

// spawn starts this executable again in the given role. It uses
// syscall.StartProcess, not package os: that would look for pidfd support by
// starting one more process.
func spawn(role string, s Spec, hook int) (int, error) {
	env := []string{specVar + "=" + s.encode(), "GOTRACEBACK=single"}
	for _, name := range kept {
		if v, ok := syscall.Getenv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	none := ^uintptr(0) // closed; the child's runtime opens /dev/null there
	pid, _, err := syscall.StartProcess(self, []string{role + ": " + programName(s.PID)}, &syscall.ProcAttr{
		Dir:   "/", // so that no mount stays busy because of us
		Env:   env,
		Files: []uintptr{none, none, none, uintptr(hook)},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", role, err)
	}
	return pid, nil
}

func programName(pid int) string {
	if path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
		return filepath.Base(strings.TrimSuffix(path, " (deleted)"))
	}
	return "pid " + strconv.Itoa(pid)
}

func takeOver() {
	if len(os.Args) == 0 {
		return
	}
	role, _, _ := strings.Cut(os.Args[0], ":")
	if role != guardName && role != monitorName {
		return
	}
	text, ok := os.LookupEnv(specVar)
	var s Spec
	if !ok || json.Unmarshal([]byte(text), &s) != nil {
		return
	}
	beNeighbourly(role)
	if role == guardName {
		os.Exit(guard(s))
	}
	os.Exit(watch(s))
}

// beNeighbourly makes the process one that nobody minds: named, deaf to what
// is sent to the whole group or service, and without descriptors that C code
// in the program forgot to mark close-on-exec.
func beNeighbourly(role string) {
	platform.SetName(role)
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP, syscall.SIGPIPE)
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd <= hookFD || fd == int(dir.Fd()) {
			continue
		}
		// The runtime's own poller is not inherited.
		link, _ := os.Readlink("/proc/self/fd/" + name)
		if !strings.HasPrefix(link, "anon_inode:[event") {
			syscall.Close(fd)
		}
	}
}
