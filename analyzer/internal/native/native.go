// Package native unwinds and names frames outside Go code: C called through
// cgo, shared libraries, the vDSO. It works from what every ELF file carries
// for exception handling (.eh_frame), from .debug_frame, symbol tables and
// DWARF. It knows nothing of Go stacks, goroutines, core files or bundles: it
// is handed memory, registers and the files that were mapped.
package native

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// Modules finds the ELF file mapped at a pc.
type Modules interface {
	ModuleAt(pc uint64) (m Module, ok bool)
}

// Module is one ELF file in the address space. The vDSO, which is no file, is
// a Module whose File reads the process's memory from its first page on.
type Module struct {
	Path string
	File io.ReaderAt
	Bias uint64 // run-time minus link-time address
}

// ErrOutermost is returned by [Unwinder.Step] for a frame that has no caller:
// the entry point of the program or of a thread.
var ErrOutermost = errors.New("outermost frame")

// Unwinder implements [goruntime.Native]. It reads a module's tables when a
// pc in it is first met and keeps them. It is safe for concurrent use if its
// Modules and Memory are.
type Unwinder struct {
	mods Modules
	mem  goruntime.Memory
	arch *arch // nil: a machine we cannot unwind

	mu     sync.Mutex
	images map[imageKey]*image
	names  map[uint64][]Symbol
}

// imageKey has the bias because one path may be mapped twice with different
// contents, when the file was replaced while the process ran.
type imageKey struct {
	path string
	bias uint64
}

// New returns an unwinder for a process of the given machine. Machines other
// than EM_X86_64 and EM_AARCH64 can be named but not unwound.
func New(mods Modules, mem goruntime.Memory, machine elf.Machine) *Unwinder {
	return &Unwinder{
		mods:   mods,
		mem:    mem,
		arch:   archOf(machine),
		images: make(map[imageKey]*image),
		names:  make(map[uint64][]Symbol),
	}
}

var _ goruntime.Native = (*Unwinder)(nil)

// image returns the file mapped at pc and pc's link-time address in it.
func (u *Unwinder) image(pc uint64) (img *image, m Module, ok bool) {
	m, ok = u.mods.ModuleAt(pc)
	if !ok || m.File == nil {
		return nil, Module{}, false
	}
	key := imageKey{m.Path, m.Bias}
	u.mu.Lock()
	defer u.mu.Unlock()
	img = u.images[key]
	if img == nil {
		img = &image{src: m.File}
		u.images[key] = img
	}
	return img, m, true
}

// lookupPC is the address whose tables describe a frame. A return address may
// lie behind the last instruction of the function, if the call does not return.
func lookupPC(pc uint64, call bool) uint64 {
	if call {
		return pc - 1
	}
	return pc
}

// guard turns a panic of debug/elf or debug/dwarf into an error: both say that
// they are not hardened against hostile files.
func guard(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: malformed: %v", what, r)
		}
	}()
	return f()
}
