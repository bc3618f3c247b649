package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/corekit/corekit/sdk/internal/bgzf"
)

// Member is an open member of a [Bundle]. Its methods may be called
// concurrently.
type Member struct {
	Name string
	Size int64 // when it was written
	// Available is how much of it is there: less than Size if the bundle is
	// cut off within it.
	Available int64

	r    io.ReaderAt // from the start of the member
	file *os.File    // of an unpacked bundle
	bgzf *bgzf.Reader
	off  int64 // in bgzf
}

// Open opens a member. One that is not there gives an error that answers
// errors.Is(err, [fs.ErrNotExist]).
func (b *Bundle) Open(name string) (*Member, error) {
	e, ok := b.members[name]
	if !ok {
		return nil, fmt.Errorf("open member %s: %w", name, fs.ErrNotExist)
	}
	m := &Member{Name: name, Size: e.size, Available: e.avail}
	if b.root == nil {
		m.r = io.NewSectionReader(b.data, e.off, e.avail)
		m.bgzf, m.off = b.bgzf, e.off
		return m, nil
	}
	f, err := b.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open member: %w", err)
	}
	m.r, m.file = f, f
	return m, nil
}

// ReadAt implements [io.ReaderAt]. Where the bundle is cut off before the end
// of the member, it gives [ErrTruncated].
func (m *Member) ReadAt(p []byte, off int64) (int, error) {
	n, err := m.r.ReadAt(p, off)
	if err == io.EOF && off+int64(n) < m.Size {
		err = fmt.Errorf("read member %s at %d: %w", m.Name, off+int64(n), ErrTruncated)
	}
	return n, err
}

// WriteTo implements [io.WriterTo], on all cores where the bundle is
// compressed.
func (m *Member) WriteTo(w io.Writer) (n int64, err error) {
	if m.bgzf != nil {
		n, err = m.bgzf.WriteRange(w, m.off, m.Available)
	} else {
		n, err = io.Copy(w, io.NewSectionReader(m.r, 0, m.Available))
	}
	if err == nil && n < m.Size {
		err = ErrTruncated
	}
	if err != nil {
		err = fmt.Errorf("read member %s: %w", m.Name, err)
	}
	return n, err
}

// Close releases the member.
func (m *Member) Close() error {
	if m.file != nil {
		return m.file.Close()
	}
	return nil
}

// ReadFile returns the contents of a small member: of at most limit bytes.
func (b *Bundle) ReadFile(name string, limit int64) ([]byte, error) {
	m, err := b.Open(name)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if m.Size > limit {
		return nil, fmt.Errorf("read member %s: %d bytes, more than %d", name, m.Size, limit)
	}
	// Not Size: that is a claim, and this is what is there.
	p := make([]byte, m.Available)
	n, err := m.ReadAt(p, 0)
	if n == len(p) && m.Available == m.Size || errors.Is(err, io.EOF) && int64(n) == m.Size {
		return p, nil
	}
	if err == nil {
		err = fmt.Errorf("read member %s: %w", name, ErrTruncated)
	}
	return p[:n], err
}
