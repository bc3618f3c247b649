// Package process looks at another process: its mappings and memory, its
// executable and libraries; and holds it: stops every thread, reads the
// registers, lets it go again. It knows nothing of core files, of Go, or of
// why anybody would want to hold a process.
//
// Linux only so far; elsewhere every function returns a
// [platform.UnsupportedError].
package process

import (
	"errors"
	"fmt"
	"os"
)

// Process is an open view of a process. It stays with the process that it was
// opened for, even when that dies and the number is used again.
type Process struct {
	PID int
	processData
}

// Open opens the process with the given id.
func Open(pid int) (*Process, error) {
	p := &Process{PID: pid}
	if err := p.open(); err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	return p, nil
}

// Close releases the view. It does not let go of a [Held] process.
func (p *Process) Close() error { return p.close() }

// Stat is what ps shows of a process.
type Stat struct {
	Comm            string
	State           byte // 'R', 'S', 'D', 'Z', 'T', …
	PPID, PGRP, SID int
	Nice            int
	UID, GID        uint32
	Threads         int
	TracerPID       int // who traces it, or 0
	NamespacePID    int // its id in its own pid namespace
	Args            []string
}

// Stat reads the process's description.
func (p *Process) Stat() (Stat, error) { return p.stat() }

// Regions returns the process's mappings in ascending order.
func (p *Process) Regions() ([]Region, error) { return p.regions() }

// Auxv returns the auxiliary vector, as the kernel laid it out for the
// process.
func (p *Process) Auxv() ([]byte, error) { return p.auxv() }

// Environ returns the environment that the process started with.
func (p *Process) Environ() ([]string, error) { return p.environ() }

// OpenExe opens the executable, even if it was deleted or replaced, and
// returns the path that it had when it started.
func (p *Process) OpenExe() (*os.File, string, error) { return p.openExe() }

// ErrReplaced says that the path of a mapping now names another file.
var ErrReplaced = errors.New("the file was deleted or replaced since it was mapped")

// OpenMapped opens the file behind a region as the process sees it, in its own
// root directory. It returns [ErrReplaced] if the path no longer names the
// file that is mapped and the kernel offers no other way to it.
func (p *Process) OpenMapped(r Region) (*os.File, error) { return p.openMapped(r) }

// ReadAt reads the process's memory at address addr. Fewer bytes than asked
// for come with an error.
func (p *Process) ReadAt(b []byte, addr int64) (int, error) { return p.readAt(b, addr) }

// Range is a piece of the address space, [Start, End).
type Range struct{ Start, End uint64 }

// Populated returns the parts of r that hold something of the process's own:
// pages that are its private memory, resident or swapped, and for shared
// memory those that it has touched. What is left out reads as zero or, in a
// private file mapping, as the file.
func (p *Process) Populated(r Region) ([]Range, error) { return p.populated(r) }
