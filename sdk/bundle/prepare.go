package bundle

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// Prepare makes dir if it is missing, with mode 0700, and makes sure that a
// bundle could be created there now.
func Prepare(dir string) error {
	root, err := openDir(dir, true)
	if err != nil {
		return fmt.Errorf("bundle directory: %w", err)
	}
	defer root.Close()
	// Trying is the only test that knows read-only mounts, quotas and every
	// kind of access control. The name is no bundle's and is gone at once. It is
	// another one each time: containers share volumes and process ids, and one
	// that was left behind by a power failure must not stand in the way.
	name := fmt.Sprintf(".corekit-%d-%x", os.Getpid(), rand.Uint64())
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("bundle directory %s: %w", dir, err)
	}
	return errors.Join(f.Close(), root.Remove(name))
}

// DefaultDir returns where bundles go if nobody says: /var/lib/corekit for
// root, else corekit below $XDG_STATE_HOME or ~/.local/state, else a directory
// of the user's below the temporary one. It is the first of these that exists
// or can be made, and "" if there is none.
func DefaultDir() string {
	for _, dir := range defaultDirs() {
		if trusted(dir) && Prepare(dir) == nil {
			return dir
		}
	}
	return ""
}

// FindDefaultDir returns the directory that [DefaultDir] has chosen before: the
// first that exists. It makes none; if none exists it returns the first that
// would be tried.
func FindDefaultDir() string {
	dirs := defaultDirs()
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && trusted(dir) {
			return dir
		}
	}
	return dirs[0]
}

func defaultDirs() (dirs []string) {
	if os.Geteuid() == 0 {
		dirs = append(dirs, "/var/lib/corekit")
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		dirs = append(dirs, filepath.Join(state, "corekit"))
	} else if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		dirs = append(dirs, filepath.Join(home, ".local", "state", "corekit"))
	}
	return append(dirs, temporaryDir())
}

func temporaryDir() string {
	return filepath.Join(os.TempDir(), "corekit-"+strconv.Itoa(os.Geteuid()))
}

// trusted reports whether a default directory may be used. Anybody can guess
// the name of the temporary one and make it first, to read what goes there or
// to put a bundle of their own in it.
func trusted(dir string) bool {
	if dir != temporaryDir() {
		return true
	}
	info, err := os.Lstat(dir)
	return err != nil || info.IsDir() && ours(info)
}
