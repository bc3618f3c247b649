// Package bundle is the one file that a crash leaves: written while the
// process is held, bounded and pruned in its directory, and opened again for
// analysis without unpacking.
//
// A bundle is <exe>-<UTC time>-<pid>.tar.gz with one top-level directory of
// the same name. Any tar reads it. The gzip stream is blocked, so that this
// package seeks in it and reads what is whole of one cut off. The first
// member is the manifest, the last one SHA256SUMS.
//
// The package stores what it is given. It knows nothing of processes, of core
// files, or of how either is read.
package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Names of the members that every bundle has.
const (
	ManifestName = "manifest.json"
	SumsName     = "SHA256SUMS"
)

// Ext and PartialExt end the name of a finished bundle and of one that is
// being written.
const (
	Ext        = ".tar.gz"
	PartialExt = Ext + ".partial"
)

// What a bundle may hold at most. Beyond, it was not made by this package,
// and is not opened.
const (
	maxMembers  = 10_000
	maxName     = 4096
	maxManifest = 1 << 20
)

// Errors of this package; what is returned wraps them and says more.
var (
	// ErrNotBundle: the file is something else; see [NotBundleError].
	ErrNotBundle = errors.New("not a bundle")
	// ErrTruncated: the file ends before what was asked for.
	ErrTruncated = errors.New("bundle is truncated")
	// ErrUnsafe: a member that no bundle has, such as a link or a path that
	// leads outside.
	ErrUnsafe = errors.New("unsafe bundle")
	// ErrChecksum: a member differs from SHA256SUMS.
	ErrChecksum = errors.New("checksum mismatch")
)

// NotBundleError says what a file is instead of a bundle. It answers
// errors.Is(err, [ErrNotBundle]).
type NotBundleError struct {
	Path  string
	Looks string // "empty", "text", "an ELF core file", …
}

func (e *NotBundleError) Error() string {
	return fmt.Sprintf("open bundle %s: not a bundle: %s", e.Path, e.Looks)
}

// Is reports whether target is [ErrNotBundle].
func (e *NotBundleError) Is(target error) bool { return target == ErrNotBundle }

// memberName brings a path into the form of a member: relative, slashes, no
// dots. It refuses one that leads outside.
func memberName(p string) (string, error) {
	if len(p) > maxName {
		return "", fmt.Errorf("%w: a name of %d bytes", ErrUnsafe, len(p))
	}
	name := strings.TrimLeft(p, "/")
	if !fs.ValidPath(name) || name == "." || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("%w: member %q", ErrUnsafe, p)
	}
	return name, nil
}

// archivedName is memberName for a name found in an archive, where an
// absolute path is an attack rather than a path to strip, and "./" is what
// tar puts before the names of a directory that was packed again.
func archivedName(p string) (string, error) {
	if strings.HasPrefix(p, "/") {
		return "", fmt.Errorf("%w: member %q", ErrUnsafe, p)
	}
	for strings.HasPrefix(p, "./") {
		p = p[2:]
	}
	p = strings.TrimSuffix(p, "/")
	if p == "" || p == "." {
		return ".", nil
	}
	if path.Clean(p) != p {
		return "", fmt.Errorf("%w: member %q", ErrUnsafe, p)
	}
	return memberName(p)
}
