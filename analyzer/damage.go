package analyzer

import (
	"errors"
	"io"
	"sync"

	"github.com/corekit/corekit/sdk/bundle"
)

// damage notices what cannot be read of a bundle's members. Who reads memory
// takes a page that cannot be read for one that is not there; the report must
// not pass for a complete one then.
type damage struct {
	mu  sync.Mutex
	err error // the first
}

func (d *damage) watch(r io.ReaderAt) io.ReaderAt { return watched{r, d} }

// first returns the first error, nil if all that was asked for could be read.
func (d *damage) first() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

type watched struct {
	io.ReaderAt
	damage *damage
}

func (w watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.ReaderAt.ReadAt(p, off)
	// What a bundle lacks at its end is known without reading.
	if err != nil && err != io.EOF && !errors.Is(err, bundle.ErrTruncated) {
		w.damage.mu.Lock()
		if w.damage.err == nil {
			w.damage.err = err
		}
		w.damage.mu.Unlock()
	}
	return n, err
}
