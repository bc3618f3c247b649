package bundle

import (
	"fmt"
	"io/fs"
	"os"
)

// openDir lists the files of a bundle that was unpacked.
func (b *Bundle) openDir() error {
	root, err := os.OpenRoot(b.path)
	if err != nil {
		return err
	}
	b.root = root
	// Without a manifest it is any directory, perhaps a home: no walk.
	if _, err := root.Lstat(ManifestName); err != nil {
		return b.not("a directory without a " + ManifestName)
	}
	n := 0
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n++; n > maxMembers {
			return fmt.Errorf("%w: more than %d files", ErrUnsafe, maxMembers)
		}
		if d.IsDir() {
			return nil
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%w: %q is a link or a device", ErrUnsafe, name)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b.members[name] = entry{size: info.Size(), avail: info.Size()}
		b.order = append(b.order, name)
		return nil
	})
}
