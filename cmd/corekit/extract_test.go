package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/corekit/corekit/sdk/bundle"
)

var crashTime = time.Date(2026, 11, 21, 8, 44, 0, 0, time.UTC)

// newBundle writes a bundle into dir and returns its path.
func newBundle(t testing.TB, dir string, opts bundle.Options, members map[string][]byte) string {
	t.Helper()
	w, err := bundle.Create(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range members {
		m, err := w.Add(name, int64(len(data)), 0o755)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	path, err := w.Commit(bundle.Manifest{Complete: true, Exe: "bin/app"})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// corekit runs a command line and returns what it said.
func corekit(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(args, &out, &errs)
	return status, out.String(), errs.String()
}

// Nothing that lies in the way, link or not, leads a member elsewhere.
func TestExtractLinks(t *testing.T) {
	const name = "app-20261121T084400Z-1"
	path := newBundle(t, t.TempDir(), bundle.Options{Name: "app", Time: crashTime, PID: 1},
		map[string][]byte{"bin/app": []byte("exe"), "core": []byte("core")})
	for _, tt := range []struct {
		link   string // below the directory to unpack to
		dir    bool   // to a directory
		forced int    // exit status with --force
	}{
		{name, true, exitFailure},
		{name + "/bin", true, exitFailure},
		{name + "/core", false, exitOK}, // the link is replaced
		{name + "/bin/app", false, exitOK},
	} {
		t.Run(tt.link, func(t *testing.T) {
			to, outside := t.TempDir(), t.TempDir()
			victim := filepath.Join(outside, "victim")
			if err := os.WriteFile(victim, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			target := victim
			if tt.dir {
				target = outside
			}
			link := filepath.Join(to, filepath.FromSlash(tt.link))
			if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, link); err != nil {
				t.Skip("no symbolic links: ", err)
			}
			if status, out, said := corekit("extract", "-C", to, path); status != exitFailure {
				t.Errorf("exit status %d: %s%s", status, out, said)
			}
			if status, out, said := corekit("extract", "--force", "-C", to, path); status != tt.forced {
				t.Errorf("--force: exit status %d: %s%s", status, out, said)
			}
			if b, _ := os.ReadFile(victim); string(b) != "mine" {
				t.Errorf("outside: %q", b)
			}
			if list, _ := os.ReadDir(outside); len(list) != 1 {
				t.Errorf("outside: %v", list)
			}
		})
	}
}

// Of an archive with links or paths that lead outside, nothing is unpacked.
func TestExtractHostile(t *testing.T) {
	for _, h := range []tar.Header{
		{Name: "app/../../evil", Typeflag: tar.TypeReg},
		{Name: "/evil", Typeflag: tar.TypeReg},
		{Name: "app/evil", Typeflag: tar.TypeSymlink, Linkname: "/"},
		{Name: "app/evil", Typeflag: tar.TypeLink, Linkname: "app/manifest.json"},
		{Name: "app/evil", Typeflag: tar.TypeFifo},
	} {
		dir := t.TempDir()
		path, to := filepath.Join(dir, "app.tar"), filepath.Join(dir, "a", "b")
		manifest := []byte(`{"schema": 1}`)
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		err := w.WriteHeader(&tar.Header{Name: "app/manifest.json", Typeflag: tar.TypeReg, Size: int64(len(manifest))})
		_, err2 := w.Write(manifest)
		if err := errors.Join(err, err2, w.WriteHeader(&h), w.Close(), os.WriteFile(path, buf.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
		if status, out, said := corekit("extract", "-C", to, path); status != exitFailure || out != "" {
			t.Errorf("%s: exit status %d: %s%s", h.Name, status, out, said)
		}
		if list, _ := os.ReadDir(dir); len(list) != 1 {
			t.Errorf("%s: it left %v", h.Name, list)
		}
	}
}

// A file with holes reads as what was written, in whatever pieces.
func TestSparse(t *testing.T) {
	data := make([]byte, 5<<20+123) // ends in a hole
	for i := range 100 {
		data[7+i*i*101] = byte(i + 1)
	}
	for _, chunk := range []int{1000, 4096, 65536, len(data)} {
		path := filepath.Join(t.TempDir(), "core")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		s := sparseWriter{ctx: t.Context(), f: f}
		for rest := data; len(rest) > 0; {
			n, err := s.Write(rest[:min(chunk, len(rest))])
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := errors.Join(s.finish(), f.Close()); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); !bytes.Equal(got, data) {
			t.Errorf("in pieces of %d: other bytes", chunk)
		}
		if kib, ok := onDisk(path); ok && kib > 1<<10 {
			t.Errorf("in pieces of %d: %d KiB on the disk", chunk, kib)
		}
	}
}

// onDisk returns how many KiB a file takes.
func onDisk(path string) (kib int, ok bool) {
	if runtime.GOOS != "linux" {
		return 0, false // not every file system has holes
	}
	out, err := exec.Command("du", "-k", path).Output()
	if err != nil {
		return 0, false
	}
	for _, c := range out {
		if c < '0' || c > '9' {
			return kib, true
		}
		kib = kib*10 + int(c-'0')
	}
	return 0, false
}

func TestSparseErrors(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "core"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	s := sparseWriter{ctx: t.Context(), f: f}
	if n, err := s.Write([]byte("data")); n != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%d, %v", n, err)
	}
}

// The shell gives back what was quoted, and no terminal obeys it.
func TestQuote(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, s := range []string{"", "plain/x-1.tar.gz", "a b", "it's", `back\slash`, "$(id)", "`id`", "~", "a\nb'c\\", "\x1b[2J", "\xff\x00"[:1] + "1", "ü", "\u202e1"} {
		q := quote(s)
		out, err := exec.Command(bash, "-c", "printf %s "+q).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q: quoted %s: %q, %v", s, q, out, err)
		}
		if clean := oneLine(q); clean != q {
			t.Errorf("%q: quoted %q", s, q)
		}
	}
}
