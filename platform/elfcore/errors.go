package elfcore

import "errors"

// What [Open] reports of a file that it cannot read; each is wrapped with
// details.
var (
	// ErrFormat says that a file is not an ELF file, or one whose headers make
	// no sense.
	ErrFormat = errors.New("not a valid ELF file")
	// ErrNotCore says that a file is an ELF file, but a program or a library
	// and not a core.
	ErrNotCore = errors.New("an ELF file, but not a core")
	// ErrMachine says that the core is of a machine that is not supported:
	// 32-bit, big-endian, or neither amd64 nor arm64.
	ErrMachine = errors.New("not a 64-bit x86 or ARM core")
	// ErrNoThreads says that there is no thread in a core: it has no notes, or
	// was cut off before them.
	ErrNoThreads = errors.New("no threads in the core")
	// ErrNotPresent says that an address is not stored in a core.
	ErrNotPresent = errors.New("not in the core")
	// ErrTruncated says that something was stored in a core, but beyond the
	// point where the file is cut off.
	ErrTruncated = errors.New("beyond the end of the file, which is cut off")
)
