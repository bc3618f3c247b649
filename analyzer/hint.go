package analyzer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/corekit/corekit/sdk/bundle"
)

// quote quotes a path for a shell where it has to be.
func quote(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,=", r) ||
			r == '\\' && filepath.Separator == '\\'
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// quoteOr quotes a path if there is one.
func quoteOr(path, other string) string {
	if path == "" {
		return other
	}
	return quote(path)
}

// listCommand lists the files beside path, the newest first.
func listCommand(path string) string { return "ls -lt " + quote(filepath.Dir(path)) }

// hintFor says what to do about a file that cannot be opened.
func hintFor(err error, name string) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(name)); err != nil {
			return "bundles go to $COREKIT_DIR: corekit analyze $COREKIT_DIR/BUNDLE.tar.gz"
		}
		return "what there is: " + listCommand(name)
	case errors.Is(err, fs.ErrPermission):
		return "bundles and cores are their owner's only: sudo corekit analyze " + quote(name)
	}
	return "ls -l " + quote(name)
}

// otherFiles says what to do with files that are no bundles, by what they look
// like to package bundle.
var otherFiles = map[string]string{
	"a zip archive":      "take the bundle out of it: unzip %s",
	"a 7-Zip archive":    "take the bundle out of it: 7z x %s",
	"xz-compressed":      "decompress it: xz -dk %s",
	"bzip2-compressed":   "decompress it: bzip2 -dk %s",
	"zstd-compressed":    "decompress it: zstd -d %s",
	"lz4-compressed":     "decompress it: lz4 -d %s",
	"an ELF core file":   "corekit analyze --exe PROGRAM %s",
	"a Windows minidump": "corekit analyses bundles of linux/amd64 so far; try dlv core PROGRAM %s",
}

// notBundle explains why bundle.Open refused a file or directory.
func notBundle(err error, name string) error {
	var not *bundle.NotBundleError
	if !errors.As(err, &not) {
		h := hintFor(err, name)
		switch {
		case errors.Is(err, bundle.ErrTruncated):
			h = "is there another bundle of the same crash? " + listCommand(name)
		case errors.Is(err, bundle.ErrUnsafe):
			h = "it was not made by corekit; see what is in it: tar tvzf " + quote(name)
		}
		return hint(h, "%w", err)
	}
	h := "corekit analyze BUNDLE.tar.gz, or corekit analyze --exe PROGRAM CORE"
	if format, ok := otherFiles[not.Looks]; ok {
		h = strings.Replace(format, "%s", quote(name), 1)
	} else if list, err := (bundle.Store{Dir: name}).List(); err == nil && len(list) > 0 {
		h = "corekit analyze " + quote(list[0].Path) // the newest in this directory
	}
	return &Error{Err: &notCrash{name, not.Looks}, Hint: h}
}

// notCrash says what a file is instead of a bundle or core.
type notCrash struct{ path, looks string }

func (e *notCrash) Error() string { return e.path + ": " + ErrNotCrash.Error() + ": " + e.looks }
func (e *notCrash) Unwrap() error { return ErrNotCrash }
