package process

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

func (p *Process) populated(r Region) ([]Range, error) {
	if r.HasDetail && !r.Huge && !r.Shared {
		switch {
		case r.Anonymous == r.Size():
			return []Range{r.Range}, nil
		case r.Anonymous == 0 && r.Swap == 0:
			return nil, nil
		}
	}
	f, err := p.file("pagemap", unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if out, err := scanPages(f, r); err == nil {
		return out, nil
	}
	out, err := readPages(f, r)
	if err != nil {
		return nil, fmt.Errorf("pages of process %d: %w", p.PID, err)
	}
	return out, nil
}

// add appends a range, or grows the last one if it follows at once.
func add(out []Range, r Range) []Range {
	if k := len(out) - 1; k >= 0 && out[k].End == r.Start {
		out[k].End = r.End
		return out
	}
	return append(out, r)
}

// scanArg is struct pm_scan_arg, pageRegion struct page_region
// (include/uapi/linux/fs.h).
type scanArg struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages uint64
	inverted, mask, anyOf, returned                         uint64
}

type pageRegion struct{ start, end, _ uint64 }

// PAGEMAP_SCAN and its page categories (include/uapi/linux/fs.h).
const (
	pagemapScan = 3<<30 | uintptr(unsafe.Sizeof(scanArg{}))<<16 | 'f'<<8 | 16

	isFile    = 1 << 2
	isPresent = 1 << 3
	isSwapped = 1 << 4
	isPFNZero = 1 << 5
	isGuard   = 1 << 8 // since 6.15
)

// scanPages finds the populated parts of r by PAGEMAP_SCAN, which Linux has
// since 6.7. It passes over what is not there by the gigabyte, and tells the
// page of zeros, which stands for memory that was read but never written.
func scanPages(f *os.File, r Region) ([]Range, error) {
	not := uint64(isGuard)
	if !r.Shared && !r.Huge {
		not |= isFile | isPFNZero
	}
	vec := make([]pageRegion, 1024)
	var pin runtime.Pinner // the kernel gets its address as a number
	pin.Pin(&vec[0])
	defer pin.Unpin()
	arg := scanArg{
		size: uint64(unsafe.Sizeof(scanArg{})), start: r.Start, end: r.End,
		vec: uint64(uintptr(unsafe.Pointer(&vec[0]))), vecLen: uint64(len(vec)),
		inverted: not, mask: not, anyOf: isPresent | isSwapped, returned: isPresent,
	}
	var out []Range
	for arg.start < arg.end {
		n, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), pagemapScan, uintptr(unsafe.Pointer(&arg)))
		if e == unix.EINVAL && arg.mask&isGuard != 0 {
			arg.mask &^= isGuard
			arg.inverted &^= isGuard
			continue
		}
		if e != 0 {
			return nil, e
		}
		next := arg.walkEnd
		for _, v := range vec[:min(int(n), len(vec))] {
			out = add(out, Range{v.start, v.end})
			next = max(next, v.end) // walkEnd lags behind when vec is full just at its end
		}
		if next <= arg.start {
			return nil, unix.EIO // cannot be
		}
		arg.start = next
	}
	return out, nil
}

// The bits of an entry in /proc/PID/pagemap
// (Documentation/admin-guide/mm/pagemap.rst).
const (
	pagePresent = 1 << 63
	pageSwapped = 1 << 62
	pageFile    = 1 << 61 // of a file, or shared anonymous
	pageGuard   = 1 << 58 // MADV_GUARD_INSTALL; looks swapped but holds nothing (since 6.15)
)

// readPages finds the populated parts of r by reading an entry for every page.
func readPages(f *os.File, r Region) ([]Range, error) {
	page := uint64(os.Getpagesize())
	buf := make([]byte, 256<<10)
	var out []Range
	for addr := r.Start; addr < r.End; {
		want := min(uint64(len(buf)), (r.End-addr)/page*8)
		n, err := f.ReadAt(buf[:want], int64(addr/page*8))
		if n == 0 {
			return nil, fmt.Errorf("at %#x: %w", addr, err)
		}
		for i := 0; i+8 <= n; i += 8 {
			e := binary.NativeEndian.Uint64(buf[i:])
			if e&pageGuard == 0 && (e&pageSwapped != 0 || e&pagePresent != 0 && (r.Shared || r.Huge || e&pageFile == 0)) {
				out = add(out, Range{addr, addr + page})
			}
			addr += page
		}
	}
	return out, nil
}
