package bgzf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
)

func open(t testing.TB, file []byte) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReadAtConcurrently(t *testing.T) {
	data := heapLike(200*MaxBlock + 123) // more blocks than the cache holds
	r := open(t, pack(t, data, Options{}))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 0))
			for range 300 {
				off := rnd.Int64N(int64(len(data)))
				p := make([]byte, rnd.IntN(3*MaxBlock))
				n, err := r.ReadAt(p, off)
				want := data[off:min(off+int64(len(p)), int64(len(data)))]
				if !bytes.Equal(p[:n], want) || (n < len(p)) != (err == io.EOF) {
					t.Errorf("ReadAt(%d bytes, %d) = %d, %v, or other bytes", len(p), off, n, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := len(r.cache.entries); n > cacheBlocks {
		t.Errorf("%d blocks in the cache, want at most %d", n, cacheBlocks)
	}
}

func TestReadAtEnds(t *testing.T) {
	r := open(t, pack(t, []byte("hello"), Options{}))
	p := make([]byte, 3)
	if n, err := r.ReadAt(p, 5); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if n, err := r.ReadAt(p, 1<<62); n != 0 || err != io.EOF {
		t.Errorf("far away: %d, %v", n, err)
	}
	if _, err := r.ReadAt(p, -1); err == nil || err == io.EOF {
		t.Errorf("before the start: %v", err)
	}
	if n, err := r.ReadAt(p[:0], 2); n != 0 || err != nil {
		t.Errorf("nothing: %d, %v", n, err)
	}
}

func TestWriteRange(t *testing.T) {
	data := heapLike(20 * MaxBlock)
	r := open(t, pack(t, data, Options{}))
	for _, c := range []struct{ off, n int64 }{{0, 1}, {5, 0}, {MaxBlock - 1, 2}, {MaxBlock, 5 * MaxBlock}, {100_000, 777_777}} {
		var buf bytes.Buffer
		if n, err := r.WriteRange(&buf, c.off, c.n); n != c.n || err != nil || !bytes.Equal(buf.Bytes(), data[c.off:c.off+c.n]) {
			t.Errorf("%d+%d: %d, %v, or other bytes", c.off, c.n, n, err)
		}
	}
	if n, err := r.WriteRange(io.Discard, int64(len(data)-5), 10); n != 5 || err != io.ErrUnexpectedEOF {
		t.Errorf("past the end: %d, %v", n, err)
	}
	if _, err := r.WriteRange(io.Discard, int64(len(data)+1), 0); err == nil {
		t.Error("beyond the end: no error")
	}
	full := errors.New("full")
	if _, err := r.WriteRange(&failAfter{n: 3 * MaxBlock, err: full}, 0, r.Size()); !errors.Is(err, full) {
		t.Errorf("writer's error: %v", err)
	}
}

// A file cut off anywhere opens up to its last whole block.
func TestTruncated(t *testing.T) {
	data := append(heapLike(3*MaxBlock), noise(2*MaxBlock)...)
	file := pack(t, data, Options{})
	ends := map[int]int64{} // file offset → data before it
	whole := open(t, file)
	for _, e := range whole.index.extents {
		ends[int(e.file)] = e.data
	}
	ends[len(file)-len(eofMember)] = whole.Size()
	var have int64
	for n := range len(file) {
		if d, ok := ends[n]; ok {
			have = d
		}
		if n%997 != 0 && n > 40 && n < len(file)-40 {
			continue
		}
		r, err := NewReader(bytes.NewReader(file[:n]), int64(n))
		if n < headerSize {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%d bytes: %v, want ErrFormat", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if !r.Truncated() || r.Size() != have {
			t.Fatalf("%d bytes: truncated %v, size %d; want true, %d", n, r.Truncated(), r.Size(), have)
		}
		var buf bytes.Buffer
		if _, err := r.WriteTo(&buf); err != nil || !bytes.Equal(buf.Bytes(), data[:have]) {
			t.Fatalf("%d bytes: %v, or other bytes", n, err)
		}
	}
}

func TestDamage(t *testing.T) {
	data := heapLike(3 * MaxBlock)
	file := pack(t, data, Options{})
	second := int(open(t, file).index.extents[1].file)
	for what, at := range map[string]int{"data": second + headerSize + 100, "checksum": second - footerSize} {
		bad := bytes.Clone(file)
		bad[at] ^= 0x55
		r := open(t, bad)
		for range 2 { // an error is not cached as contents
			if _, err := r.ReadAt(make([]byte, 10), int64(at/second)*MaxBlock+5); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: ReadAt: %v", what, err)
			}
		}
		if _, err := r.WriteTo(io.Discard); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: WriteTo: %v", what, err)
		}
	}
	t.Run("rest overwritten", func(t *testing.T) {
		bad := bytes.Clone(file)
		clear(bad[second:])
		if r := open(t, bad); !r.Truncated() || r.Size() != MaxBlock {
			t.Errorf("truncated %v, size %d", r.Truncated(), r.Size())
		}
	})
}

