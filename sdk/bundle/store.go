package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/corekit/corekit/sdk/internal/bgzf"
)

// Defaults of a [Store].
const (
	DefaultMaxCount = 10
	DefaultMaxBytes = 10 << 30
	// DefaultMinFreePercent of the volume stay free.
	DefaultMinFreePercent = 5
)

// Store is a directory of bundles with bounds, so that a program that crashes
// again and again does not fill the volume. The zero value of a bound means
// its default, a negative one means none.
type Store struct {
	Dir      string
	MaxCount int   // bundles
	MaxBytes int64 // of all of them
	MinFree  int64 // bytes of the volume to leave free
}

// Entry is one bundle in a [Store].
type Entry struct {
	File string // name in the directory
	Path string
	Name string // of the executable
	Time time.Time
	PID  int
	Size int64

	nth int
}

// errLocked: somebody is writing the file.
var errLocked = errors.New("file is locked")

const (
	// lockGrace is for the moment between the making of a file and its lock.
	lockGrace = time.Minute
	// staleAge is when a partial file is given up where locks tell nothing.
	staleAge = 24 * time.Hour
)

// List returns the finished bundles, the newest first. It goes by the names,
// without opening the files. A directory that does not exist has none.
func (s Store) List() ([]Entry, error) {
	root, err := openDir(s.Dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list bundles: %w", err)
	}
	defer root.Close()
	list, _, err := s.read(root)
	return list, err
}

// read lists bundles and partial files. Links, directories and what has
// another name are not among them.
func (s Store) read(root *os.Root) (list []Entry, partial []fs.FileInfo, err error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, nil, fmt.Errorf("list bundles: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, nil, fmt.Errorf("list bundles: %w", err)
	}
	for _, name := range names {
		n, ok := parseName(name)
		if !ok {
			continue
		}
		info, err := root.Lstat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue // removed by another process meanwhile, or none of ours
		}
		if n.partial {
			partial = append(partial, info)
			continue
		}
		list = append(list, Entry{
			File: name, Path: filepath.Join(s.Dir, name),
			Name: n.exe, Time: n.time, PID: n.pid, Size: info.Size(), nth: n.nth,
		})
	}
	slices.SortFunc(list, func(a, b Entry) int {
		if c := b.Time.Compare(a.Time); c != 0 {
			return c
		}
		if c := b.nth - a.nth; c != 0 {
			return c
		}
		return strings.Compare(a.File, b.File)
	})
	return list, partial, nil
}

// Prune removes the oldest bundles until the bounds hold, and partial files
// that nobody is writing any more. It never removes the newest bundle, nor
// keep (a path or a file name; may be ""), nor a file that is not a bundle
// by both name and contents.
func (s Store) Prune(keep string) error { return s.prune(keep, 0) }

// Room prunes as [Store.Prune] does, as if a bundle of need bytes were there
// already. If even so the volume has no space for it, the error answers
// errors.Is(err, [syscall.ENOSPC]).
func (s Store) Room(need int64) error {
	if err := s.prune("", max(need, 0)); err != nil {
		return err
	}
	free, total, err := diskSpace(s.Dir)
	if err != nil {
		return nil // unknown: the write will tell
	}
	if floor := s.minFree(total); free-floor < need {
		return fmt.Errorf("store %s: %d bytes needed, %d of %d free, %d to stay free: %w", s.Dir, need, free, total, floor, syscall.ENOSPC)
	}
	return nil
}

func (s Store) minFree(total int64) int64 {
	switch {
	case s.MinFree < 0:
		return 0
	case s.MinFree == 0:
		return total / 100 * DefaultMinFreePercent
	}
	return s.MinFree
}

// prune makes room for need bytes more.
func (s Store) prune(keep string, need int64) error {
	root, err := openDir(s.Dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("prune bundles: %w", err)
	}
	defer root.Close()
	list, partial, err := s.read(root)
	if err != nil {
		return err
	}
	var errs []error
	for _, info := range partial {
		if stale(root, info) {
			errs = append(errs, remove(root, info.Name()))
		}
	}
	if keep != "" {
		keep = filepath.Base(keep)
	}
	count, bytes := len(list), need
	if need > 0 {
		count++
	}
	for _, e := range list {
		bytes += e.Size
	}
	for i := len(list) - 1; i > 0 && s.over(count, bytes, need); i-- {
		e := list[i]
		if e.File == keep || !isBundle(root, e.File) {
			continue
		}
		if err := remove(root, e.File); err != nil {
			errs = append(errs, err)
			continue
		}
		count--
		bytes -= e.Size
	}
	return errors.Join(errs...)
}

// over reports whether a bound is exceeded.
func (s Store) over(count int, bytes, need int64) bool {
	maxCount, maxBytes := s.MaxCount, s.MaxBytes
	if maxCount == 0 {
		maxCount = DefaultMaxCount
	}
	if maxBytes == 0 {
		maxBytes = DefaultMaxBytes
	}
	if maxCount > 0 && count > maxCount || maxBytes > 0 && bytes > maxBytes {
		return true
	}
	free, total, err := diskSpace(s.Dir)
	return err == nil && free-need < s.minFree(total)
}

func remove(root *os.Root, name string) error {
	err := root.Remove(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // another process prunes too
		return fmt.Errorf("prune bundles: %w", err)
	}
	return nil
}

// isBundle looks at the first bytes of a file whose name says that it is one.
func isBundle(root *os.Root, name string) bool {
	f, err := root.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 18)
	n, _ := io.ReadFull(f, head)
	// An empty file is what a power failure leaves of one.
	return n == 0 || bgzf.IsBGZF(head[:n]) || strings.HasPrefix(string(head[:n]), zstdMagic)
}

const zstdMagic = "\x28\xb5\x2f\xfd" // RFC 8878, 3.1.1

// stale reports whether nobody writes a partial file any more.
func stale(root *os.Root, info fs.FileInfo) bool {
	age := time.Since(info.ModTime())
	if age < lockGrace {
		return false
	}
	f, err := root.Open(info.Name())
	if err != nil {
		return false
	}
	defer f.Close()
	switch err := lock(f); {
	case err == nil:
		return true
	case errors.Is(err, errLocked):
		return false
	}
	return age > staleAge
}
