package bgzf

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// FuzzReader: whatever the file, its blocks read the same by every way in, or
// fail with a typed error, and what the standard library unpacks of a whole
// file is what we unpack.
func FuzzReader(f *testing.F) {
	f.Add([]byte(eofMember))
	f.Add(pack(f, []byte("hello"), Options{}))
	f.Add(pack(f, heapLike(2*MaxBlock), Options{Level: 1})[:40_000])
	f.Add(append(AppendStored(nil, []byte("stored")), member([]byte("x"), 9)...))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewReader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("untyped error: %v", err)
			}
			return
		}
		if r.Size() > 1032*int64(len(file)) {
			t.Fatalf("%d bytes claim to hold %d", len(file), r.Size())
		}
		if r.Size() > 8<<20 {
			return
		}
		var all bytes.Buffer
		n, err := r.WriteTo(&all)
		if n != int64(all.Len()) || (err == nil) != (n == r.Size()) {
			t.Fatalf("WriteTo = %d, %v; wrote %d of %d", n, err, all.Len(), r.Size())
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("untyped error: %v", err)
		}
		p := make([]byte, r.Size())
		m, rerr := r.ReadAt(p, 0)
		if !bytes.Equal(p[:m], all.Bytes()) || (rerr == nil) != (err == nil) {
			t.Fatalf("ReadAt = %d, %v differs from WriteTo = %d, %v", m, rerr, n, err)
		}
		if err != nil || r.Truncated() {
			return
		}
		// It reads no less than gzip does. It may read more: members that say
		// that they are empty are not looked into.
		std, err := gzip.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatalf("gzip: %v", err)
		}
		if got, err := io.ReadAll(std); err == nil && !bytes.Equal(got, p) {
			t.Fatal("gzip reads other bytes")
		}
	})
}

// FuzzRoundTrip: a sequence of writes, zeros, stored parts and flushes reads
// back, through the standard library and at random offsets through ours.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2, 3, 4, 5, 6, 7}, uint8(5))
	f.Add(uint64(2), []byte{3, 3, 0, 1}, uint8(1))
	f.Add(uint64(3), []byte{}, uint8(9))
	f.Fuzz(func(t *testing.T, seed uint64, ops []byte, level uint8) {
		if len(ops) > 64 {
			ops = ops[:64]
		}
		rnd := rand.New(rand.NewPCG(seed, 7))
		heap, random := heapLike(3*MaxBlock), noise(3*MaxBlock)
		var file bytes.Buffer
		var want []byte
		z := NewWriter(&file, Options{Level: int(level % 11), Workers: 1 + int(level%3)})
		for _, op := range ops {
			n := rnd.IntN(2*MaxBlock) >> (op >> 4)
			var err error
			switch op % 7 {
			case 0, 1:
				_, err = z.Write(heap[:n])
				want = append(want, heap[:n]...)
			case 2:
				_, err = z.Write(random[:n])
				want = append(want, random[:n]...)
			case 3:
				err = z.WriteZeros(int64(n))
				want = append(want, make([]byte, n)...)
			case 4:
				err = z.WriteStored(heap[:n])
				want = append(want, heap[:n]...)
			case 5:
				err = z.Flush()
			case 6:
				err = z.EndBlock()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(unpackStd(t, file.Bytes()), want) {
			t.Fatal("gzip reads other bytes")
		}
		r := open(t, file.Bytes())
		if r.Truncated() || r.Size() != int64(len(want)) {
			t.Fatalf("truncated %v, size %d, want %d", r.Truncated(), r.Size(), len(want))
		}
		for range 10 {
			off := rnd.IntN(len(want) + 1)
			p := make([]byte, rnd.IntN(len(want)-off+1))
			if _, err := r.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, want[off:off+len(p)]) {
				t.Fatalf("ReadAt(%d bytes, %d): %v, or other bytes", len(p), off, err)
			}
		}
	})
}
