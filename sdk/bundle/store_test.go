package bundle

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// unbounded has no bound but those that a test sets.
func unbounded(dir string) Store { return Store{Dir: dir, MaxCount: -1, MaxBytes: -1, MinFree: -1} }

// bundles makes n small bundles, a minute apart, and returns their names, the
// oldest first.
func bundles(t *testing.T, dir string, n int) []string {
	t.Helper()
	var names []string
	for i := range n {
		opts := testOptions
		opts.Time = crashTime.Add(time.Duration(i) * time.Minute)
		opts.ManifestSpace = 1024
		w, err := Create(dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		path, err := w.Commit(Manifest{})
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.Base(path))
	}
	return names
}

func TestListNewestFirst(t *testing.T) {
	dir := t.TempDir()
	names := bundles(t, dir, 3)
	names = append(names, bundles(t, dir, 1)...) // the -2 of the oldest
	list, err := unbounded(dir).List()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.File)
		if e.Name != "app" || e.PID != 1 || e.Size == 0 || e.Path != filepath.Join(dir, e.File) {
			t.Errorf("%+v", e)
		}
	}
	if want := []string{names[2], names[1], names[3], names[0]}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if list, err := unbounded(filepath.Join(dir, "none")).List(); err != nil || list != nil {
		t.Errorf("a missing directory: %v, %v", list, err)
	}
}

func TestPrune(t *testing.T) {
	size := int64(0)
	for _, c := range []struct {
		name  string
		store func(*Store)
		keep  int // index of the name to keep, or -1
		want  []int
	}{
		{"no bound", func(*Store) {}, -1, []int{0, 1, 2, 3}},
		{"count", func(s *Store) { s.MaxCount = 2 }, -1, []int{2, 3}},
		{"bytes", func(s *Store) { s.MaxBytes = 2*size + 1 }, -1, []int{2, 3}},
		{"never the newest", func(s *Store) { s.MaxBytes = 1 }, -1, []int{3}},
		{"never keep", func(s *Store) { s.MaxCount = 1 }, 1, []int{1, 3}},
		{"free", func(s *Store) { s.MinFree = 1 << 62 }, 0, []int{0, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			names := bundles(t, dir, 4)
			info, err := os.Stat(filepath.Join(dir, names[0]))
			if err != nil {
				t.Fatal(err)
			}
			size = info.Size()
			s := unbounded(dir)
			c.store(&s)
			keep := ""
			if c.keep >= 0 {
				keep = filepath.Join(dir, names[c.keep])
			}
			if err := s.Prune(keep); err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, i := range c.want {
				want = append(want, names[i])
			}
			if got := files(t, dir); !slices.Equal(got, want) {
				t.Errorf("left %q, want %q", got, want)
			}
		})
	}
}

// Whatever is not a bundle stays, however much it is in the way.
func TestPruneSparesOthers(t *testing.T) {
	dir := t.TempDir()
	names := bundles(t, dir, 2)
	target := filepath.Join(t.TempDir(), "app-20200101T000000Z-1.tar.gz")
	others := []string{"notes.txt", "app.tar.gz", "app-20200101T000000Z-1.tar.gz", "app-20200101T000000Z-x.tar.gz"}
	for _, p := range append([]string{target}, filepath.Join(dir, others[0]), filepath.Join(dir, others[1]), filepath.Join(dir, others[2]), filepath.Join(dir, others[3])) {
		if err := os.WriteFile(p, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink(target, filepath.Join(dir, "app-20200101T000000Z-2.tar.gz"))
	os.Mkdir(filepath.Join(dir, "app-20200101T000000Z-3.tar.gz"), 0o700)
	before := len(files(t, dir))
	s := unbounded(dir)
	s.MaxCount = 1
	if err := s.Prune(""); err != nil {
		t.Fatal(err)
	}
	left := files(t, dir)
	if len(left) != before-1 || slices.Contains(left, names[0]) {
		t.Errorf("left %q", left)
	}
	if _, err := os.Stat(target); err != nil {
		t.Error(err)
	}
}

func TestPrunePartial(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(dir, testOptions) // being written
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	dead := "dead-20200101T000000Z-1" + PartialExt // its writer is gone
	young := "new-20200101T000000Z-1" + PartialExt // about to be locked
	for _, name := range []string{dead, young} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * staleAge)
	for _, name := range []string{dead, filepath.Base(w.Path())} {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := unbounded(dir).Prune(""); err != nil {
		t.Fatal(err)
	}
	left := files(t, dir)
	if slices.Contains(left, dead) || !slices.Contains(left, young) {
		t.Errorf("left %q", left)
	}
	// Where there are no locks, two days without a write are a death.
	if f, err := os.Open(filepath.Join(dir, young)); err == nil {
		locks := lock(f) == nil
		f.Close()
		if locks && !slices.Contains(left, filepath.Base(w.Path())) {
			t.Error("removed what is being written")
		}
	}
}

func TestNames(t *testing.T) {
	for _, exe := range []string{"app", "my-app", "a-20261121T084400Z-1", "..", "-rf", "päth/x", "", "x.tar.gz"} {
		for _, nth := range []int{1, 2, 10} {
			name := bundleName(exe, crashTime, 42, nth)
			for _, ext := range []string{Ext, PartialExt, ".tar.zst"} {
				n, ok := parseName(name + ext)
				if !ok || n.exe != sanitise(exe) || n.pid != 42 || n.nth != nth || !n.time.Equal(crashTime.Truncate(time.Second)) || n.partial != (ext == PartialExt) {
					t.Errorf("%q: %+v, %v", name+ext, n, ok)
				}
			}
		}
	}
	for _, name := range []string{"", "app.tar.gz", "-20261121T084400Z-1.tar.gz", "app-20261121T084400Z.tar.gz", "app-20261121T084400Z-1.zip",
		"app-20261321T084400Z-1.tar.gz", "app-20261121T084400Z-+1.tar.gz", "a b-20261121T084400Z-1.tar.gz", "app-20261121T084400Z-1-2-3.tar.gz"} {
		if n, ok := parseName(name); ok {
			t.Errorf("%q: %+v", name, n)
		}
	}
}
