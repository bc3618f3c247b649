package bundle

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/windows"
)

// wrapFull lets callers ask for one error on all systems.
func wrapFull(err error) error {
	if errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) {
		return fmt.Errorf("%w (%w)", err, syscall.ENOSPC)
	}
	return err
}
