package bgzf

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// noise returns n bytes that do not compress.
func noise(n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(p)
	return p
}

// heapLike returns n bytes that look like a heap: spans of 8 KiB that hold
// pointers, text, small structs or nothing.
func heapLike(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	words := []string{"alpha", "request", "order-", "eu-west-1", `{"id":`, "true", "user@example.com", "null"}
	p := make([]byte, 0, n+8<<10)
	for len(p) < n {
		span := p[len(p) : len(p)+8<<10]
		clear(span)
		switch rnd.IntN(4) {
		case 0:
			for i := 0; i+8 <= len(span); i += 8 {
				v := 0xc000000000 + rnd.Uint64N(1<<28)&^15
				for j := range 6 {
					span[i+j] = byte(v >> (8 * j))
				}
			}
		case 1:
			for i := 0; i < len(span); {
				i += copy(span[i:], words[rnd.IntN(len(words))])
			}
		case 2:
			for i := 0; i+48 <= len(span); i += 48 {
				span[i], span[i+1], span[i+8], span[i+32] = byte(rnd.Uint32()), byte(i>>8), byte(i), 1
			}
		}
		p = p[:len(p)+8<<10]
	}
	return p[:n]
}

func pack(t testing.TB, data []byte, opts Options) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := NewWriter(&buf, opts)
	if n, err := z.Write(data); n != len(data) || err != nil {
		t.Fatalf("Write = %d, %v; want %d", n, err, len(data))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func unpackStd(t testing.TB, file []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRoundTrip(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty":          nil,
		"one":            {7},
		"zeros":          make([]byte, 3*MaxBlock+5),
		"noise":          noise(5*MaxBlock + 1),
		"noise, one":     noise(MaxBlock),
		"noise, chunk+1": noise(storedChunk + 1),
		"heap":           heapLike(7*MaxBlock + 77),
		"zeros in heap":  append(append(heapLike(MaxBlock/2), make([]byte, 2*MaxBlock)...), 1),
	} {
		t.Run(name, func(t *testing.T) {
			for level := 1; level <= 9; level++ {
				file := pack(t, data, Options{Level: level, Workers: 3})
				if got := unpackStd(t, file); !bytes.Equal(got, data) {
					t.Fatalf("level %d: compress/gzip read other bytes", level)
				}
				blocks := (len(data) + MaxBlock - 1) / MaxBlock
				if most := blocks*StoredSize(MaxBlock) + len(eofMember); len(file) > most {
					t.Errorf("level %d: %d bytes, more than the %d of stored", level, len(file), most)
				}
				r, err := NewReader(bytes.NewReader(file), int64(len(file)))
				if err != nil {
					t.Fatal(err)
				}
				var buf bytes.Buffer
				if n, err := r.WriteTo(&buf); n != int64(len(data)) || err != nil || !bytes.Equal(buf.Bytes(), data) {
					t.Fatalf("level %d: WriteTo = %d, %v, or other bytes", level, n, err)
				}
				if r.Truncated() {
					t.Errorf("level %d: a whole file reads as truncated", level)
				}
			}
		})
	}
}

// Blocks must not depend on each other, nor on what a reused compressor did
// before: equal input is equal output.
func TestDeterministic(t *testing.T) {
	data := heapLike(20 * MaxBlock)
	first := pack(t, data, Options{Workers: 1})
	for range 3 {
		if !bytes.Equal(pack(t, data, Options{Workers: 4}), first) {
			t.Fatal("the same input made another file")
		}
	}
}

func TestWriteZeros(t *testing.T) {
	const n = 1<<30 + 12345
	var buf bytes.Buffer
	z := NewWriter(&buf, Options{})
	io.WriteString(z, "head")
	if err := z.WriteZeros(n); err != nil {
		t.Fatal(err)
	}
	io.WriteString(z, "tail")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if buf.Len() > n/400 {
		t.Errorf("%d zeros take %d bytes", n, buf.Len())
	}
	r, err := NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if r.Size() != n+8 {
		t.Fatalf("size %d, want %d", r.Size(), n+8)
	}
	got := make([]byte, 8)
	for off, want := range map[int64]string{0: "head\x00\x00\x00\x00", n / 2: "\x00\x00\x00\x00\x00\x00\x00\x00", n: "\x00\x00\x00\x00tail"} {
		if _, err := r.ReadAt(got, off); err != nil || string(got) != want {
			t.Errorf("at %d: %q, %v; want %q", off, got, err, want)
		}
	}
}

func TestWriteStoredInPlace(t *testing.T) {
	old, changed := noise(200_000), bytes.Repeat([]byte("new "), 50_000)
	var buf bytes.Buffer
	z := NewWriter(&buf, Options{})
	if err := z.WriteStored(old); err != nil {
		t.Fatal(err)
	}
	io.WriteString(z, "the rest")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file := buf.Bytes()
	patch := AppendStored(nil, changed)
	if len(patch) != StoredSize(len(old)) {
		t.Fatalf("%d stored bytes take %d, want %d", len(old), len(patch), StoredSize(len(old)))
	}
	copy(file, patch)
	if got := unpackStd(t, file); string(got) != string(changed)+"the rest" {
		t.Fatal("the overwritten file reads as something else")
	}
}

// failAfter accepts n bytes.
type failAfter struct {
	n     int
	err   error
	short bool
	calls int // after the error
}

func (w *failAfter) Write(p []byte) (int, error) {
	if w.n < 0 {
		w.calls++
	}
	if w.n -= len(p); w.n < 0 {
		if w.short {
			return 0, nil
		}
		return 0, w.err
	}
	return len(p), nil
}

func TestErrorsStay(t *testing.T) {
	full := errors.New("disk full")
	for _, short := range []bool{false, true} {
		want := full
		if short {
			want = io.ErrShortWrite
		}
		dst := &failAfter{n: 100_000, err: full, short: short}
		z := NewWriter(dst, Options{})
		var err error
		for i := 0; err == nil; i++ {
			if i > 10_000 {
				t.Fatal("Write never failed")
			}
			_, err = z.Write(noise(10_000))
		}
		if !errors.Is(err, want) {
			t.Errorf("Write: %v, want %v", err, want)
		}
		for what, err := range map[string]error{
			"Flush": z.Flush(), "WriteZeros": z.WriteZeros(1 << 50), "WriteStored": z.WriteStored([]byte("x")),
			"Close": z.Close(), "second Close": z.Close(),
		} {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		if dst.calls != 0 {
			t.Errorf("%d writes after the error", dst.calls)
		}
	}
}

func TestLateErrors(t *testing.T) {
	full := errors.New("disk full")
	for n := range 40 { // the first member, the end of the file
		z := NewWriter(&failAfter{n: n, err: full}, Options{})
		io.WriteString(z, "x")
		if err := z.Close(); !errors.Is(err, full) {
			t.Errorf("after %d bytes Close says %v", n, err)
		}
	}
}

func TestClosed(t *testing.T) {
	z := NewWriter(io.Discard, Options{})
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := z.Write([]byte("x"))
	for what, err := range map[string]error{"Write": err, "Flush": z.Flush(), "EndBlock": z.EndBlock(), "WriteZeros": z.WriteZeros(1)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
}

// Other people's tools read what we write.
func TestTools(t *testing.T) {
	data := append(heapLike(9*MaxBlock+9), noise(2*MaxBlock)...)
	path := filepath.Join(t.TempDir(), "x.gz")
	if err := os.WriteFile(path, pack(t, data, Options{}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"gzip", "-dc", path},
		{"python3", "-c", "import gzip,sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())", path},
	} {
		t.Run(args[0], func(t *testing.T) {
			if _, err := exec.LookPath(args[0]); err != nil {
				if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Stderr = os.Stderr
			got, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, data) {
				t.Fatal("read other bytes")
			}
		})
	}
}
