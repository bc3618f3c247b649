package bundle

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// index lists the members of the archive of size bytes. It reads the headers
// only, and leaps over the contents.
func (b *Bundle) index(size int64) error {
	s := tarScanner{r: b.data, size: size}
	found := make(map[string]entry)
	var order []string
	for n := 0; ; n++ {
		m, err := s.next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, ErrUnsafe) {
			return err
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
		name, err := archivedName(m.name)
		if err != nil {
			return err
		}
		if m.kind == tarDir {
			continue
		}
		if m.kind != tarReg || m.sparse {
			return fmt.Errorf("%w: member %q is a link, a device, or sparse", ErrUnsafe, m.name)
		}
		if _, twice := found[name]; twice || name == "." {
			return fmt.Errorf("%w: member %q appears twice", ErrUnsafe, m.name)
		}
		found[name] = entry{off: m.off, size: m.size, avail: min(m.size, size-m.off)}
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
