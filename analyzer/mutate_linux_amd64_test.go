package analyzer

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const (
	// maxTime is a hundred times what the analysis of the whole bundle takes.
	maxTime = 10 * time.Second
	// maxAlloc is what it may allocate, all in all.
	maxAlloc = 1 << 30
)

// mutation is 16 bytes: where (part, offset), how many bytes, what.
const mutationSize = 16

// mutate applies mutations to a copy of the archive in buf.
func (c *crashed) mutate(buf, mutations []byte) {
	for ; len(mutations) >= mutationSize; mutations = mutations[mutationSize:] {
		m := mutations[:mutationSize]
		p := c.parts[int(m[0])%len(c.parts)]
		if p.size == 0 {
			continue
		}
		at := p.off + int64(binary.LittleEndian.Uint32(m[2:])%uint32(p.size))
		n := 1 << (m[1] % 4)
		if m[1]&8 != 0 {
			at &^= int64(n - 1)
		}
		copy(buf[at:min(at+int64(n), int64(len(buf)))], m[8:])
	}
}

// checkAnalysis analyses a file that may be damaged in any way.
func checkAnalysis(t *testing.T, path string, opts Options) (failed bool) {
	t.Helper()
	opts.NoValues = true
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	rep, err := Analyze(context.Background(), path, opts)
	if took := time.Since(begin); took > maxTime {
		t.Errorf("it took %v", took)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > maxAlloc {
		t.Errorf("it allocated %d bytes", n)
	}
	var b *bug
	var e *Error
	switch {
	case errors.As(err, &b):
		t.Error(err)
	case err != nil && (!errors.As(err, &e) || e.Hint == ""):
		t.Errorf("an error without a hint: %v", err)
	case err != nil && rep != nil:
		t.Error("a report and an error")
	case err == nil && !rep.Capture.Complete && len(rep.Warnings) == 0:
		t.Error("a partial report without a warning")
	}
	if rep != nil {
		if all := strings.Join(rep.Warnings, "\n"); strings.Contains(all, "a bug in corekit") {
			t.Error(all)
		}
	}
	return err != nil
}

// interesting values are those that lengths, offsets and pointers break on.
var interesting = []uint64{0, 1, 7, 8, 0x7f, 0xff, 0x7fff, 0xffff, 1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 40, 1<<47 - 8, 1 << 62, 1<<63 - 1, 1 << 63, ^uint64(0)}

// randomMutations makes some.
func randomMutations(r *rand.Rand, parts int) []byte {
	var out []byte
	for range 1 + r.IntN(4) {
		var m [mutationSize]byte
		m[0], m[1] = byte(r.IntN(parts)), byte(r.IntN(16))
		binary.LittleEndian.PutUint32(m[2:], r.Uint32())
		v := r.Uint64()
		if r.IntN(2) == 0 {
			v = interesting[r.IntN(len(interesting))]
		}
		binary.LittleEndian.PutUint64(m[8:], v)
		out = append(out, m[:]...)
	}
	return out
}

// A bundle whose bytes were changed gives a report or an error, soon, and
// corekit does not break.
func TestMutatedBundle(t *testing.T) {
	c := realCrash(t)
	path := filepath.Join(t.TempDir(), "mutated.tar")
	n := 600
	if testing.Short() {
		n = 60
	}
	r := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, len(c.tar))
	failed := 0
	for i := range n {
		m := randomMutations(r, len(c.parts))
		copy(buf, c.tar)
		c.mutate(buf, m)
		if err := os.WriteFile(path, buf, 0o600); err != nil {
			t.Fatal(err)
		}
		if checkAnalysis(t, path, Options{}) {
			failed++
		}
		if t.Failed() {
			t.Fatalf("mutation %d: %x", i, m)
		}
	}
	if failed == 0 || failed == n {
		t.Errorf("%d of %d analyses failed; the mutations are not what they should be", failed, n)
	}
	t.Logf("%d of %d gave an error, the others a report", failed, n)
}

// FuzzAnalyze does the same with mutations of the fuzzer's choice.
func FuzzAnalyze(f *testing.F) {
	c := realCrash(f)
	r := rand.New(rand.NewPCG(3, 4))
	f.Add([]byte{})
	for range 10 {
		f.Add(randomMutations(r, len(c.parts)))
	}
	buf := make([]byte, len(c.tar))
	f.Fuzz(func(t *testing.T, mutations []byte) {
		copy(buf, c.tar)
		c.mutate(buf, mutations[:min(len(mutations), 16*mutationSize)])
		path := filepath.Join(t.TempDir(), "mutated.tar")
		if err := os.WriteFile(path, buf, 0o600); err != nil {
			t.Fatal(err)
		}
		checkAnalysis(t, path, Options{})
	})
}

// Cut off anywhere, too.
func TestTruncatedBundle(t *testing.T) {
	c := realCrash(t)
	whole, err := os.ReadFile(c.bundle)
	if err != nil {
		t.Fatal(err)
	}
	for ext, data := range map[string][]byte{".tar": c.tar, ".tar.gz": whole} {
		path := filepath.Join(t.TempDir(), "cut"+ext)
		for i := range 60 {
			n := len(data) * i / 60
			if err := os.WriteFile(path, data[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			checkAnalysis(t, path, Options{})
			if t.Failed() {
				t.Fatalf("%s: %d of %d bytes", ext, n, len(data))
			}
		}
	}
}
