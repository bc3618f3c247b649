// Package coredump takes the core of a held process: it decides which memory
// belongs in it, describes it as an ELF core image and streams the contents,
// strictly forward. It knows how processes lie in memory on Linux; it does not
// stop them, and it does not care where the core goes.
package coredump

import (
	"errors"
	"fmt"

	"github.com/corekit/corekit/platform/elfcore"
	"github.com/corekit/corekit/platform/process"
)

// Options choose what goes into a core. The zero value takes all private
// memory and all shared memory without a file behind it.
type Options struct {
	// Signal and Code tell what the process dies from, for NT_SIGINFO and
	// pr_cursig; a Signal of 0 leaves NT_SIGINFO out.
	Signal, Code int
	// First is the thread that the core shows first, the one that crashed; 0
	// leaves the main thread there.
	First int
	// Kept tells whether the file mapped at a region is stored elsewhere, with
	// the core. The unmodified pages of other executable files go into the
	// core. nil means that none is.
	Kept func(process.Region) bool
}

// Core is the core of a held process, ready to be written.
type Core struct {
	Image elfcore.Image
	// Missing says what the core lacks that a reader might look for.
	Missing []string

	held   *process.Held
	header []byte
	dead   bool // killed while it was read

	objects map[file]bool // that are mapped executable: programs and libraries
}

var errNoMemory = errors.New("it has ended")

// New looks at a held process and lays out its core. No memory is read yet
// but for the kernel's tables.
func New(h *process.Held, opts Options) (*Core, error) {
	c := &Core{held: h}
	if err := c.describe(opts); err != nil {
		return nil, fmt.Errorf("core of process %d: %w", h.PID, err)
	}
	regions, err := h.Regions()
	if err != nil {
		return nil, fmt.Errorf("core of process %d: %w", h.PID, err)
	}
	if len(regions) == 0 { // an empty list, not an error, is what the kernel has of the dead
		return nil, fmt.Errorf("core of process %d: %w", h.PID, errNoMemory)
	}
	if err := c.layout(regions, opts); err != nil {
		return nil, fmt.Errorf("core of process %d: %w", h.PID, err)
	}
	if c.header, err = c.Image.Header(); err != nil {
		return nil, fmt.Errorf("core of process %d: %w", h.PID, err)
	}
	return c, nil
}

// Size returns the size of the core file in bytes.
func (c *Core) Size() (int64, error) { return c.Image.Size() }

// Stored returns the number of bytes of memory in the core.
func (c *Core) Stored() int64 {
	var n uint64
	for _, s := range c.Image.Segments {
		n += s.Filesz
	}
	return int64(n)
}

// Killed reports whether the process was killed while WriteTo read its memory,
// so that the rest of it is zeros.
func (c *Core) Killed() bool { return c.dead }
