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
	man       *bundle.Manifest // nil for a bare core
	core      *elfcore.File    // nil in a bundle without one
	exe       io.ReaderAt      // nil if there is none
	exeSize   int64
	exePath   string // where the executable is now; "" inside a bundle
	members   map[string]string
	bundle    *bundle.Bundle
	traceback string
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

func openInput(name string, opts Options) (in *input, err error) {
	in = &input{}
	defer func() {
		if err != nil {
			in.close()
		}
	}()
	head, err := sniff(name)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(head, "\x7fELF") {
		err = in.openCore(name, opts)
	} else {
		err = in.openBundle(name)
	}
	if err != nil {
		return nil, err
	}
	if opts.Exe != "" {
		if err := in.openExe(opts.Exe); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// sniff returns the first bytes of a file; a directory has none.
func sniff(name string) (string, error) {
	st, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", hint("\"corekit analyze PATH\" takes a bundle (*.tar.gz) or a core file", "%w", err)
	}
	if err != nil {
		return "", hint("", "%w", err)
	}
	if st.IsDir() {
		return "", nil
	}
	if !st.Mode().IsRegular() {
		return "", hint("copy it to a file first", "%s: not a regular file", name)
	}
	if st.Size() == 0 {
		return "", hint("a full disk leaves such files; is there another one beside it?", "%s: the file is empty", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", hint("", "%w", err)
	}
	defer f.Close()
	b := make([]byte, 16)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", hint("", "%s: %w", name, err)
	}
	return string(b[:n]), nil
}

func (in *input) openCore(name string, opts Options) error {
	f, err := os.Open(name)
	if err != nil {
		return hint("", "%w", err)
	}
	in.closers = append(in.closers, f)
	st, err := f.Stat()
	if err != nil {
		return hint("", "%w", err)
	}
	if in.core, err = elfcore.Open(f, st.Size()); err != nil {
		h := ""
		if errors.Is(err, elfcore.ErrNotCore) {
			h = "this is a program; give its core: corekit analyze --exe " + name + " CORE"
		}
		return hint(h, "%s: %w", name, err)
	}
	if opts.Exe == "" {
		return hint(fmt.Sprintf("corekit analyze --exe PROGRAM %s", name),
			"%s: a core file does not contain its executable", name)
	}
	return nil
}

func (in *input) openExe(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return hint("--exe takes the program that crashed", "%w", err)
	}
	in.closers = append(in.closers, f)
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", name)
	}
	if err != nil {
		return hint("--exe takes the program that crashed", "%w", err)
	}
	in.exe, in.exeSize, in.exePath = f, st.Size(), name
	return nil
}

func (in *input) openBundle(name string) error {
	b, err := bundle.Open(name)
	if err != nil {
		return hint("give it a bundle (*.tar.gz) or, with --exe, a core file", "%s: %w", name, err)
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
	if t, err := b.Open("traceback.txt"); err == nil {
		text, _ := io.ReadAll(io.NewSectionReader(t, 0, min(t.Size, maxTraceback)))
		in.traceback = string(text)
	}
	if man.Exe != "" {
		if m, err := b.Open(man.Exe); err != nil {
			in.warn("the bundle's executable cannot be read: %v", err)
		} else {
			in.exe, in.exeSize = m, m.Size
		}
	}
	return in.bundleCore(name)
}

// maxTraceback bounds how much crash text is looked at, in bytes.
const maxTraceback = 64 << 20

func (in *input) bundleCore(name string) error {
	m, err := in.bundle.Open("core")
	if errors.Is(err, fs.ErrNotExist) {
		if in.traceback == "" {
			return hint("the capture was cut short; is there another bundle of the same crash?",
				"%s: neither a core nor a traceback is in the bundle", name)
		}
		return nil
	}
	if err != nil {
		return hint("", "%s: core: %w", name, err)
	}
	if in.core, err = elfcore.Open(m, m.Size); err != nil {
		if in.traceback == "" {
			return hint("the bundle is damaged or cut off", "%s: core: %w", name, err)
		}
		in.core = nil
		in.warn("the core cannot be read: %v", err)
	}
	return nil
}

// Open returns a mapped file by its path in the dead process: the bundle's. A
// bare core has only what this machine has under the same name, and that is
// not trusted to be the same file.
func (in *input) Open(p string) (io.ReaderAt, int64, error) {
	if in.bundle == nil {
		return nil, 0, fmt.Errorf("%s: %w", p, fs.ErrNotExist)
	}
	name, ok := in.members[p]
	if !ok {
		name = strings.TrimPrefix(path.Clean(p), "/")
	}
	m, err := in.bundle.Open(name)
	if err != nil {
		return nil, 0, err
	}
	return m, m.Size, nil
}
