package process

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

func ptrace(request, tid int, addr, data uintptr) error {
	_, _, e := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// errNoNews says that a thread has neither stopped nor ended.
var errNoNews = errors.New("no news")

// wait4 takes a thread's stop or end; it fails with ECHILD if the thread is
// not ours.
func wait4(tid int) (unix.WaitStatus, error) {
	var ws unix.WaitStatus
	got, err := unix.Wait4(tid, &ws, unix.WALL|unix.WNOHANG, nil)
	if err == nil && got == 0 {
		err = errNoNews
	}
	return ws, err
}

// waitStopped is wait4 for a child of our own: it leaves the child's end to
// whoever waits for it, and says ECHILD.
func waitStopped(pid int) (unix.WaitStatus, error) {
	// siginfo_t with si_status (include/uapi/asm-generic/siginfo.h).
	var info struct {
		signo, errno, code, _ int32
		pid, uid, status      int32
		_                     [100]byte
	}
	wait := func(options int) error {
		info.signo = 0
		return unix.Waitid(unix.P_PID, pid, (*unix.Siginfo)(unsafe.Pointer(&info)), options|unix.WNOHANG|unix.WALL, nil)
	}
	if err := wait(unix.WSTOPPED); err != nil {
		return 0, err
	}
	if info.signo != 0 {
		return unix.WaitStatus(info.status<<8 | 0x7f), nil
	}
	if err := wait(unix.WEXITED | unix.WNOWAIT); err != nil {
		return 0, err
	}
	// A stop under ptrace is told too, asked for or not: the next look takes it.
	const cldExited, cldDumped = 1, 3 // CLD_KILLED is 2
	if info.signo != 0 && info.code >= cldExited && info.code <= cldDumped {
		return 0, unix.ECHILD
	}
	return 0, errNoNews
}

// The register sets, by their note types (include/uapi/linux/elf.h).
const (
	noteStatus = 1     // NT_PRSTATUS
	noteFP     = 2     // NT_PRFPREG
	noteXState = 0x202 // NT_X86_XSTATE
)

// getRegisterSet reads a register set of a stopped thread; at most 16 KiB,
// which holds the largest XSAVE area there is (AMX: 11 KiB).
func getRegisterSet(tid int, set uintptr) ([]byte, error) {
	buf := make([]byte, 16<<10)
	iov := unix.Iovec{Base: &buf[0]}
	iov.SetLen(len(buf))
	if err := ptrace(unix.PTRACE_GETREGSET, tid, set, uintptr(unsafe.Pointer(&iov))); err != nil {
		return nil, fmt.Errorf("registers of thread %d: %w", tid, err)
	}
	return append([]byte(nil), buf[:iov.Len]...), nil
}

func setRegisterSet(tid int, set uintptr, regs []byte) error {
	iov := unix.Iovec{Base: &regs[0]}
	iov.SetLen(len(regs))
	if err := ptrace(unix.PTRACE_SETREGSET, tid, set, uintptr(unsafe.Pointer(&iov))); err != nil {
		return fmt.Errorf("set registers of thread %d: %w", tid, err)
	}
	return nil
}

func (h *Held) readRegisters() error {
	for _, t := range h.live() {
		var err error
		t.Regs, err = getRegisterSet(t.TID, noteStatus)
		if err == nil {
			t.FPRegs, _ = getRegisterSet(t.TID, noteFP)
			t.XState, _ = getRegisterSet(t.TID, noteXState) // EINVAL except on x86
			continue
		}
		if unwrapErrno(err) == unix.ESRCH { // killed this moment
			t.gone = true
			continue
		}
		return err
	}
	return nil
}
