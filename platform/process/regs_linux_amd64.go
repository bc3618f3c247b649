package process

import "encoding/binary"

// Offsets in user_regs_struct (arch/x86/include/asm/user_64.h).
const (
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
