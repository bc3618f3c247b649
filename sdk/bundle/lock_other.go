//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package bundle

import (
	"errors"
	"os"
)

// lock: an age decides here instead.
func lock(*os.File) error { return errors.ErrUnsupported }
