//go:build linux && !amd64

package process

import "github.com/corekit/corekit/platform"

func currentSyscall([]byte) (nr, arg0 uint64, ok bool) { return 0, 0, false }

func setSyscall([]byte, uint64, uint64, uint64) error {
	return platform.Unsupported("system call in another process", "")
}

func (h *Held) syscallInstruction() (uint64, bool) { return 0, false }

const tracesWrites = false

func enteredWrite([]byte) (fd int, addr, n uint64, ok bool) { return 0, 0, 0, false }