// member returns a stored member that claims another length than it has.
func member(data []byte, isize uint32) []byte {
	m := AppendStored(nil, data)
	binary.LittleEndian.PutUint32(m[len(m)-4:], isize)
	return m
}

func TestHostile(t *testing.T) {
	t.Run("size of zero", func(t *testing.T) {
		m := member([]byte("x"), 1)
		m[16], m[17] = 0, 0
		if _, err := NewReader(bytes.NewReader(m), int64(len(m))); !errors.Is(err, ErrFormat) {
			t.Error(err)
		}
	})
	t.Run("more data than said", func(t *testing.T) {
		r := open(t, member(noise(1000), 10))
		if _, err := r.ReadAt(make([]byte, 5), 0); !errors.Is(err, ErrCorrupt) {
			t.Error(err)
		}
	})
	t.Run("less data than said", func(t *testing.T) {
		r := open(t, member(noise(1000), 1001))
		if _, err := r.ReadAt(make([]byte, 5), 0); !errors.Is(err, ErrCorrupt) {
			t.Error(err)
		}
	})
	t.Run("bomb", func(t *testing.T) {
		if r := open(t, member([]byte("x"), 1<<31)); r.Size() != 0 || !r.Truncated() {
			t.Errorf("size %d, truncated %v", r.Size(), r.Truncated())
		}
	})
	t.Run("many tiny blocks", func(t *testing.T) {
		one := AppendStored(nil, []byte("x"))
		n := int64(manyBlocks+10) * int64(len(one))
		if _, err := NewReader(repeat(one), n); !errors.Is(err, ErrFormat) {
			t.Error(err)
		}
	})
	t.Run("file shorter than said", func(t *testing.T) {
		file := pack(t, heapLike(3*MaxBlock), Options{})
		if _, err := NewReader(bytes.NewReader(file[:len(file)/2]), int64(len(file))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
	})
}

// repeat is an endless file.
type repeat []byte

func (r repeat) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = r[(off+int64(i))%int64(len(r))]
	}
	return len(p), nil
}

// Other writers put more into the header.
func TestForeignHeader(t *testing.T) {
	m := AppendStored(nil, []byte("hello"))
	extra := append([]byte("XY\x03\x00abc"), m[12:18]...)
	f := append(bytes.Clone(m[:10]), byte(len(extra)), 0)
	f = append(f, extra...)
	f = append(f, m[18:]...)
	binary.LittleEndian.PutUint16(f[12+len(extra)-2:], uint16(len(f)-1))
	f = append(bytes.Clone(f), f...)
	r := open(t, append(f, eofMember...))
	p := make([]byte, 10)
	if _, err := r.ReadAt(p, 0); err != nil || string(p) != "hellohello" || r.Truncated() {
		t.Errorf("%q, %v, truncated %v", p, err, r.Truncated())
	}
}
