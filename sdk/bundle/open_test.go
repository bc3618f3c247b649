package bundle

import (
	"archive/tar"
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/corekit/corekit/sdk/internal/bgzf"
)

// Cut off anywhere, a bundle opens to what is whole, or says why not.
func TestTruncatedEverywhere(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(write(t, dir, testOptions))
	if err != nil {
		t.Fatal(err)
	}
	want := contents()
	cut := filepath.Join(dir, "cut.tar.gz")
	opened, partly := 0, 0
	for n := 0; n < len(whole); n += 1000 {
		if err := os.WriteFile(cut, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := Open(cut)
		if err != nil {
			if !errors.Is(err, ErrTruncated) && !(n == 0 && errors.Is(err, ErrNotBundle)) {
				t.Fatalf("%d bytes: %v", n, err)
			}
			continue
		}
		opened++
		if !b.Truncated() || b.Manifest.Method != MethodMonitor {
			t.Fatalf("%d bytes: truncated %v, manifest %+v", n, b.Truncated(), b.Manifest)
		}
		if err := b.Verify(); !errors.Is(err, ErrTruncated) {
			t.Fatalf("%d bytes: Verify: %v", n, err)
		}
		for _, name := range b.Names()[1:] {
			m, err := b.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if name == SumsName {
				continue
			}
			got, err := io.ReadAll(io.NewSectionReader(m, 0, m.Size))
			if int64(len(got)) != m.Available || !bytes.Equal(got, want[name][:m.Available]) {
				t.Fatalf("%d bytes: %s: %d of %d bytes, or other bytes", n, name, len(got), m.Available)
			}
			if m.Available < m.Size {
				partly++
			}
			if (m.Available < m.Size) != errors.Is(err, ErrTruncated) {
				t.Fatalf("%d bytes: %s: %v", n, name, err)
			}
		}
		b.Close()
	}
	if opened == 0 || partly == 0 {
		t.Errorf("opened %d, with %d cut members", opened, partly)
	}
}

func TestNotABundle(t *testing.T) {
	dir := t.TempDir()
	gz := func(p []byte) []byte {
		var b bytes.Buffer
		z := stdgzip.NewWriter(&b)
		z.Write(p)
		z.Close()
		return b.Bytes()
	}
	var bg bytes.Buffer
	z := bgzf.NewWriter(&bg, bgzf.Options{})
	z.Write(make([]byte, 5000))
	z.Close()
	elf := func(kind byte) []byte {
		p := make([]byte, 100)
		copy(p, "\x7fELF\x02\x01\x01")
		p[16] = kind
		return p
	}
	for looks, p := range map[string][]byte{
		"empty":                    nil,
		"text":                     []byte("panic: größer\n"),
		"an ELF core":              elf(4),
		"an ELF executable":        elf(2),
		"a zip":                    []byte("PK\x03\x04abc"),
		"zstd":                     []byte(zstdMagic + "abc"),
		"a Windows minidump":       []byte("MDMP\x00"),
		"unknown":                  {0, 1, 2, 3},
		"gzip, but no tar":         gz(make([]byte, 1000)),
		"gzip, but no tar archive": gz(nil),
		"blocked gzip, but no tar": bg.Bytes(),
		"without a manifest":       gz(archive(t, []tar.Header{{Name: "x/core", Typeflag: tar.TypeReg}}, nil)),
		"its manifest.json is":     archive(t, []tar.Header{{Name: "x/manifest.json"}}, []byte("[]")),
		"names no schema":          archive(t, []tar.Header{{Name: "x/manifest.json"}}, []byte("{}")),
	} {
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, p, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		var not *NotBundleError
		if !errors.As(err, &not) || !errors.Is(err, ErrNotBundle) || !strings.Contains(not.Looks, looks) && looks != "without a manifest" {
			t.Errorf("%s: %v", looks, err)
		}
	}
	if _, err := Open(dir); !errors.Is(err, ErrNotBundle) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := os.Stat("/dev/null"); err == nil {
		if _, err := Open("/dev/null"); !errors.Is(err, ErrNotBundle) {
			t.Errorf("a device: %v", err)
		}
	}
}

const minimal = `{"schema":1}`

// archive makes a tar with these members; the first holds body.
func archive(t testing.TB, hs []tar.Header, body []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i, h := range hs {
		if i == 0 {
			h.Size = int64(len(body))
		}
		h.Mode = 0o600
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			w.Write(body)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestUnsafe(t *testing.T) {
	m := tar.Header{Name: "x/manifest.json"}
	many := []tar.Header{m}
	for i := range maxMembers {
		many = append(many, tar.Header{Name: fmt.Sprint("x/", i)})
	}
	for what, p := range map[string][]byte{
		"symlink":      archive(t, []tar.Header{m, {Name: "x/l", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}, []byte(minimal)),
		"hard link":    archive(t, []tar.Header{m, {Name: "x/l", Typeflag: tar.TypeLink, Linkname: "x/manifest.json"}}, []byte(minimal)),
		"device":       archive(t, []tar.Header{m, {Name: "x/d", Typeflag: tar.TypeChar}}, []byte(minimal)),
		"fifo":         archive(t, []tar.Header{m, {Name: "x/d", Typeflag: tar.TypeFifo}}, []byte(minimal)),
		"dots":         archive(t, []tar.Header{m, {Name: "x/../../etc/passwd"}}, []byte(minimal)),
		"absolute":     archive(t, []tar.Header{m, {Name: "/etc/passwd"}}, []byte(minimal)),
		"twice":        archive(t, []tar.Header{m, {Name: "x/a"}, {Name: "./x/a"}}, []byte(minimal)),
		"long name":    archive(t, []tar.Header{m, {Name: "x/" + strings.Repeat("a", 5000)}}, []byte(minimal)),
		"many":         archive(t, many, []byte(minimal)),
		"big manifest": archive(t, []tar.Header{m}, []byte(minimal+strings.Repeat(" ", maxManifest))),
	} {
		path := filepath.Join(t.TempDir(), "f.tar")
		if err := os.WriteFile(path, p, 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := Open(path); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s: %v, %v", what, b, err)
		}
	}
}

func TestUnsafeDirectory(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege here")
	}
	dir := t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, ManifestName), []byte(minimal), 0o600),
		os.Symlink("/etc/passwd", filepath.Join(dir, "core")),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrUnsafe) {
		t.Error(err)
	}
}

