package elfcore

import (
	"debug/elf"
	"fmt"
)

// Note types and owners (include/uapi/linux/elf.h; fs/binfmt_elf.c for who
// owns which).
const (
	noteStatus  = 1          // NT_PRSTATUS
	noteFP      = 2          // NT_PRFPREG, also NT_FPREGSET
	notePsinfo  = 3          // NT_PRPSINFO
	noteAuxv    = 6          // NT_AUXV
	noteSiginfo = 0x53494749 // NT_SIGINFO, "SIGI"
	noteFile    = 0x46494c45 // NT_FILE, "FILE"
	noteXState  = 0x202      // NT_X86_XSTATE

	ownerCore  = "CORE"
	ownerLinux = "LINUX"
)

// Sizes of the structures of 64-bit ELF (include/uapi/linux/elf.h).
const (
	ehdrSize    = 64
	phdrSize    = 56
	shdrSize    = 64
	noteHdrSize = 12
	// pnXNum in e_phnum says that the true number is in the first section
	// header's sh_info (PN_XNUM).
	pnXNum = 0xffff
	// pageSize aligns the first segment in the file. Every page size that the
	// supported kernels use is a multiple of it, and readers care for
	// nothing larger.
	pageSize = 4096
	// maxSize bounds offsets and sizes, so that sums of two fit an int64.
	maxSize = 1 << 62
	// maxNotes bounds the memory that notes take: 40 000 threads fit, each
	// with the 11 KiB of registers of a machine with AMX.
	maxNotes = 512 << 20
)

// statusLayout is struct elf_prstatus of one machine
// (include/linux/elfcore.h): the fields before the registers are alike on all
// 64-bit machines.
type statusLayout struct{ size, regs, regsSize int }

const (
	statusSigno  = 0  // pr_info.si_signo
	statusCursig = 12 // pr_cursig
	statusPID    = 32 // pr_pid, pr_ppid, pr_pgrp, pr_sid
	statusRegs   = 112
)

// psinfo is struct elf_prpsinfo of 64-bit machines (include/linux/elfcore.h).
const (
	psinfoSize = 136
	psinfoUID  = 16 // pr_uid, pr_gid, pr_pid, pr_ppid, pr_pgrp, pr_sid
	psinfoName = 40 // pr_fname[16]
	psinfoArgs = 56 // pr_psargs[80]
)

func layoutOf(m elf.Machine) (statusLayout, error) {
	switch m {
	case elf.EM_X86_64:
		return statusLayout{size: 336, regs: statusRegs, regsSize: 27 * 8}, nil
	case elf.EM_AARCH64:
		return statusLayout{size: 392, regs: statusRegs, regsSize: 34 * 8}, nil
	}
	return statusLayout{}, fmt.Errorf("core file: machine %v: %w", m, ErrMachine)
}
