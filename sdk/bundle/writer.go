package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/corekit/corekit/sdk/internal/bgzf"
	"github.com/corekit/corekit/sdk/internal/tarfmt"
)

// Options say what to write. The zero value works.
type Options struct {
	Name          string    // of the executable; "" = "program"
	Time          time.Time // of the crash; zero = now
	PID           int
	Level         int // of compression, 1 to 9; 0 = about the size of gzip -6
	Workers       int // goroutines that compress; 0 = GOMAXPROCS, at most 8
	ManifestSpace int // bytes kept for manifest.json; 0 = 64 KiB
}

const (
	defaultManifestSpace = 64 << 10
	// alignSize is from where on a member begins a compression block of its
	// own, so that blocks keep the alignment of the memory in it.
	alignSize = 1 << 20
)

// Writer writes a bundle. Its methods must not be called concurrently. Every
// Writer must end in [Writer.Commit] or [Writer.Abort].
//
// Until Commit the file is named .partial; what is whole of it opens with
// [Open] all the same.
type Writer struct {
	dir     *os.Root
	path    string // of dir
	partial string // file name
	file    *os.File
	z       *bgzf.Writer
	opts    Options
	name    string

	head   []byte // tar header and manifest, as last written
	member *MemberWriter
	names  map[string]bool
	hash   *hasher // nil: Commit has begun
	done   bool
}

// Create begins a bundle in directory dir, which it makes with mode 0700 if it
// is missing. The file has mode 0600 and is always a new one: what lies in
// its way, a symbolic link too, is left alone and another name is taken.
//
// The directory is opened once, and all work is done below that handle, so
// that a directory swapped for another one meanwhile changes nothing. dir
// itself may be a symbolic link, as an administrator may have set up. A
// directory that others can write to is accepted, because many volumes of
// containers are: they cannot read the bundle, but they can delete it.
func Create(dir string, opts Options) (*Writer, error) {
	if opts.Time.IsZero() {
		opts.Time = time.Now()
	}
	opts.Time = opts.Time.UTC()
	if opts.ManifestSpace <= 0 {
		opts.ManifestSpace = defaultManifestSpace
	}
	opts.ManifestSpace = min(opts.ManifestSpace, maxManifest)
	root, err := openDir(dir, true)
	if err != nil {
		return nil, fmt.Errorf("create bundle: %w", err)
	}
	w := &Writer{dir: root, path: dir, opts: opts, names: make(map[string]bool)}
	if err := w.create(); err != nil {
		root.Close()
		return nil, fmt.Errorf("create bundle in %s: %w", dir, wrapFull(err))
	}
	w.z = bgzf.NewWriter(w.file, bgzf.Options{Level: opts.Level, Workers: opts.Workers})
	w.hash = newHasher()
	if err := w.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("create bundle in %s: %w", dir, wrapFull(err)), w.Abort())
	}
	return w, nil
}

// openDir opens a store, and makes it first if asked to.
func openDir(dir string, create bool) (*os.Root, error) {
	if dir == "" {
		return nil, errors.New("no directory given")
	}
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			// MkdirAll names the element that is a file, which may be a parent.
			return nil, wrapFull(err)
		}
	}
	return os.OpenRoot(dir)
}

// maxTries bounds the search for a name that is free.
const maxTries = 1000

