//go:build unix

package bundle

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

func TestDefaultDir(t *testing.T) {
	state, tmp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("XDG_STATE_HOME", state)
	want := filepath.Join(state, "corekit")
	if os.Geteuid() == 0 {
		want = "/var/lib/corekit"
	}
	if got := DefaultDir(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if os.Geteuid() == 0 {
		return // nothing stops root
	}
	// Neither can be made: the temporary one it is.
	file := filepath.Join(state, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_STATE_HOME", file)
	want = filepath.Join(tmp, "corekit-"+strconv.Itoa(os.Geteuid()))
	if got := DefaultDir(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// Unless somebody put a link there.
	if err := os.Remove(want); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(state, want); err != nil {
		t.Fatal(err)
	}
	if got := DefaultDir(); got != "" {
		t.Errorf("%s, want none: a link was there", got)
	}
}

// TestPrepareLeavesNothing also prepares beside what an earlier attempt, cut
// off by a power failure, may have left.
func TestPrepareLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, ".corekit-"+strconv.Itoa(os.Getpid()))
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := Prepare(dir); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("%d files, want the one that was there: %v", len(names), err)
	}
}
