package bundle

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/corekit/corekit/sdk/internal/tarfmt"
)

// index lists the members of the archive of size bytes. It reads the headers
// only, and leaps over the contents.
func (b *Bundle) index(size int64) error {
	r := tarfmt.NewReader(b.data, size)
	found := make(map[string]entry)
	var order []string
	for n := 0; ; n++ {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, tarfmt.ErrSparse) {
			// A bundle has no use for it, and its bytes lie elsewhere.
			return fmt.Errorf("%w: member %q is sparse", ErrUnsafe, h.Name)
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
		if h.Type == tarfmt.TypeGlobal {
			continue // no member, and its name means nothing
		}
		name, err := archivedName(h.Name)
		if err != nil {
			return err
		}
		switch h.Type {
		case tarfmt.TypeReg:
		case tarfmt.TypeDir:
			continue
		default:
			return fmt.Errorf("%w: member %q is a link or a device", ErrUnsafe, h.Name)
		}
		if _, twice := found[name]; twice || name == "." {
			return fmt.Errorf("%w: member %q appears twice", ErrUnsafe, h.Name)
		}
		found[name] = entry{off: h.Offset, size: h.Size, avail: min(h.Size, size-h.Offset)}
		order = append(order, name)
	}
	b.adopt(found, order)
	return nil
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
