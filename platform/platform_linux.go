package platform

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const filterFile = "/proc/self/coredump_filter"

func getCoreFilter() (CoreFilter, error) {
	b, err := os.ReadFile(filterFile)
	if err != nil {
		return 0, fmt.Errorf("core filter: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 16, 32)
	if err != nil {
		return 0, fmt.Errorf("core filter: %w", err)
	}
	return CoreFilter(n), nil
}

func addCoreFilter(bits CoreFilter) error {
	old, err := getCoreFilter()
	if err != nil {
		return err
	}
	if old&bits == bits {
		return nil
	}
	// gVisor shows the file and refuses to write it: the caller gets the error
	// and carries on.
	s := fmt.Sprintf("0x%x", uint32(old|bits))
	f, err := os.OpenFile(filterFile, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("core filter: %w", err)
	}
	_, err = f.WriteString(s)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("core filter: %w", err)
	}
	return nil
}

func disableCore(pid int) error {
	var lim unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &lim); err != nil {
		return fmt.Errorf("core limit of process %d: %w", pid, err)
	}
	lim.Cur = 0
	if err := unix.Prlimit(pid, unix.RLIMIT_CORE, &lim, nil); err != nil {
		return fmt.Errorf("core limit of process %d: %w", pid, err)
	}
	return nil
}

func allowTracer(pid int) error {
	err := unix.Prctl(unix.PR_SET_PTRACER, uintptr(pid), 0, 0, 0)
	if err != nil && err != unix.EINVAL { // EINVAL: this kernel has no Yama
		return fmt.Errorf("allow process %d to trace: %w", pid, err)
	}
	return nil
}

func setName(name string) error {
	b, err := unix.BytePtrFromString(name)
	if err != nil {
		return fmt.Errorf("process name %q: %w", name, err)
	}
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(b)), 0, 0, 0); err != nil {
		return fmt.Errorf("process name %q: %w", name, err)
	}
	return nil
}

func monotonic() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return ts.Nano()
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