// create makes the file, under the first name that is free.
func (w *Writer) create() error {
	for nth := 1; nth <= maxTries; nth++ {
		name := bundleName(w.opts.Name, w.opts.Time, w.opts.PID, nth)
		if _, err := w.dir.Lstat(name + Ext); err == nil {
			continue
		}
		f, err := w.dir.OpenFile(name+PartialExt, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		// Not every file system locks. Without, pruning goes by age.
		_ = lock(f)
		w.name, w.partial, w.file = name, name+PartialExt, f
		return nil
	}
	return fmt.Errorf("%d bundles of this process and second: %w", maxTries, fs.ErrExist)
}

// begin writes the manifest that stands until Commit overwrites it.
func (w *Writer) begin() error {
	space := (w.opts.ManifestSpace + tarBlock - 1) / tarBlock * tarBlock
	body, err := w.fill(Manifest{Reason: ReasonInProgress}).encode(space)
	if err != nil {
		return err
	}
	w.names[ManifestName] = true
	h, err := w.header(ManifestName, int64(space), 0o600)
	if err != nil {
		return err
	}
	w.head = append(h, body...)
	return w.z.WriteStored(w.head)
}

// fill adds to m what the options say already.
func (w *Writer) fill(m Manifest) Manifest {
	m.Schema = Schema
	if m.Name == "" {
		m.Name = w.opts.Name
	}
	if m.PID == 0 {
		m.PID = w.opts.PID
	}
	if m.Time.IsZero() {
		m.Time = w.opts.Time
	}
	m.Time = m.Time.UTC()
	return m
}

// header returns the tar header of a member.
func (w *Writer) header(name string, size int64, mode fs.FileMode) ([]byte, error) {
	h, err := tarfmt.AppendHeader(nil, tarfmt.Header{
		Name:    w.name + "/" + name,
		Size:    size,
		Mode:    int64(mode.Perm()),
		ModTime: w.opts.Time.Unix(),
	})
	if err != nil {
		return nil, fmt.Errorf("member %s: %w", name, err)
	}
	return h, nil
}

// Name returns the name of the bundle: of the file without extension, and of
// the top-level directory in it.
func (w *Writer) Name() string { return w.name }

// Path returns the path of the file while it is being written.
func (w *Writer) Path() string { return filepath.Join(w.path, w.partial) }

// Add begins the next member, of exactly size bytes. Absolute paths lose their
// leading slash; paths with ".." and names that are there already are
// refused. The member before must have all its bytes. Of mode, the permission
// bits are kept.
func (w *Writer) Add(name string, size int64, mode fs.FileMode) (*MemberWriter, error) {
	if w.done || w.hash == nil {
		return nil, fmt.Errorf("add %s to bundle: %w", name, fs.ErrClosed)
	}
	name, err := memberName(name)
	if err != nil {
		return nil, fmt.Errorf("add to bundle: %w", err)
	}
	switch {
	case w.names[name] || name == SumsName:
		return nil, fmt.Errorf("add %s to bundle: %w", name, fs.ErrExist)
	case len(w.names) >= maxMembers-1:
		return nil, fmt.Errorf("add %s to bundle: more than %d members", name, maxMembers)
	case size < 0:
		return nil, fmt.Errorf("add %s to bundle: size %d", name, size)
	}
	m, err := w.add(name, size, mode)
	if err != nil {
		return nil, fmt.Errorf("add %s to bundle: %w", name, wrapFull(err))
	}
	return m, nil
}

func (w *Writer) add(name string, size int64, mode fs.FileMode) (*MemberWriter, error) {
	if err := w.endMember(); err != nil {
		return nil, err
	}
	h, err := w.header(name, size, mode)
	if err != nil {
		return nil, err
	}
	if _, err := w.z.Write(h); err != nil {
		return nil, err
	}
	if size >= alignSize {
		if err := w.z.EndBlock(); err != nil {
			return nil, err
		}
	}
	w.names[name] = true
	w.member = &MemberWriter{w: w, name: name, size: size, left: size}
	return w.member, nil
}

// endMember ends the member being written, which must be complete.
func (w *Writer) endMember() error {
	m := w.member
	if m == nil {
		return nil
	}
	if m.left > 0 {
		return fmt.Errorf("member %s: %d of %d bytes are missing: %w", m.name, m.left, m.size, io.ErrUnexpectedEOF)
	}
	w.member = nil
	w.hash.end(m.name)
	return w.z.WriteZeros(tarfmt.Padding(m.size))
}
