package process

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

func (p *Process) readAt(b []byte, addr int64) (int, error) {
	if p.mem == nil {
		f, err := p.file("mem", unix.O_RDONLY)
		if err != nil {
			return 0, err
		}
		p.mem = f
	}
	n := 0
	for n < len(b) {
		m, err := unix.Pread(int(p.mem.Fd()), b[n:], addr+int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n, fmt.Errorf("memory of process %d at %#x: %w", p.PID, addr+int64(n), err)
		}
		if m == 0 { // the address space is gone: the process has died
			return n, fmt.Errorf("memory of process %d at %#x: %w", p.PID, addr+int64(n), io.ErrUnexpectedEOF)
		}
		n += m
	}
	return n, nil
}

// The bits of an entry in /proc/PID/pagemap
// (Documentation/admin-guide/mm/pagemap.rst).
const (
	pagePresent = 1 << 63
	pageSwapped = 1 << 62
	pageFile    = 1 << 61 // of a file, or shared anonymous
	pageGuard   = 1 << 58 // MADV_GUARD_INSTALL; looks swapped but holds nothing (since 6.15)
)

func (p *Process) populated(r Region) ([]Range, error) {
	whole := []Range{r.Range}
	if r.HasDetail && !r.Huge && !r.Shared {
		switch {
		case r.Anonymous == r.Size():
			return whole, nil
		case r.Anonymous == 0 && r.Swap == 0:
			return nil, nil
		}
	}
	f, err := p.file("pagemap", unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()

	page := uint64(os.Getpagesize())
	buf := make([]byte, 256<<10)
	var out []Range
	for addr := r.Start; addr < r.End; {
		want := min(uint64(len(buf)), (r.End-addr)/page*8)
		n, err := f.ReadAt(buf[:want], int64(addr/page*8))
		if n == 0 {
			return nil, fmt.Errorf("pages of process %d at %#x: %w", p.PID, addr, err)
		}
		for i := 0; i+8 <= n; i += 8 {
			e := binary.NativeEndian.Uint64(buf[i:])
			own := e&pageGuard == 0 && (e&pageSwapped != 0 || e&pagePresent != 0 && (r.Shared || r.Huge || e&pageFile == 0))
			if own {
				if k := len(out) - 1; k >= 0 && out[k].End == addr {
					out[k].End += page
				} else {
					out = append(out, Range{addr, addr + page})
				}
			}
			addr += page
		}
	}
	return out, nil
}
