package bundle

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// A full disk is reported as such, by whatever call meets it, and leaves
// nothing behind.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("no mounts here: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	for _, size := range []int{900_000, 1_048_000, 5_000_000} {
		w, err := Create(dir, testOptions)
		if err != nil {
			t.Fatal(err)
		}
		m, err := w.Add("core", int64(size), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = m.Write(noise(size)); err == nil {
			_, err = w.Commit(Manifest{})
		}
		if size > 1_000_000 != errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if err == nil {
			if err := os.Remove(w.path + "/" + w.name + Ext); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := w.Abort(); err != nil {
			t.Errorf("Abort: %v", err)
		}
		if names := files(t, dir); len(names) != 0 {
			t.Errorf("left: %q", names)
		}
	}
	if err := (Store{Dir: dir}).Room(100 << 20); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Room: %v", err)
	}
	if err := (Store{Dir: dir}).Room(100 << 10); err != nil {
		t.Errorf("Room: %v", err)
	}
}
