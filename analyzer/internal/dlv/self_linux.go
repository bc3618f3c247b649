package dlv

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// selfPath names this program in a way that still works when its file has
// been replaced or removed, as "go run" does.
func selfPath() (string, error) { return "/proc/self/exe", nil }

// limitResources makes an allocation of the calling process fail that takes
// its data beyond n bytes more than it has now, and keeps it from dumping core.
// RLIMIT_DATA and not RLIMIT_AS, because the Go runtime reserves much address
// space that it does not use.
func limitResources(n uint64) {
	syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	// Field 6 of /proc/self/statm is data and stack in pages: proc_pid_statm
	// in fs/proc/array.c.
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return
	}
	fields := bytes.Fields(statm)
	if len(fields) < 6 {
		return
	}
	pages, err := strconv.ParseUint(string(fields[5]), 10, 64)
	if err != nil {
		return
	}
	n += pages * uint64(os.Getpagesize())
	syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: n, Max: n})
}
