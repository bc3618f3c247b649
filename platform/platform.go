// Package platform says what this operating system can do for a crash: limits,
// the rules that the kernel applies to core files, who may trace whom. It
// reports facts and turns single switches; what to do with them is decided
// elsewhere.
//
// A function that an operating system has no answer for returns an
// [*UnsupportedError].
package platform

import (
	"errors"
	"fmt"
	"runtime"
)

// UnsupportedError says that a feature is not there on this system, and what
// to do instead. It answers errors.Is(err, errors.ErrUnsupported).
type UnsupportedError struct {
	Feature string // "process hold"
	OS      string // runtime.GOOS, with the architecture if that is the reason
	Hint    string // what to do instead; may be empty
}

// Unsupported returns an [*UnsupportedError] for the running system.
func Unsupported(feature, hint string) error {
	return &UnsupportedError{Feature: feature, OS: runtime.GOOS + "/" + runtime.GOARCH, Hint: hint}
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s: not supported on %s", e.Feature, e.OS)
}

// Is reports whether target is [errors.ErrUnsupported].
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// Unlimited is the value of a limit that is none.
const Unlimited = ^uint64(0)

// CoreLimit returns RLIMIT_CORE of this process in bytes.
func CoreLimit() (soft, hard uint64, err error) { return coreLimit() }

// RaiseCoreLimit sets the soft RLIMIT_CORE of this process to the hard one.
// It needs no privilege.
func RaiseCoreLimit() error { return raiseCoreLimit() }

// DisableCore sets the soft RLIMIT_CORE of process pid to zero, so that its
// death leaves no core file of the kernel's. Zero means this process.
func DisableCore(pid int) error { return disableCore(pid) }

// CoreFilter is the set of mappings that the kernel puts into a core file, a
// mask of the Filter constants (Linux: Documentation/filesystems/proc.rst,
// section 3.4; include/linux/sched/coredump.h, MMF_DUMP_*).
type CoreFilter uint32

// The bits of a [CoreFilter].
const (
	FilterAnonPrivate CoreFilter = 1 << iota
	FilterAnonShared
	FilterMappedPrivate
	FilterMappedShared
	FilterELFHeaders
	FilterHugePrivate
	FilterHugeShared
	FilterDAXPrivate
	FilterDAXShared
)

// GetCoreFilter returns the filter of this process.
func GetCoreFilter() (CoreFilter, error) { return getCoreFilter() }

// AddCoreFilter adds bits to the filter of this process.
func AddCoreFilter(bits CoreFilter) error { return addCoreFilter(bits) }

// AllowTracer lets process pid and its descendants trace this process where
// only a parent may trace its child (Yama's ptrace_scope=1). It does nothing
// where there is no such rule.
func AllowTracer(pid int) error { return allowTracer(pid) }

// SetName sets the name of the calling thread that ps and /proc/PID/comm
// show; at most 15 bytes are kept.
func SetName(name string) error { return setName(name) }

// Monotonic returns CLOCK_MONOTONIC in nanoseconds, the clock that the Go
// runtime stamps its waits with, or 0 where there is none.
func Monotonic() int64 { return monotonic() }

// KernelRelease returns the kernel's version as uname -r prints it, or "".
func KernelRelease() string { return kernelRelease() }
