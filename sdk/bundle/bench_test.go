package bundle

import (
	"fmt"
	"io"
	"os"
	"testing"
)

// BenchmarkWriter measures a bundle from the first byte to the fsync, with
// the core that COREKIT_BENCH_DATA names, or with zeros and noise. Zero pages
// go the way of absent ones.
func BenchmarkWriter(b *testing.B) {
	data := append(make([]byte, 32<<20), noise(32<<20)...)
	if path := os.Getenv("COREKIT_BENCH_DATA"); path != "" {
		p, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		data = p
	}
	for level := 1; level <= 6; level++ {
		b.Run(fmt.Sprintf("level=%d", level), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			opts := testOptions
			opts.Level = level
			var size int64
			for b.Loop() {
				size = writeCore(b, b.TempDir(), opts, data)
			}
			b.ReportMetric(100*float64(size)/float64(len(data)), "%size")
		})
	}
}

func writeCore(b *testing.B, dir string, opts Options, data []byte) int64 {
	w, err := Create(dir, opts)
	if err != nil {
		b.Fatal(err)
	}
	m, err := w.Add("core", int64(len(data)), 0o600)
	if err != nil {
		b.Fatal(err)
	}
	for len(data) > 0 && err == nil {
		zero := 0
		for len(data) >= zero+4096 && [4096]byte(data[zero:]) == [4096]byte{} {
			zero += 4096
		}
		if zero > 0 {
			err = m.Zeros(int64(zero))
			data = data[zero:]
			continue
		}
		n := min(len(data), 4096)
		_, err = m.Write(data[:n])
		data = data[n:]
	}
	if err != nil {
		b.Fatal(err)
	}
	path, err := w.Commit(Manifest{})
	if err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	os.Remove(path)
	return info.Size()
}

func BenchmarkOpen(b *testing.B) {
	path := write(b, b.TempDir(), testOptions)
	for b.Loop() {
		x, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		x.Close()
	}
}

// BenchmarkWriteTo measures unpacking.
func BenchmarkWriteTo(b *testing.B) {
	x := open(b, write(b, b.TempDir(), testOptions))
	m, err := x.Open("core")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(m.Size)
	for b.Loop() {
		if _, err := m.WriteTo(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
