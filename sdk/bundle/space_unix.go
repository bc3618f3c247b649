//go:build darwin || dragonfly || freebsd || linux

package bundle

import "golang.org/x/sys/unix"

func diskSpace(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	// The types of the fields differ between systems. Bavail, not Bfree: what
	// is reserved for root is not for us even if we are root.
	bsize := int64(st.Bsize)
	return max(int64(st.Bavail), 0) * bsize, int64(st.Blocks) * bsize, nil
}
