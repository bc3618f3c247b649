package standby

import (
	"strconv"
	"syscall"
	"time"
)

// orderVar and specVar carry the Order. They are removed from the environment
// of whoever has read them.
const (
	orderVar = "COREKIT_MONITOR"
	specVar  = "COREKIT_MONITOR_SPEC"
)

func (o Order) environ() []string {
	s := ""
	for _, n := range []int64{int64(o.PID), int64(o.Prefill), int64(o.MaxHold), int64(o.Attempt), int64(o.Image)} {
		s += strconv.FormatInt(n, 10) + " "
	}
	return []string{orderVar + "=" + s, specVar + "=" + o.Spec}
}

// order returns the name of what this process is, guardName or monitorName, and
// what it has been told; "" in an ordinary process.
func order() (role string, o Order) {
	text, ok := syscall.Getenv(orderVar)
	if !ok {
		return "", o
	}
	for _, name := range []string{guardName, monitorName} {
		if n := len(name); len(argv0()) > n && argv0()[:n+1] == name+":" {
			role = name
		}
	}
	var n [5]int64
	for i := range n {
		end := 0
		for end < len(text) && text[end] != ' ' {
			end++
		}
		var err error
		if n[i], err = strconv.ParseInt(text[:end], 10, 64); err != nil || end == len(text) {
			return "", o
		}
		text = text[end+1:]
	}
	o = Order{PID: int(n[0]), Prefill: int(n[1]), MaxHold: time.Duration(n[2]), Attempt: int(n[3]), Image: uint64(n[4])}
	o.Spec, _ = syscall.Getenv(specVar)
	return role, o
}

// argv0 is os.Args[0]; os is not there yet.
func argv0() string {
	b := readFile("/proc/self/cmdline", 256)
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// ImageOf returns a number for what process pid executes, which changes when
// it executes something else, were it the same file again: its auxiliary
// vector has random addresses. It is 0 if that cannot be read, or if the
// process is on its way out.
func ImageOf(pid int) uint64 {
	b := readFile("/proc/"+strconv.Itoa(pid)+"/auxv", 4096)
	if len(b) == 0 {
		return 0
	}
	h := uint64(14695981039346656037) // FNV-1a
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return max(h, 1)
}

// readFile returns at most n bytes of a file, none if it cannot be read.
func readFile(name string, n int) []byte {
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	b := make([]byte, n)
	n = 0
	for n < len(b) {
		m, err := syscall.Read(fd, b[n:]) // /proc gives at most a page at a time
		if m <= 0 || err != nil {
			break
		}
		n += m
	}
	return b[:n]
}
