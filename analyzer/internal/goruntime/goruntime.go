// Package goruntime is the runtime engine: it knows how a Go program lies in
// memory and from a dead one's memory lists goroutines, unwinds and names
// their frames as the Go runtime itself would print them, and tells why the
// program crashed. It reads pclntab, which every Go binary carries, stripped
// or not. It knows nothing of core files, bundles or Delve.
package goruntime

import (
	"debug/elf"
	"io"
)

// Memory is the address space of the dead process.
type Memory interface {
	// ReadMemory fills p from addr. It returns an error unless all of p could
	// be read.
	ReadMemory(p []byte, addr uint64) (int, error)
}

// Regs is the part of a thread's registers that unwinding needs.
type Regs struct {
	PC, SP uint64
	FP     uint64 // RBP on amd64, R29 on arm64
	LR     uint64 // arm64 only
	// G is every general register by DWARF register number, nil if only the
	// above are known: 0-16 on amd64 (rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp,
	// r8-r15, rip), 0-32 on arm64 (x0-x30, sp, pc). Frames where a register's
	// value is lost leave it out.
	G map[int]uint64
}

// Thread is one kernel thread of the process.
type Thread struct {
	TID    int
	Signal int
	Regs   Regs
}

// Native unwinds and names frames outside Go code. Its methods may fail;
// nothing in the engine depends on it for Go frames.
type Native interface {
	// Step returns the registers of the caller of the frame with regs. call
	// tells whether regs.PC is a return address (true) or the very
	// instruction that was executing.
	Step(regs Regs, call bool) (Regs, error)
	// Lookup names the code at pc; ok is false if pc is in no known file.
	Lookup(pc uint64, call bool) (fn, file string, line int, ok bool)
}

// Input is what [Open] needs.
type Input struct {
	Machine elf.Machine
	Mem     Memory
	Exe     io.ReaderAt // the executable, an ELF file
	Bias    uint64      // run-time address minus link-time address of Exe
	Threads []Thread    // the one that crashed first, if that is known
	Siginfo []byte      // NT_SIGINFO, may be nil
	Native  Native      // may be nil
	// Now is CLOCK_MONOTONIC in nanoseconds when the process stopped, 0 if
	// unknown; waits are measured against it.
	Now int64
}

// Goroutine is one goroutine that is not dead.
type Goroutine struct {
	ID         uint64
	Addr       uint64 // of its runtime.g
	Status     string // as in report.Goroutine
	WaitReason string
	Wait       int64 // nanoseconds since it began to wait, as far as known, else 0
	TID        int   // kernel thread that runs it, else 0
	System     bool  // one of the runtime's own
	ParentID   uint64
	CreatedBy  *Frame // the go statement; nil for the main goroutine
	Labels     map[string]string
}

// Frame is one logical frame; inlined calls are frames of their own.
type Frame struct {
	Function string // as the runtime prints it: "main.(*T).f", "main.F[...]", "panic"
	File     string
	Line     int
	PC       uint64
	Inlined  bool
	Native   bool   // C code
	Entry    uint64 // of the function that contains PC (for inlined frames, the outer one)
	// Exact tells that PC is an instruction that was executing: the frame
	// faulted, was interrupted or is the innermost. Elsewhere PC is a return
	// address.
	Exact   bool
	SP, CFA uint64 // stack pointer in the frame, and just above its return address
	// Regs holds what is known of the registers at PC: all of them in the
	// frame that faulted or was interrupted, PC, SP and FP elsewhere.
	Regs Regs
}

// Stack is a goroutine's stack, innermost frame first.
type Stack struct {
	Frames []Frame
	// Elided frames were left out after the first ElidedAt.
	Elided, ElidedAt int
}

// Panic is one entry of the chain of panics, oldest first.
type Panic struct {
	Value             string
	Recovered, Goexit bool
}

// Crash says why the process died.
type Crash struct {
	Kind      string // as in report.Kind: panic, fatal or signal; "" if it did not crash
	Message   string
	Signal    string // "SIGSEGV"
	Address   uint64
	HasAddr   bool
	TID       int
	Goroutine uint64
	// Stack is the crashing goroutine's as the runtime prints it, with the
	// frames of C code before it if the fault was there.
	Stack Stack
	// Fault is the index in Stack.Frames of the faulting frame: the innermost
	// one outside the runtime's crash machinery; -1 if there is none.
	Fault  int
	Panics []Panic
}
