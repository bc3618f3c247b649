package bundle

import (
	"errors"
	"fmt"
	"io/fs"
)

// errTooLong is what a member says to more bytes than it announced.
var errTooLong = errors.New("more bytes than announced")

// MemberWriter takes the contents of one member. It ends with the next
// [Writer.Add] or with [Writer.Commit].
type MemberWriter struct {
	w    *Writer
	name string
	size int64
	left int64
}

// Left returns how many bytes are still to come. A member whose source failed
// midway is completed with Zeros(Left()), and listed as missing.
func (m *MemberWriter) Left() int64 { return m.left }

// Write implements [io.Writer].
func (m *MemberWriter) Write(p []byte) (int, error) {
	if err := m.take(int64(len(p))); err != nil {
		return 0, err
	}
	m.w.hash.write(p)
	n, err := m.w.z.Write(p)
	if err != nil {
		return n, m.fail(err)
	}
	return n, nil
}

// Zeros writes n zero bytes, without the cost of compressing them.
func (m *MemberWriter) Zeros(n int64) error {
	if n <= 0 {
		return nil
	}
	if err := m.take(n); err != nil {
		return err
	}
	m.w.hash.zeros(n)
	if err := m.w.z.WriteZeros(n); err != nil {
		return m.fail(err)
	}
	return nil
}

// take claims n of the bytes announced.
func (m *MemberWriter) take(n int64) error {
	switch {
	case m.w.done || m.w.member != m:
		return fmt.Errorf("write %s to bundle: %w", m.name, fs.ErrClosed)
	case n > m.left:
		return fmt.Errorf("write %s to bundle: %d, %w", m.name, m.size, errTooLong)
	}
	m.left -= n
	return nil
}

func (m *MemberWriter) fail(err error) error {
	return fmt.Errorf("write %s to bundle: %w", m.name, wrapFull(err))
}
