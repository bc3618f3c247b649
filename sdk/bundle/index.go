package bundle

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"strings"
)

// index lists the members of the archive of size bytes. It reads the headers
// only, and leaps over the contents.
func (b *Bundle) index(size int64) error {
	sr := io.NewSectionReader(b.data, 0, size)
	tr := tar.NewReader(sr)
	found := make(map[string]entry)
	var order []string
	var end int64 // of the contents seen last
	for n := 0; ; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			// Cut off, or damaged from here on: what came before is good. If
			// nothing did, there is no manifest either.
			b.truncated = true
			break
		}
		if n >= maxMembers {
			return fmt.Errorf("%w: more than %d members", ErrUnsafe, maxMembers)
		}
		// The reader stands where the contents begin: it reads ahead nothing.
		off, err := sr.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		end = off + h.Size
		name, err := archivedName(h.Name)
		if err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeReg:
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		default:
			return fmt.Errorf("%w: member %q is a link, a device, or sparse", ErrUnsafe, h.Name)
		}
		if sparse(h) {
			return fmt.Errorf("%w: member %q is sparse", ErrUnsafe, h.Name)
		}
		if _, twice := found[name]; twice || name == "." {
			return fmt.Errorf("%w: member %q appears twice", ErrUnsafe, h.Name)
		}
		found[name] = entry{off: off, size: h.Size, avail: min(h.Size, size-off)}
		order = append(order, name)
	}
	// At the end of an archive are two blocks of zeros, which the reader has
	// passed. One that is cut off between two members reads the same without.
	if at, err := sr.Seek(0, io.SeekCurrent); err != nil || at < end+tarBlock {
		b.truncated = true
	}
	b.adopt(found, order)
	return nil
}

// sparse reports whether a member is one in the way of GNU tar -S. Its bytes
// do not lie one after the other, and a bundle has no use for that.
func sparse(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// adopt takes over the members below the directory that the manifest is in,
// and names them relative to it. Others are no part of the bundle.
func (b *Bundle) adopt(found map[string]entry, order []string) {
	top, ok := "", false
	for _, name := range order {
		if path.Base(name) == ManifestName && strings.Count(name, "/") <= 1 {
			top, ok = strings.TrimSuffix(name, ManifestName), true
			break
		}
	}
	if !ok {
		return
	}
	for _, name := range order {
		if rel, below := strings.CutPrefix(name, top); below {
			b.members[rel] = found[name]
			b.order = append(b.order, rel)
		}
	}
}
