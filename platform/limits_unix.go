//go:build unix

package platform

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func coreLimit() (soft, hard uint64, err error) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &lim); err != nil {
		return 0, 0, fmt.Errorf("core limit: %w", err)
	}
	// The fields are signed on the BSDs.
	return uint64(lim.Cur), uint64(lim.Max), nil
}

func raiseCoreLimit() error {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &lim); err != nil {
		return fmt.Errorf("core limit: %w", err)
	}
	if lim.Cur == lim.Max {
		return nil
	}
	lim.Cur = lim.Max
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &lim); err != nil {
		return fmt.Errorf("core limit: %w", err)
	}
	return nil
}
