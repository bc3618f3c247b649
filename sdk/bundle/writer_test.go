package bundle

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func files(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestNamesTaken(t *testing.T) {
	dir := t.TempDir()
	const base = "app-20261121T084400Z-1"
	// A partial one of somebody else's, and a link that leads astray.
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(filepath.Join(dir, base+PartialExt), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := base + "-2" + Ext
	if runtime.GOOS != "windows" {
		if err := os.Symlink(outside, filepath.Join(dir, base+"-2"+PartialExt)); err != nil {
			t.Fatal(err)
		}
		want = base + "-3" + Ext
	}
	if got := filepath.Base(write(t, dir, testOptions)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := os.Lstat(outside); !errors.Is(err, fs.ErrNotExist) {
		t.Error("wrote through a symbolic link")
	}
	if text, _ := os.ReadFile(filepath.Join(dir, base+PartialExt)); string(text) != "other" {
		t.Error("wrote over a file that was there")
	}
}

// A name that is taken while the bundle is being written is left alone.
func TestCommitDoesNotReplace(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(dir, w.Name()+Ext)
	if err := os.WriteFile(taken, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := w.Commit(Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(taken); string(text) != "other" || path == taken {
		t.Errorf("%s replaced", taken)
	}
	open(t, path)
}

func TestDirIsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), ""} {
		_, err := Create(dir, testOptions)
		if err == nil || !strings.Contains(err.Error(), "create bundle") {
			t.Errorf("Create(%q): %v", dir, err)
		}
	}
	if _, err := (Store{Dir: file}).List(); err == nil {
		t.Error("List of a file: no error")
	}
}

func TestMemberRules(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "/", ".", "..", "a/../b", "../x", "a//b", "a/", "nul\x00", strings.Repeat("x", maxName+1)} {
		if _, err := w.Add(name, 1, 0o600); !errors.Is(err, ErrUnsafe) {
			t.Errorf("Add(%q): %v", name, err)
		}
	}
	for _, name := range []string{ManifestName, SumsName, "/" + ManifestName} {
		if _, err := w.Add(name, 1, 0o600); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Add(%q): %v", name, err)
		}
	}
	if _, err := w.Add("x", -1, 0o600); err == nil {
		t.Error("a negative size: no error")
	}
	m, err := w.Add("core", 10, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(m, "12345")
	if _, err := m.Write(make([]byte, 6)); !errors.Is(err, errTooLong) {
		t.Errorf("too long: %v", err)
	}
	if err := m.Zeros(6); !errors.Is(err, errTooLong) {
		t.Errorf("too many zeros: %v", err)
	}
	if _, err := w.Add("next", 1, 0o600); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Add after a short member: %v", err)
	}
	if _, err := w.Commit(Manifest{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Commit after a short member: %v", err)
	}
	// A member whose source failed can be completed.
	if err := m.Zeros(m.Left()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Add("/core", 1, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second core: %v", err)
	}
	path, err := w.Commit(Manifest{})
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Write":  func() error { _, err := m.Write([]byte("x")); return err }(),
		"Add":    func() error { _, err := w.Add("y", 1, 0o600); return err }(),
		"Commit": func() error { _, err := w.Commit(Manifest{}); return err }(),
	} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s after Commit: %v", what, err)
		}
	}
	if err := errors.Join(w.Abort(), w.Close()); err != nil {
		t.Error(err)
	}
	if err := open(t, path).Verify(); err != nil {
		t.Error(err)
	}
}

func TestAbort(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w)
	if err := errors.Join(w.Abort(), w.Abort()); err != nil {
		t.Error(err)
	}
	if names := files(t, dir); len(names) != 0 {
		t.Errorf("left: %q", names)
	}
}

// A writer that was killed, or gave up, leaves a file that opens.
func TestPartial(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b := open(t, w.Path())
	if !b.Truncated() || b.Manifest.Complete || b.Manifest.Reason != ReasonInProgress || b.Manifest.PID != 1 {
		t.Errorf("truncated %v, manifest %+v", b.Truncated(), b.Manifest)
	}
	for name, want := range contents() {
		if got, err := b.ReadFile(name, 1<<30); err != nil || string(got) != string(want) {
			t.Errorf("%s: %v, or other bytes", name, err)
		}
	}
	if err := b.Verify(); !errors.Is(err, ErrTruncated) {
		t.Errorf("Verify: %v", err)
	}
}

func TestManifestSpace(t *testing.T) {
	dir := t.TempDir()
	opts := testOptions
	opts.ManifestSpace = 2000 // rounded up to whole tar blocks
	w, err := Create(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	m := Manifest{Complete: true, Env: []string{strings.Repeat("X", 5000)}, Args: []string{"kept"},
		Missing: make([]Missing, 0, 9), Files: []File{{Name: "core", Size: 1}}}
	path, err := w.Commit(m)
	if err != nil {
		t.Fatal(err)
	}
	got := open(t, path).Manifest
	if got.Env != nil || len(got.Args) != 1 || len(got.Files) != 1 || !slices.Contains(got.Missing, Missing{"environment", noSpace}) {
		t.Errorf("%+v", got)
	}
	if x := m.Missing[:1]; x[0].What != "" {
		t.Error("wrote into the caller's slice")
	}
}
