//go:build !windows

package bundle

// wrapFull: a full disk is syscall.ENOSPC already.
func wrapFull(err error) error { return err }
