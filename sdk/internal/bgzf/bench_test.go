package bgzf

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
)

// benchData is 64 MiB that look like a heap, or, to measure with the memory
// of a real program, the file that COREKIT_BENCH_DATA names.
func benchData(b *testing.B) []byte {
	path := os.Getenv("COREKIT_BENCH_DATA")
	if path == "" {
		return heapLike(64 << 20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

type countWriter int64

func (w *countWriter) Write(p []byte) (int, error) {
	*w += countWriter(len(p))
	return len(p), nil
}

func BenchmarkWriter(b *testing.B) {
	data := benchData(b)
	for level := 1; level <= 7; level++ {
		b.Run(fmt.Sprintf("level=%d", level), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			var size countWriter
			for b.Loop() {
				size = 0
				z := NewWriter(&size, Options{Level: level})
				z.Write(data)
				if err := z.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(100*float64(size)/float64(len(data)), "%size")
		})
	}
}

func BenchmarkWriteZeros(b *testing.B) {
	b.SetBytes(1 << 30)
	for b.Loop() {
		z := NewWriter(io.Discard, Options{})
		z.WriteZeros(1 << 30)
		if err := z.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewReader(b *testing.B) {
	var file bytes.Buffer
	z := NewWriter(&file, Options{})
	z.WriteZeros(20_000 * MaxBlock)
	z.Close()
	for b.Loop() {
		if _, err := NewReader(bytes.NewReader(file.Bytes()), int64(file.Len())); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteTo(b *testing.B) {
	data := benchData(b)
	r := open(b, pack(b, data, Options{}))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := r.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadPage reads pages at random, so that most are not in the cache.
func BenchmarkReadPage(b *testing.B) {
	data := benchData(b)
	r := open(b, pack(b, data, Options{}))
	rnd := rand.New(rand.NewPCG(1, 1))
	p := make([]byte, 4096)
	for b.Loop() {
		if _, err := r.ReadAt(p, rnd.Int64N(r.Size()-4096)); err != nil {
			b.Fatal(err)
		}
	}
}
