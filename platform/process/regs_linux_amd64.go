package process

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Offsets in user_regs_struct (arch/x86/include/asm/user_64.h).
const (
	regRDX     = 12 * 8
	regRSI     = 13 * 8
	regRDI     = 14 * 8
	regOrigRAX = 15 * 8
	regRAX     = 10 * 8
	regRIP     = 16 * 8
	regsSize   = 27 * 8
)

// currentSyscall returns the number and the first argument of the system call
// that the thread was stopped in.
func currentSyscall(regs []byte) (nr, arg0 uint64, ok bool) {
	if len(regs) < regsSize {
		return 0, 0, false
	}
	nr = binary.LittleEndian.Uint64(regs[regOrigRAX:])
	return nr, binary.LittleEndian.Uint64(regs[regRDI:]), int64(nr) >= 0
}

// tracesWrites tells that enteredWrite knows this machine.
const tracesWrites = true

// enteredWrite returns the arguments of the write(2) that the thread was
// stopped on its way into. On the way out rax is the result; on the way in the
// kernel has it at -ENOSYS (arch/x86/entry/entry_64.S).
func enteredWrite(regs []byte) (fd int, addr, n uint64, ok bool) {
	nr, arg0, ok := currentSyscall(regs)
	if !ok || nr != unix.SYS_WRITE || binary.LittleEndian.Uint64(regs[regRAX:]) != ^uint64(unix.ENOSYS-1) {
		return 0, 0, 0, false
	}
	return int(arg0), binary.LittleEndian.Uint64(regs[regRSI:]), binary.LittleEndian.Uint64(regs[regRDX:]), true
}

// setSyscall changes regs so that the thread executes system call nr at insn.
func setSyscall(regs []byte, insn uint64, nr, arg0 uint64) error {
	put := func(off int, v uint64) { binary.LittleEndian.PutUint64(regs[off:], v) }
	put(regRAX, nr)
	put(regRDI, arg0)
	put(regRIP, insn)
	// Not in a system call any more: nothing to restart, which would move rip.
	put(regOrigRAX, ^uint64(0))
	return nil
}

// syscallInstruction finds a SYSCALL instruction in the process: a thread that
// was stopped in a system call stands right behind one.
func (h *Held) syscallInstruction() (addr uint64, ok bool) {
	for _, t := range h.Threads {
		if _, _, in := currentSyscall(t.Regs); !in {
			continue
		}
		addr := binary.LittleEndian.Uint64(t.Regs[regRIP:]) - 2
		var insn [2]byte
		if _, err := h.ReadAt(insn[:], int64(addr)); err == nil && insn == [2]byte{0x0f, 0x05} {
			return addr, true
		}
	}
	return 0, false
}
