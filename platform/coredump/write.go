package coredump

import (
	"errors"
	"fmt"
	"io"
)

// chunk is how many bytes are read from the process at a time.
const chunk = 1 << 20

// WriteTo writes the core. The process must still be held. Pages that cannot
// be read, such as those of a file that was cut short under its mapping, are
// written as zeros and named in Missing; so is what is left to read of a process
// that is killed meanwhile, since what was written by then may tell enough.
func (c *Core) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(c.header)
	written := int64(n)
	if err != nil {
		return written, fmt.Errorf("write core: %w", err)
	}
	buf := make([]byte, chunk)
	var unread, lost uint64
	for _, s := range c.Image.Segments {
		for off := uint64(0); off < s.Filesz; {
			b := buf[:min(chunk, s.Filesz-off)]
			if n := c.read(b, s.Addr+off); c.dead {
				lost += n
			} else {
				unread += n
			}
			n, err := w.Write(b)
			written += int64(n)
			if err != nil {
				return written, fmt.Errorf("write core: %w", err)
			}
			off += uint64(len(b))
		}
	}
	if unread > 0 {
		c.Missing = append(c.Missing, fmt.Sprintf("unreadable pages, stored as zeros: %d bytes", unread))
	}
	if lost > 0 {
		c.Missing = append(c.Missing, fmt.Sprintf("memory, stored as zeros, because the process was killed while it was read: %d bytes", lost))
	}
	return written, nil
}

// pageSize is the granularity at which memory fails to be read. Every page
// size there is, is a multiple of it.
const pageSize = 4096

// read fills b from addr, page by page where it has to, and returns how many
// bytes could not be read and are zero.
func (c *Core) read(b []byte, addr uint64) (unread uint64) {
	for len(b) > 0 && !c.dead {
		n, err := c.held.ReadAt(b, int64(addr))
		if err == nil {
			return unread
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			c.dead = true
			b = b[n:]
			break
		}
		n -= n % pageSize
		skip := min(pageSize, len(b)-n)
		clear(b[n : n+skip])
		unread += uint64(skip)
		b, addr = b[n+skip:], addr+uint64(n+skip)
	}
	clear(b)
	return unread + uint64(len(b))
}
