// Package elfcore reads and writes ELF core files, on any operating system.
//
// It knows the file format and nothing of the process behind it: not how to
// stop one, not Go, not bundles. The layout of every note follows the Linux
// kernel's (fs/binfmt_elf.c, include/uapi/linux/elfcore.h), so that gdb,
// Delve and elfutils read what it writes.
package elfcore

import "debug/elf"

// Image describes a process: everything a core file says except the memory
// itself. It is what [Image.Header] writes and what a [File] was read from.
type Image struct {
	Machine elf.Machine // EM_X86_64 or EM_AARCH64
	Process Process     // NT_PRPSINFO
	Siginfo []byte      // NT_SIGINFO: raw siginfo_t of 128 bytes; nil if no signal
	Auxv    []byte      // NT_AUXV: raw, as in /proc/PID/auxv
	Threads []Thread    // the first one is the thread that crashed
	Files   []Mapping   // NT_FILE
	// Segments become PT_LOADs, in this order; they ascend and do not overlap.
	Segments []Segment
}

// Process is NT_PRPSINFO.
type Process struct {
	PID, PPID, PGRP, SID int
	UID, GID             uint32
	State                byte // 'R', 'S', …
	Nice                 int8
	Name                 string // at most 15 bytes are kept
	Args                 string // at most 79 bytes are kept
}

// Thread is one NT_PRSTATUS and the notes that follow it.
type Thread struct {
	TID    int
	Signal int // pr_cursig: what stopped the thread, or 0
	// Regs is elf_gregset_t: what PTRACE_GETREGSET(NT_PRSTATUS) returns.
	Regs []byte
	// FPRegs is NT_FPREGSET, XState is NT_X86_XSTATE; either may be nil.
	FPRegs []byte
	XState []byte
	// Notes are the thread's other notes, such as NT_ARM_TLS, in order.
	Notes []Note
	// PPID, PGRP and SID as in [Process]; zero means the process's.
	PPID, PGRP, SID int
}

// Note is one note that has no field of its own.
type Note struct {
	Owner string // "CORE", "LINUX", …
	Type  uint32
	Desc  []byte
}

// Mapping is one entry of NT_FILE: a file mapped at [Start, End).
type Mapping struct {
	Start, End uint64
	Offset     uint64 // in the file, bytes
	Path       string
}

// Segment is one PT_LOAD. Filesz bytes of its contents are in the file; the
// remaining Memsz-Filesz are zero or, for mapped files, in the file mapped.
type Segment struct {
	Addr   uint64
	Memsz  uint64
	Filesz uint64
	Flags  elf.ProgFlag
}
