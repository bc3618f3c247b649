package analyzer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/corekit/corekit/platform/elfcore"
	"github.com/corekit/corekit/sdk/bundle"
)

// input is what there is to analyse, from whatever it was opened.
type input struct {
	name      string           // the path that was given
	man       *bundle.Manifest // nil for a bare core
	core      *elfcore.File    // nil in a bundle without one
	exe       io.ReaderAt      // nil if there is none
	exeSize   int64
	exePath   string // where the executable is now; "" inside a bundle
	exeCut    bool   // the bundle ends within the executable
	members   map[string]string
	bundle    *bundle.Bundle
	traceback string
	damage    damage
	warnings  []string
	closers   []io.Closer
}

func (in *input) close() {
	for _, c := range in.closers {
		c.Close()
	}
}

func (in *input) warn(format string, args ...any) {
	in.warnings = append(in.warnings, fmt.Sprintf(format, args...))
}

// open opens what there is at in.name. The caller closes in, also after an
// error.
func (in *input) open(opts Options) error {
	head, err := sniff(in.name)
	if err != nil {
		return err
	}
	if strings.HasPrefix(head, "\x7fELF") {
		err = in.openCore(opts)
	} else {
		err = in.openBundle(opts)
	}
	if err == nil && opts.Exe != "" {
		err = in.openExe(opts.Exe)
	}
	return err
}

// sniff returns the first bytes of a file; a directory has none.
func sniff(name string) (string, error) {
	st, err := os.Stat(name)
	if err != nil {
		return "", hint(hintFor(err, name), "%w", err)
	}
	if st.IsDir() {
		return "", nil
	}
	if !st.Mode().IsRegular() {
		return "", hint("copy what comes out of it to a file first: cat "+quote(name)+" >crash.tar.gz",
			"%s: not a regular file", name)
	}
	if st.Size() == 0 {
		return "", hint("a full disk leaves such files; is there another one? "+listCommand(name), "%s: the file is empty", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", hint(hintFor(err, name), "%w", err)
	}
	defer f.Close()
	b := make([]byte, 16)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", hint(hintFor(err, name), "%w", err)
	}
	return string(b[:n]), nil
}

func (in *input) openCore(opts Options) error {
	f, err := os.Open(in.name)
	if err != nil {
		return hint(hintFor(err, in.name), "%w", err)
	}
	in.closers = append(in.closers, f)
	st, err := f.Stat()
	if err != nil {
		return hint(hintFor(err, in.name), "%w", err)
	}
	if in.core, err = elfcore.Open(f, st.Size()); err != nil {
		h := "is there another core of it? " + listCommand(in.name)
		if errors.Is(err, elfcore.ErrNotCore) {
			h = "give the core that it left: corekit analyze --exe " + quote(in.name) + " CORE"
		}
		return hint(h, "%s: %w", in.name, err)
	}
	if opts.Exe == "" {
		return hint("corekit analyze --exe "+quoteOr(in.coreExe(), "PROGRAM")+" "+quote(in.name),
			"%s: a core file does not contain its executable", in.name)
	}
	return nil
}

// coreExe returns the path that the executable of a bare core had, "" if the
// core does not tell.
func (in *input) coreExe() string {
	entry, ok := in.core.Aux(elfcore.AuxEntry)
	for _, m := range in.core.Files {
		if ok && entry >= m.Start && entry < m.End {
			return strings.TrimSuffix(m.Path, " (deleted)")
		}
	}
	return ""
}

func (in *input) openExe(name string) error {
	// A look first: opening a pipe would wait for somebody to write to it.
	st, err := os.Stat(name)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", name)
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(name)
	}
	if err != nil {
		return hint("--exe takes the program that crashed: corekit analyze --exe PROGRAM "+quote(in.name), "%w", err)
	}
	in.closers = append(in.closers, f)
	in.exe, in.exeSize, in.exePath, in.exeCut = f, st.Size(), name, false
	return nil
}

func (in *input) openBundle(opts Options) error {
	b, err := bundle.Open(in.name)
	if err != nil {
		return notBundle(err, in.name)
	}
	in.bundle = b
	in.closers = append(in.closers, b)
	man := b.Manifest
	in.man = &man
	if b.Truncated() {
		in.warn("the bundle is cut off; what follows is from its whole part")
	}
	in.members = map[string]string{}
	for _, f := range man.Files {
		if f.Path != "" {
			in.members[f.Path] = f.Name
		}
	}
	in.readTraceback()
	if opts.Exe == "" {
		in.bundleExe()
	}
	return in.bundleCore()
}

// maxTraceback bounds how much crash text is looked at, in bytes.
const maxTraceback = 64 << 20

func (in *input) readTraceback() {
	t, err := in.bundle.Open("traceback.txt")
	if err != nil {
		return // the runtime may have had no time to print any
	}
	defer t.Close()
	text, err := io.ReadAll(io.NewSectionReader(in.damage.watch(t), 0, min(t.Size, maxTraceback)))
	if err != nil {
		in.warn("the traceback is not whole: %v", err)
	}
	in.traceback = string(text)
}

func (in *input) bundleExe() {
	if in.man.Exe == "" {
		return
	}
	m, err := in.bundle.Open(in.man.Exe)
	if err != nil {
		in.warn("the bundle's executable cannot be read: %v", err)
		return
	}
	in.closers = append(in.closers, m)
	in.exe, in.exeSize, in.exeCut = in.damage.watch(m), m.Size, m.Available < m.Size
}

func (in *input) bundleCore() error {
	m, err := in.bundle.Open("core")
	if err == nil {
		in.closers = append(in.closers, m)
		in.core, err = elfcore.Open(in.damage.watch(m), m.Size)
	}
	switch {
	case err == nil:
		return nil
	case in.traceback == "" && errors.Is(err, fs.ErrNotExist):
		return hint("is there another bundle of the same crash? "+listCommand(in.name),
			"%s: neither a core nor a traceback is in the bundle", in.name)
	case in.traceback == "":
		return hint("is there another bundle of the same crash? "+listCommand(in.name), "%s: %w", in.name, err)
	}
	in.core = nil
	if !errors.Is(err, fs.ErrNotExist) {
		in.warn("the core cannot be read: %v", err)
	}
	return nil
}

// Open returns a mapped file by its path in the dead process: the bundle's. For
// a bare core it is this machine's of that name, if that is a program or a
// library; package image makes sure that it is the one that was mapped.
func (in *input) Open(p string) (io.ReaderAt, int64, error) {
	if in.bundle == nil {
		return in.openLocal(p)
	}
	name, ok := in.members[p]
	if !ok {
		name = strings.TrimPrefix(path.Clean(p), "/")
	}
	m, err := in.bundle.Open(name)
	if err != nil {
		return nil, 0, err
	}
	in.closers = append(in.closers, m)
	return in.damage.watch(m), m.Size, nil
}

// openLocal opens a program or a library, and nothing else: the path comes from
// the core, and no device is to be touched and no secret to be shown because a
// core says so.
func (in *input) openLocal(p string) (io.ReaderAt, int64, error) {
	st, err := os.Stat(p)
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s: not a regular file", p)
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, 0, err
	}
	in.closers = append(in.closers, f)
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil || string(magic[:]) != "\x7fELF" {
		return nil, 0, fmt.Errorf("%s: neither a program nor a library", p)
	}
	return f, st.Size(), nil
}
