package bgzf

import (
	"fmt"
	"io"
	"runtime"
	"sync"
)

// WriteTo implements [io.WriterTo]: the whole contents, decompressed on all
// cores.
func (z *Reader) WriteTo(w io.Writer) (int64, error) { return z.WriteRange(w, 0, z.Size()) }

// WriteRange writes n bytes from off on, decompressed on all cores. A range
// that reaches past the end gives [io.ErrUnexpectedEOF] after what there is.
func (z *Reader) WriteRange(w io.Writer, off, n int64) (int64, error) {
	if off < 0 || n < 0 || off > z.Size() {
		return 0, fmt.Errorf("bgzf: range %d+%d of %d bytes", off, n, z.Size())
	}
	want := n
	n = min(n, z.Size()-off)
	if n == 0 {
		return 0, short(0, want)
	}
	p := z.unpack(z.find(off), z.find(off+n-1)+1)
	defer p.stop()
	var done int64
	for r := range p.results {
		<-r.ready
		if r.err != nil {
			return done, r.err
		}
		start, _ := z.bounds(r.index)
		b := r.data[off+done-start:]
		b = b[:min(int64(len(b)), n-done)]
		k, err := w.Write(b)
		done += int64(k)
		if err == nil && k != len(b) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return done, err
		}
		p.free <- r
	}
	return done, short(done, want)
}

func short(done, want int64) error {
	if done < want {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// unpacker decompresses consecutive blocks ahead of who takes the results.
type unpacker struct {
	results chan *result // in order
	free    chan *result
	quit    chan struct{}
	wg      sync.WaitGroup
}

type result struct {
	index int
	ready chan struct{}
	buf   [MaxBlock]byte
	data  []byte
	err   error
}

func (z *Reader) unpack(from, to int) *unpacker {
	workers := min(runtime.GOMAXPROCS(0), to-from)
	ahead := 2*workers + 1
	p := &unpacker{
		results: make(chan *result, ahead),
		free:    make(chan *result, ahead),
		quit:    make(chan struct{}),
	}
	for range ahead {
		p.free <- nil // made when first needed
	}
	jobs := make(chan *result, ahead)
	p.wg.Go(func() {
		defer close(jobs)
		defer close(p.results)
		for i := from; i < to; i++ {
			select {
			case r := <-p.free:
				if r == nil {
					r = new(result)
				}
				r.index, r.ready = i, make(chan struct{})
				jobs <- r
				p.results <- r
			case <-p.quit:
				return
			}
		}
	})
	for range workers {
		p.wg.Go(func() {
			for r := range jobs {
				start, end := z.bounds(r.index)
				r.data = r.buf[:end-start]
				r.err = z.block(r.index, r.data)
				close(r.ready)
			}
		})
	}
	return p
}

// stop ends the goroutines, whether all was taken or not.
func (p *unpacker) stop() {
	close(p.quit)
	for range p.results { // so that the sender is not stuck
	}
	p.wg.Wait()
}
