package bundle

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/corekit/corekit/sdk/internal/bgzf"
	"github.com/corekit/corekit/sdk/internal/tarfmt"
)

// Commit completes the bundle with manifest m and the checksums, brings it to
// the disk, and gives it its final name without replacing anything. Schema,
// and what the [Options] said already, it fills in.
//
// A path that comes with an error is that of a bundle which is complete, but
// perhaps not yet durable. Without a path, the partial file is still there:
// it may be kept as it is with Close, or removed with Abort.
func (w *Writer) Commit(m Manifest) (path string, err error) {
	if w.done || w.hash == nil {
		return "", fmt.Errorf("commit bundle: %w", fs.ErrClosed)
	}
	if err := w.complete(m); err != nil {
		return "", fmt.Errorf("commit bundle %s: %w", w.name, wrapFull(err))
	}
	// A file that is open cannot be renamed everywhere.
	if err := w.file.Close(); err != nil {
		return "", fmt.Errorf("commit bundle %s: %w", w.name, wrapFull(err))
	}
	final, err := w.publish()
	if err != nil {
		return "", fmt.Errorf("commit bundle %s: %w", w.name, wrapFull(err))
	}
	w.done = true
	path = filepath.Join(w.path, final)
	if err := errors.Join(w.syncDir(), w.dir.Close()); err != nil {
		return path, fmt.Errorf("commit bundle %s: %w", w.name, wrapFull(err))
	}
	return path, nil
}

// complete writes all that is missing, and syncs.
func (w *Writer) complete(m Manifest) error {
	if err := w.endMember(); err != nil {
		return err
	}
	space := len(w.head) - tarBlock
	body, err := w.fill(m).encode(space)
	if err != nil {
		return err
	}
	sums := append([]sum{{ManifestName, sha256.Sum256(body)}}, w.hash.close()...)
	w.hash = nil
	var b strings.Builder
	for _, s := range sums {
		b.WriteString(sumLine(s))
	}
	h, err := w.header(SumsName, int64(b.Len()), 0o600)
	if err != nil {
		return err
	}
	if _, err := w.z.Write(append(h, b.String()...)); err != nil {
		return err
	}
	// The padding of the member, and the two zero blocks that end an archive.
	if err := w.z.WriteZeros(tarfmt.Padding(int64(b.Len())) + tarfmt.EndSize); err != nil {
		return err
	}
	if err := w.z.Close(); err != nil {
		return err
	}
	copy(w.head[tarBlock:], body)
	if _, err := w.file.WriteAt(bgzf.AppendStored(nil, w.head), 0); err != nil {
		return err
	}
	return w.file.Sync()
}

// publish gives the file its final name and returns it.
func (w *Writer) publish() (string, error) {
	for nth := 1; nth <= maxTries; nth++ {
		final := w.name + Ext
		if nth > 1 { // somebody took the name meanwhile
			final = bundleName(w.opts.Name, w.opts.Time, w.opts.PID, nth) + Ext
		}
		switch err := renameNew(w.dir, w.partial, final); {
		case err == nil:
			return final, nil
		case !errors.Is(err, fs.ErrExist):
			return "", err
		}
	}
	return "", fmt.Errorf("%s%s: %w", w.name, Ext, fs.ErrExist)
}

// renameNew renames without replacing. A link does not replace, on any
// system; where there are no links, a look before the rename must do.
func renameNew(dir *os.Root, from, to string) error {
	err := dir.Link(from, to)
	if err == nil {
		return dir.Remove(from)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := dir.Lstat(to); err == nil {
		return fmt.Errorf("%s: %w", to, fs.ErrExist)
	}
	return dir.Rename(from, to)
}

// syncDir makes the new name durable.
func (w *Writer) syncDir() error {
	d, err := w.dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	// Not every system and file system syncs directories.
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// Close ends the writing and keeps the .partial file: all members that are
// whole can be read. After Commit or Abort it does nothing.
func (w *Writer) Close() error {
	if w.done {
		return nil
	}
	err := errors.Join(w.release(), w.dir.Close())
	if err != nil {
		return fmt.Errorf("close bundle %s: %w", w.name, wrapFull(err))
	}
	return nil
}

// Abort ends the writing and removes the file. After a Commit that succeeded
// it does nothing.
func (w *Writer) Abort() error {
	if w.done {
		return nil
	}
	// What this says does not matter any more.
	_ = w.release()
	if err := errors.Join(w.dir.Remove(w.partial), w.dir.Close()); err != nil {
		return fmt.Errorf("abort bundle %s: %w", w.name, err)
	}
	return nil
}

// release ends the goroutines and closes the file.
func (w *Writer) release() error {
	w.done = true
	err := w.z.Close()
	if w.hash != nil {
		w.hash.close()
		w.hash = nil
	}
	cerr := w.file.Close()
	if errors.Is(cerr, fs.ErrClosed) { // by Commit
		cerr = nil
	}
	return errors.Join(err, cerr)
}
