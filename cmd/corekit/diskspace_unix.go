//go:build darwin || dragonfly || freebsd || linux

package main

import "golang.org/x/sys/unix"

// diskSpace returns what of a volume is free for everybody, and all of it.
func diskSpace(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	bsize := int64(st.Bsize) // the types of the fields differ between systems
	return max(int64(st.Bavail), 0) * bsize, int64(st.Blocks) * bsize, nil
}
