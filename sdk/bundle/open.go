package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"

	"github.com/corekit/corekit/sdk/internal/bgzf"
)

// Bundle is a bundle open for reading. Its methods may be called
// concurrently.
type Bundle struct {
	// Manifest is the bundle's; that of a bundle which was never finished has
	// the Reason [ReasonInProgress].
	Manifest Manifest

	path      string
	order     []string
	members   map[string]entry
	truncated bool

	root *os.Root     // of an unpacked bundle
	file *os.File     // of any other
	temp string       // file's path, if Close has to remove it
	data io.ReaderAt  // the tar archive
	bgzf *bgzf.Reader // data, if it is one
}

// entry is where a member is.
type entry struct {
	off   int64 // in the archive
	size  int64
	avail int64 // less than size if the archive is cut off
}

// Open opens a bundle: a finished or a partial one, one that was packed again
// as an ordinary .tar.gz or .tar, or the directory of one that was unpacked.
//
// Blocked gzip is read in place. Ordinary gzip cannot be, and is unpacked into
// a temporary file first. What is cut off opens to what is there; see
// [Bundle.Truncated].
//
// Any other file gives a [*NotBundleError]; one that ends within its manifest
// gives [ErrTruncated]; one with links, devices, paths that lead outside, or
// an absurd number or size of members gives [ErrUnsafe].
func Open(path string) (*Bundle, error) {
	// A look first: opening a pipe would wait for somebody to write to it.
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	b := &Bundle{path: path, members: make(map[string]entry)}
	switch {
	case info.IsDir():
		err = b.openDir()
	case info.Mode().IsRegular():
		err = b.openFile(info.Size())
	default:
		err = b.not("a device or pipe")
	}
	if err == nil {
		err = b.readManifest()
	}
	if err != nil {
		b.Close()
		var not *NotBundleError
		if errors.As(err, &not) {
			return nil, not
		}
		return nil, fmt.Errorf("open bundle %s: %w", path, err)
	}
	return b, nil
}

func (b *Bundle) not(looks string) error { return &NotBundleError{Path: b.path, Looks: looks} }

// openFile finds out what the file is, and lists its members.
func (b *Bundle) openFile(size int64) error {
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	b.file = f
	head, err := readHead(f)
	if err != nil {
		return err
	}
	b.data = f
	switch {
	case bgzf.IsBGZF(head):
		if b.bgzf, err = bgzf.NewReader(f, size); err != nil {
			return err
		}
		b.data, size, b.truncated = b.bgzf, b.bgzf.Size(), b.bgzf.Truncated()
		if size < tarBlock {
			if b.truncated {
				return ErrTruncated
			}
			return b.not("blocked gzip, but no tar archive in it")
		}
		if head, err = readHead(b.data); err != nil {
			return err
		}
		if !isTar(head) {
			return b.not("blocked gzip, but no tar archive in it")
		}
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		if size, err = b.unpack(); err != nil {
			return err
		}
	case !isTar(head):
		return b.not(looksLike(head))
	}
	return b.index(size)
}

func readHead(r io.ReaderAt) ([]byte, error) {
	head := make([]byte, tarBlock)
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return head[:n], nil
}

// readManifest reads the member that makes a bundle of an archive.
func (b *Bundle) readManifest() error {
	text, err := b.ReadFile(ManifestName, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		if b.truncated {
			return ErrTruncated
		}
		return b.not("without a " + ManifestName)
	}
	if b.members[ManifestName].size > maxManifest {
		return fmt.Errorf("%w: a manifest of %d bytes", ErrUnsafe, b.members[ManifestName].size)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &b.Manifest); err != nil {
		return b.not("its " + ManifestName + " is none: " + err.Error())
	}
	switch v := b.Manifest.Schema; {
	case v < 1:
		return b.not("its " + ManifestName + " names no schema")
	case v > Schema:
		return fmt.Errorf("manifest of schema %d: %w", v, errors.ErrUnsupported)
	}
	if b.Manifest.Reason == ReasonInProgress {
		b.truncated = true // even if somebody unpacked what there was
	}
	return nil
}

// looksLike names what a file that is no bundle begins with.
func looksLike(head []byte) string {
	if len(head) == 0 {
		return "empty"
	}
	const elf = "\x7fELF"
	if bytes.HasPrefix(head, []byte(elf)) && len(head) >= 18 {
		// e_type is two bytes in the order that EI_DATA tells; ET_CORE is 4.
		if head[16]|head[17] == 4 {
			return "an ELF core file"
		}
		return "an ELF executable or library"
	}
	for _, k := range [...]struct{ magic, name string }{
		{"PK\x03\x04", "a zip archive"},
		{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"},
		{"\xfd7zXZ\x00", "xz-compressed"},
		{"BZh", "bzip2-compressed"},
		{zstdMagic, "zstd-compressed"},
		{"\x04\x22\x4d\x18", "lz4-compressed"},
		{"MDMP", "a Windows minidump"},
		{"MZ", "a Windows executable"},
		{"\xcf\xfa\xed\xfe", "a Mach-O file"},
	} {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return k.name
		}
	}
	if isText(head) {
		return "text"
	}
	return "unknown binary data"
}

func isText(p []byte) bool {
	// The head may end inside a character.
	for i := 0; i < utf8.UTFMax && len(p) > 0 && !utf8.Valid(p); i++ {
		p = p[:len(p)-1]
	}
	return utf8.Valid(p) && !bytes.ContainsFunc(p, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' && r != '\x1b'
	})
}

// Names returns the paths of the members, in the order of the archive.
func (b *Bundle) Names() []string { return append([]string(nil), b.order...) }

// Truncated reports whether the file is cut off, or was never finished. What
// is there can be read.
func (b *Bundle) Truncated() bool { return b.truncated }

// Path returns the path that was opened.
func (b *Bundle) Path() string { return b.path }

// Close releases the file. Members that are still open fail from then on.
func (b *Bundle) Close() error {
	var errs []error
	if b.file != nil {
		errs = append(errs, b.file.Close())
	}
	if b.temp != "" {
		errs = append(errs, os.Remove(b.temp))
		b.temp = ""
	}
	if b.root != nil {
		errs = append(errs, b.root.Close())
	}
	return errors.Join(errs...)
}
