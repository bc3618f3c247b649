package bundle

import (
	"errors"
	"fmt"
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
	// kind of access control. The name is no bundle's and is gone at once.
	name := ".corekit-" + strconv.Itoa(os.Getpid())
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
	var dirs []string
	if os.Geteuid() == 0 {
		dirs = append(dirs, "/var/lib/corekit")
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		dirs = append(dirs, filepath.Join(state, "corekit"))
	} else if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		dirs = append(dirs, filepath.Join(home, ".local", "state", "corekit"))
	}
	for _, dir := range dirs {
		if Prepare(dir) == nil {
			return dir
		}
	}
	// Anybody can guess this name and make it first, to read what goes there
	// or to put a bundle of their own in it.
	dir := filepath.Join(os.TempDir(), "corekit-"+strconv.Itoa(os.Geteuid()))
	if info, err := os.Lstat(dir); err == nil && (!info.IsDir() || !ours(info)) || Prepare(dir) != nil {
		return ""
	}
	return dir
}
