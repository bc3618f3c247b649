package process

import (
	"fmt"
	"io"

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
