// Fault dies of a SIGSEGV that the Go runtime does not see, so that the core
// has the registers of the very instruction.
package main

import (
	"os"
	"syscall"
	"unsafe"
)

type Account struct {
	Balance int64
	Open    bool
}

type sigaction struct {
	handler, flags, restorer, mask uintptr
}

// deposit is inlined into apply.
func deposit(a *Account, cents int64) int64 {
	fee := cents / 10
	a.Balance += cents - fee // FAULT
	return fee
}

//go:noinline
func apply(a *Account, cents int64, memo string, tags []string, small int32) int64 {
	twice := cents * 2
	f := deposit(a, twice)
	return f + twice + int64(len(memo)) + int64(memo[3]) + int64(len(tags)) + int64(small)
}

//go:noinline
func caller(a *Account, big int64, flag bool) int64 {
	before := big + 1
	r := apply(a, big, "for lunch", os.Args, -9) // CALL
	if flag {
		r++
	}
	return r + before
}

func main() {
	var sa sigaction
	_, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGSEGV), uintptr(unsafe.Pointer(&sa)), 0, 8, 0, 0)
	if e != 0 {
		os.Exit(3)
	}
	os.Exit(int(caller(nil, 500, true)))
}
