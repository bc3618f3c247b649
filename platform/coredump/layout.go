package coredump

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/corekit/corekit/platform/elfcore"
	"github.com/corekit/corekit/platform/process"
)

const (
	// gap is the longest run of absent pages, in bytes, that is stored as
	// zeros rather than described by a segment of its own. Zeros compress to
	// almost nothing, and a reader like Delve, which cannot read what a
	// segment describes but does not hold, sees fewer holes.
	gap = 64 << 10
	// maxSegments bounds the program headers of a very fragmented process; the
	// gap doubles until they fit.
	maxSegments = 100_000
	// maxShared is the largest shared memory region, in bytes, that is stored
	// whole. In a larger one only pages that the process has mapped count:
	// those that only others touched cannot be told from holes.
	maxShared = 1 << 30
)

func (c *Core) layout(regions []process.Region, opts Options) error {
	var lacks lacking
	all := make([]region, 0, len(regions))
	c.objects = map[file]bool{}
	for _, r := range regions {
		if r.Exec && r.File() {
			c.objects[file{r.Path, r.Inode}] = true
		}
	}
	for _, r := range regions {
		if r.File() {
			c.Image.Files = append(c.Image.Files, elfcore.Mapping{Start: r.Start, End: r.End, Offset: r.Offset, Path: r.Path})
		}
		runs, ok, err := c.contents(r, opts, &lacks)
		if err != nil {
			return err
		}
		if ok {
			all = append(all, region{r, runs})
		}
	}
	c.Missing = append(c.Missing, lacks.list()...)
	for g := uint64(gap); ; g *= 2 {
		c.Image.Segments = c.Image.Segments[:0]
		for _, r := range all {
			c.Image.Segments = appendSegments(c.Image.Segments, r, g)
		}
		if len(c.Image.Segments) <= max(maxSegments, 2*len(all)) {
			return nil
		}
	}
}

// file tells mapped files apart.
type file struct {
	path  string
	inode uint64
}

// region is a mapping with the parts of it that are stored.
type region struct {
	process.Region
	runs []process.Range
}

// contents decides what of a mapping is stored; ok is false for one that does
// not appear in the core at all.
func (c *Core) contents(r process.Region, opts Options, lacks *lacking) (runs []process.Range, ok bool, err error) {
	whole := []process.Range{r.Range}
	switch {
	case r.Path == "[vdso]":
		return whole, true, nil
	case strings.HasPrefix(r.Path, "[vvar") || r.Path == "[vsyscall]":
		return nil, false, nil // the kernel's data; not readable from outside
	// What nobody may take for zeros is not even described.
	case r.IO:
		lacks.add("device memory", r)
		return nil, false, nil
	case r.DontDump:
		lacks.add("memory marked MADV_DONTDUMP", r)
		return nil, false, nil
	case r.Shared && r.File() && !sharedAnonymous(r):
		lacks.add("shared file mappings", r)
		return nil, true, nil
	case r.Shared && r.Size() <= maxShared && !r.Huge:
		return whole, r.Read || r.Write, nil
	}
	runs, err = c.held.Populated(r)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission):
		// No pagemap here (gVisor, or a kernel without
		// CONFIG_PROC_PAGE_MONITOR): zeros for the pages that are not there.
		if runs = whole; !r.Read && !r.Write && !r.Exec {
			runs = nil
		}
	case err != nil:
		return nil, false, err
	}
	if !r.Read && !r.Write && !r.Exec && len(runs) == 0 {
		return nil, false, nil // an address reservation: Go makes them by the gigabyte
	}
	if r.File() && !r.Shared {
		runs = c.fileParts(r, runs, opts, lacks)
	}
	return runs, true, nil
}

// fileParts adds to the modified pages of a private file mapping what else a
// reader needs of it: everything, if the file itself is not kept; else the
// first page of an ELF file, by which debuggers know its build ID.
func (c *Core) fileParts(r process.Region, runs []process.Range, opts Options, lacks *lacking) []process.Range {
	if opts.Kept != nil && opts.Kept(r) {
		page := uint64(os.Getpagesize())
		if r.Offset != 0 || len(runs) > 0 && runs[0].Start == r.Start || !c.isELF(r.Start) {
			return runs
		}
		return append([]process.Range{{Start: r.Start, End: r.Start + page}}, runs...)
	}
	if c.objects[file{r.Path, r.Inode}] || c.isELF(r.Start) || r.Size() <= 1<<20 {
		return []process.Range{r.Range}
	}
	lacks.add("unmodified pages of private file mappings", r)
	return runs
}

func (c *Core) isELF(addr uint64) bool {
	var b [len(elf.ELFMAG)]byte
	_, err := c.held.ReadAt(b[:], int64(addr))
	return err == nil && string(b[:]) == elf.ELFMAG
}

// sharedAnonymous reports whether a shared mapping with an inode is memory all
// the same: memfd_create, System V shared memory, MAP_SHARED|MAP_ANONYMOUS, that
// with a name (PR_SET_VMA_ANON_NAME), and that of huge pages.
func sharedAnonymous(r process.Region) bool {
	if strings.HasPrefix(r.Path, "[anon_shmem:") {
		return true
	}
	return r.Deleted && (strings.HasPrefix(r.Path, "/memfd:") || strings.HasPrefix(r.Path, "/SYSV") ||
		r.Path == "/dev/zero" || r.Path == "/anon_hugepage")
}

// appendSegments turns a region's runs into segments: each holds a run and
// describes the absent pages behind it. Runs closer than gap become one.
func appendSegments(out []elfcore.Segment, r region, gap uint64) []elfcore.Segment {
	var flags elf.ProgFlag
	if r.Read {
		flags |= elf.PF_R
	}
	if r.Write {
		flags |= elf.PF_W
	}
	if r.Exec {
		flags |= elf.PF_X
	}
	seg := elfcore.Segment{Addr: r.Start, Flags: flags}
	for _, run := range r.runs {
		if stored := seg.Addr + seg.Filesz; run.Start-stored <= gap && (seg.Filesz > 0 || run.Start == seg.Addr) {
			seg.Filesz = run.End - seg.Addr
			continue
		}
		seg.Memsz = run.Start - seg.Addr
		out = append(out, seg)
		seg = elfcore.Segment{Addr: run.Start, Filesz: run.End - run.Start, Flags: flags}
	}
	seg.Memsz = r.End - seg.Addr
	return append(out, seg)
}

// lacking sums up what is left out, by reason.
type lacking struct {
	reasons []string
	bytes   map[string]uint64
}

func (l *lacking) add(why string, r process.Region) {
	if l.bytes == nil {
		l.bytes = map[string]uint64{}
	}
	if _, ok := l.bytes[why]; !ok {
		l.reasons = append(l.reasons, why)
	}
	l.bytes[why] += r.Size()
}

func (l *lacking) list() []string {
	var out []string
	for _, why := range l.reasons {
		out = append(out, fmt.Sprintf("%s: %d bytes", why, l.bytes[why]))
	}
	return out
}
