package bundle

import (
	"archive/tar"
	"bytes"
	stdgzip "compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var crashTime = time.Date(2026, 11, 21, 8, 44, 0, 123, time.UTC)

var testOptions = Options{Name: "app", Time: crashTime, PID: 1}

func noise(n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(p)
	return p
}

// contents is what the test bundles hold; the core has a hole in the middle.
func contents() map[string][]byte {
	core := append(append(noise(150_000), make([]byte, 3<<20)...), noise(70_001)...)
	return map[string][]byte{
		"traceback.txt":                  []byte("panic: oh\n"),
		"core":                           core,
		"usr/bin/app":                    noise(100_000),
		"lib/x86_64-linux-gnu/libc.so.6": []byte("\x7fELF"),
		"empty":                          {},
	}
}

func order() []string {
	return []string{"traceback.txt", "core", "usr/bin/app", "lib/x86_64-linux-gnu/libc.so.6", "empty"}
}

// fill writes contents into w.
func fill(t testing.TB, w *Writer) {
	t.Helper()
	all := contents()
	for _, name := range order() {
		p := all[name]
		m, err := w.Add("/"+name, int64(len(p)), 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if name == "core" {
			if _, err := m.Write(p[:150_000]); err != nil {
				t.Fatal(err)
			}
			if err := m.Zeros(3 << 20); err != nil {
				t.Fatal(err)
			}
			p = p[150_000+3<<20:]
		}
		for c := range slices.Chunk(p, 4096) {
			if _, err := m.Write(c); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// write makes a bundle in dir and returns its path.
func write(t testing.TB, dir string, opts Options) string {
	t.Helper()
	w, err := Create(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w)
	path, err := w.Commit(Manifest{Complete: true, Method: MethodMonitor, Reason: "crash"})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, path string) *Bundle {
	t.Helper()
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// check compares all members of a whole bundle with contents.
func check(t *testing.T, b *Bundle) {
	t.Helper()
	if b.Truncated() {
		t.Error("a whole bundle reads as truncated")
	}
	if !b.Manifest.Complete || b.Manifest.Reason != "crash" || b.Manifest.PID != 1 || b.Manifest.Schema != Schema || !b.Manifest.Time.Equal(crashTime) {
		t.Errorf("manifest %+v", b.Manifest)
	}
	if err := b.Verify(); err != nil {
		t.Error(err)
	}
	for name, want := range contents() {
		m, err := b.Open(name)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := io.ReadAll(io.NewSectionReader(m, 0, m.Size))
		if err != nil || !bytes.Equal(got, want) || m.Size != int64(len(want)) || m.Available != m.Size {
			t.Errorf("%s: %d of %d bytes, %v, or other bytes", name, len(got), m.Size, err)
		}
		var buf bytes.Buffer
		if _, err := m.WriteTo(&buf); err != nil || !bytes.Equal(buf.Bytes(), want) {
			t.Errorf("%s: WriteTo: %v, or other bytes", name, err)
		}
		if n, err := m.ReadAt(make([]byte, 1), m.Size); n != 0 || err != io.EOF {
			t.Errorf("%s: at the end: %d, %v", name, n, err)
		}
		m.Close()
	}
	if _, err := b.Open("nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a member that is not there: %v", err)
	}
}

func TestBundle(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "store")
	path := write(t, dir, testOptions)
	if want := filepath.Join(dir, "app-20261121T084400Z-1.tar.gz"); path != want {
		t.Errorf("path %s, want %s", path, want)
	}
	b := open(t, path)
	check(t, b)
	if want := slices.Concat([]string{ManifestName}, order(), []string{SumsName}); !slices.Equal(b.Names(), want) {
		t.Errorf("members %q, want %q", b.Names(), want)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files left, want the bundle only", len(files))
	}
	if runtime.GOOS == "windows" {
		return
	}
	for p, want := range map[string]fs.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", p, info.Mode(), err, want)
		}
	}
}

// The archive is plain to any tar: one directory, the manifest first, and
// nothing of the machine that wrote it.
func TestPlainTar(t *testing.T) {
	f, err := os.Open(write(t, t.TempDir(), testOptions))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := stdgzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	tr := tar.NewReader(z)
	for i := 0; ; i++ {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(h.Name, "app-20261121T084400Z-1/")
		if !ok || i == 0 && name != ManifestName {
			t.Errorf("member %d: %s", i, h.Name)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || !h.ModTime.Equal(crashTime.Truncate(time.Second)) || h.Format != tar.FormatUSTAR {
			t.Errorf("header %+v", h)
		}
		if name == ManifestName && h.Size != defaultManifestSpace {
			t.Errorf("manifest of %d bytes", h.Size)
		}
	}
}

func TestEqualInputEqualFile(t *testing.T) {
	a, err1 := os.ReadFile(write(t, t.TempDir(), testOptions))
	b, err2 := os.ReadFile(write(t, t.TempDir(), testOptions))
	if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
		t.Error("the same contents made another file", err1, err2)
	}
}

// tool returns a command's path, or ends the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return p
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(tool(t, name), args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// What users do: unpack, check, pack again.
func TestTools(t *testing.T) {
	tool(t, "tar")
	tool(t, "sha256sum")
	dir := t.TempDir()
	opts := testOptions
	opts.Name = "a strange/näme"
	path := write(t, dir, opts)
	name := strings.TrimSuffix(filepath.Base(path), Ext)
	run(t, dir, "tar", "xzf", path)
	run(t, filepath.Join(dir, name), "sha256sum", "-c", "--strict", SumsName)
	run(t, dir, "tar", "czf", "again.tgz", name)
	run(t, dir, "tar", "cf", "again.tar", name)
	run(t, dir, "tar", "czf", "inside.tgz", "-C", name, ".")
	for _, p := range []string{name, "again.tgz", "again.tar", "inside.tgz"} {
		t.Run(p, func(t *testing.T) { check(t, open(t, filepath.Join(dir, p))) })
	}
}

func TestEscapedNames(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	odd := []string{"back\\slash", "new\nline", "sp ace", "ünï", strings.Repeat("long/", 100) + "x", "--option"}
	for _, name := range odd {
		m, err := w.Add(name, 1, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		m.Write([]byte("x"))
	}
	path, err := w.Commit(Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, path)
	if err := b.Verify(); err != nil {
		t.Error(err)
	}
	for _, name := range odd {
		if _, err := b.Open(name); err != nil {
			t.Error(err)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	tool(t, "sha256sum")
	run(t, dir, "tar", "xzf", path)
	run(t, strings.TrimSuffix(path, Ext), "sha256sum", "-c", "--strict", SumsName)
}

// More than 8 GiB does not fit into the size field of a plain tar header.
func TestHuge(t *testing.T) {
	const size = 9<<30 + 5
	w, err := Create(t.TempDir(), testOptions)
	if err != nil {
		t.Fatal(err)
	}
	// The checksum of 9 GiB is not what this is about.
	w.hash.close()
	w.hash = newHasher()
	m, err := w.Add("core", size, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	m.left -= size - 5
	if err := w.z.WriteZeros(size - 5); err != nil {
		t.Fatal(err)
	}
	io.WriteString(m, "tail.")
	path, err := w.Commit(Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := open(t, path).Open("core")
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 6)
	if _, err := c.ReadAt(p, size-6); c.Size != size || err != nil || string(p) != "\x00tail." {
		t.Errorf("size %d, end %q, %v", c.Size, p, err)
	}
}

func TestVerifyFindsChanges(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, testOptions)
	unpack(t, path, dir)
	top := strings.TrimSuffix(path, Ext)
	for what, change := range map[string]func() error{
		"changed": func() error { return os.WriteFile(filepath.Join(top, "empty"), []byte("x"), 0o600) },
		"added":   func() error { return os.WriteFile(filepath.Join(top, "more"), nil, 0o600) },
		"removed": func() error { return os.Remove(filepath.Join(top, "core")) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if err := open(t, top).Verify(); !errors.Is(err, ErrChecksum) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// unpack extracts a bundle, without any tool.
func unpack(t *testing.T, path, dir string) {
	t.Helper()
	b := open(t, path)
	top := filepath.Join(dir, strings.TrimSuffix(filepath.Base(path), Ext))
	for _, name := range b.Names() {
		m, err := b.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if _, err := m.WriteTo(&buf); err != nil {
			t.Fatal(err)
		}
		p := filepath.Join(top, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, buf.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSums(t *testing.T) {
	b := open(t, write(t, t.TempDir(), testOptions))
	text, err := b.ReadFile(SumsName, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := b.ReadFile(ManifestName, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(manifest)
	if want := fmt.Sprintf("%s  %s\n", hex.EncodeToString(sum[:]), ManifestName); !strings.HasPrefix(string(text), want) {
		t.Errorf("the sums begin %q, want %q", text[:80], want)
	}
}