func TestGzipBomb(t *testing.T) {
	defer func(n int64) { maxUnpack = n }(maxUnpack)
	maxUnpack = 1 << 20
	var buf bytes.Buffer
	z := stdgzip.NewWriter(&buf)
	z.Write(archive(t, []tar.Header{{Name: "x/manifest.json"}}, []byte(minimal)))
	z.Write(make([]byte, 2<<20))
	z.Close()
	t.Setenv("TMPDIR", t.TempDir())
	path := filepath.Join(t.TempDir(), "f.tgz")
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrUnsafe) {
		t.Error(err)
	}
	if left := files(t, os.TempDir()); runtime.GOOS != "windows" && len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

func TestTruncatedGzip(t *testing.T) {
	whole, err := os.ReadFile(write(t, t.TempDir(), testOptions))
	if err != nil {
		t.Fatal(err)
	}
	r, err := stdgzip.NewReader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	z := stdgzip.NewWriter(&again)
	io.Copy(z, r)
	z.Close()
	path := filepath.Join(t.TempDir(), "f.tgz")
	if err := os.WriteFile(path, again.Bytes()[:again.Len()/2], 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, path)
	if m, err := b.Open("core"); !b.Truncated() || err != nil || m.Available == 0 || m.Available == m.Size {
		t.Errorf("truncated %v, core %+v, %v", b.Truncated(), m, err)
	}
}

// FuzzOpen: whatever the file, it opens or gives a typed error; what opens
// has safe names only, and all its members read as far as they say.
func FuzzOpen(f *testing.F) {
	small := func() []byte {
		dir := f.TempDir()
		opts := testOptions
		opts.ManifestSpace = 1
		w, err := Create(dir, opts)
		if err != nil {
			f.Fatal(err)
		}
		m, err := w.Add("core", 5, 0o600)
		if err != nil {
			f.Fatal(err)
		}
		io.WriteString(m, "12345")
		path, err := w.Commit(Manifest{})
		if err != nil {
			f.Fatal(err)
		}
		p, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		return p
	}()
	f.Add(small)
	f.Add(small[:len(small)-40])
	f.Add(archive(f, []tar.Header{{Name: "x/manifest.json"}, {Name: "x/core"}}, []byte(minimal)))
	f.Add(archive(f, []tar.Header{{Name: "./manifest.json"}, {Name: "x", Typeflag: tar.TypeSymlink, Linkname: ".."}}, []byte(minimal)))
	f.Add(archive(f, []tar.Header{{Name: "x/manifest.json"}, {Name: "x/" + strings.Repeat("n", 300)}}, []byte(minimal))[:2000])
	f.Add([]byte("text"))
	f.Fuzz(func(t *testing.T, p []byte) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, p, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := Open(path)
		if err != nil {
			for _, typed := range []error{ErrNotBundle, ErrTruncated, ErrUnsafe, errors.ErrUnsupported, bgzf.ErrFormat, bgzf.ErrCorrupt} {
				if errors.Is(err, typed) {
					return
				}
			}
			t.Fatalf("untyped error: %v", err)
		}
		defer b.Close()
		for _, name := range b.Names() {
			if !fs.ValidPath(name) || name == "." {
				t.Fatalf("unsafe name %q", name)
			}
			m, err := b.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if m.Available > m.Size || m.Available < 0 {
				t.Fatalf("%s: %d of %d bytes", name, m.Available, m.Size)
			}
			if m.Available > 1<<20 {
				continue
			}
			n, err := m.WriteTo(io.Discard)
			if errors.Is(err, bgzf.ErrCorrupt) {
				continue
			}
			if n != m.Available || (err == nil) != (n == m.Size) || err != nil && !errors.Is(err, ErrTruncated) {
				t.Fatalf("%s: %d of %d bytes, %v", name, n, m.Size, err)
			}
		}
		b.Verify()
	})
}
