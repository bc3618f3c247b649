package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/corekit/corekit/analyzer"
	"github.com/corekit/corekit/sdk/bundle"
	"github.com/spf13/cobra"
)

type extractOptions struct {
	dir   string
	to    string
	force bool
}

func newExtract() *cobra.Command {
	var o extractOptions
	cmd := &cobra.Command{
		Use:   "extract [flags] BUNDLE [MEMBER...]",
		Short: "Unpack a bundle for gdb, Delve and others",
		Long: `Extract unpacks a bundle, or only some of its members, into a directory of the
bundle's name below the working directory or -C. It prints where that is, and
then the commands that open the core in gdb and in Delve. A MEMBER is named as
"corekit show" prints it, and may be a directory.

Files get mode 0600, directories 0700, and memory that is zero takes no space.
What is there already stays, unless --force is given. Any tar can unpack a
bundle too; extract trusts one less that came from elsewhere: it makes no links,
and writes nothing outside its directory.` + bundleHelp,
		Example: `  corekit extract latest
  corekit extract -C /tmp server-20261121T084400Z-1.tar.gz
  corekit extract latest traceback.txt`,
		Args: atLeastOne("a bundle"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return completeBundles(&o.dir, false)(nil, args, "")
			}
			b, err := openBundle(o.dir, args[0])
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			defer b.Close()
			return b.Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExtract(cmd, args[0], args[1:], o)
		},
	}
	addDir(cmd, &o.dir)
	f := cmd.Flags()
	f.StringVarP(&o.to, "directory", "C", ".", "unpack below `DIR`, which is made if missing")
	f.BoolVar(&o.force, "force", false, "replace files that are there already")
	cmd.MarkFlagDirname("directory")
	return cmd
}

func runExtract(cmd *cobra.Command, object string, members []string, o extractOptions) error {
	b, err := openBundle(o.dir, object)
	if err != nil {
		return err
	}
	defer b.Close()
	if st, err := os.Stat(b.Path()); err == nil && st.IsDir() {
		return &analyzer.Error{Err: fmt.Errorf("%s is unpacked already", b.Path()), Hint: "corekit show " + quote(b.Path())}
	}
	names, err := chooseMembers(b, members)
	if err != nil {
		return err
	}
	x := extraction{ctx: cmd.Context(), bundle: b, top: stem(filepath.Base(b.Path())), force: o.force}
	if err := x.extract(o.to, names); err != nil {
		return x.explain(err, o.to)
	}
	out := cmd.OutOrStdout()
	where := filepath.Join(o.to, x.top)
	if _, err := fmt.Fprintln(out, oneLine(where)); err != nil {
		return err
	}
	if err := printDebuggers(out, where, &b.Manifest, names); err != nil {
		return err
	}
	for _, name := range x.cut {
		fmt.Fprintf(cmd.ErrOrStderr(), "corekit: warning: %s is cut off\n", oneLine(name))
	}
	if b.Truncated() {
		fmt.Fprintln(cmd.ErrOrStderr(), "corekit: warning: the bundle is cut off or damaged; this is what there is")
	}
	if b.Truncated() || len(x.cut) > 0 {
		return errPartial
	}
	return nil
}

// chooseMembers returns the members that were asked for: all if none was.
func chooseMembers(b *bundle.Bundle, wanted []string) ([]string, error) {
	all := b.Names()
	if len(wanted) == 0 {
		return all, nil
	}
	chosen := map[string]bool{}
	for _, w := range wanted {
		// The path that a file had when the program ran names it too.
		w := strings.TrimPrefix(path.Clean(filepath.ToSlash(w)), "/")
		found := false
		for _, name := range all {
			if name == w || strings.HasPrefix(name, w+"/") {
				chosen[name], found = true, true
			}
		}
		if !found {
			return nil, &analyzer.Error{
				Err:  fmt.Errorf("%s: no member %s: %w", b.Path(), w, fs.ErrNotExist),
				Hint: "what there is: corekit show " + quote(b.Path()),
			}
		}
	}
	return slices.DeleteFunc(all, func(name string) bool { return !chosen[name] }), nil
}

// extraction is the unpacking of one bundle.
type extraction struct {
	ctx    context.Context
	bundle *bundle.Bundle
	top    string // directory to make
	force  bool
	root   *os.Root // where top is made
	cut    []string // members that are not whole
}

// extract writes the members below dir. The handle on dir keeps it there,
// whatever the members are called and whatever is swapped meanwhile.
func (x *extraction) extract(dir string, names []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	x.root = root
	// All are looked at first: it is all or nothing where something is in the way.
	for _, name := range names {
		if err := x.vacant(name); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := x.member(name); err != nil {
			return err
		}
	}
	return nil
}

// file returns where a member goes, below root.
func (x *extraction) file(name string) string { return filepath.Join(x.top, filepath.FromSlash(name)) }

// vacant reports what is in the way of a member.
func (x *extraction) vacant(name string) error {
	info, err := x.root.Lstat(x.file(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s: is a directory", x.file(name))
	case !x.force:
		return &fs.PathError{Op: "extract", Path: x.file(name), Err: fs.ErrExist}
	}
	return nil
}

// makeDir makes a directory and those above it. Unlike MkdirAll it does not go
// through symbolic links.
func (x *extraction) makeDir(dir string) error {
	if dir == "." {
		return nil
	}
	if err := x.makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	err := x.root.Mkdir(dir, 0o700)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := x.root.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s: not a directory", dir)
	}
	return err
}

func (x *extraction) member(name string) error {
	m, err := x.bundle.Open(name)
	if err != nil {
		return err
	}
	defer m.Close()
	file := x.file(name)
	if err := x.makeDir(filepath.Dir(file)); err != nil {
		return err
	}
	if x.force { // rather than write through what may be a link
		if err := x.root.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := x.root.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	s := sparseWriter{ctx: x.ctx, f: f}
	_, err = m.WriteTo(&s)
	if errors.Is(err, bundle.ErrTruncated) { // what there is of it may help
		x.cut, err = append(x.cut, name), nil
	}
	if err == nil {
		err = s.finish()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, x.root.Remove(file))
	}
	return nil
}

// explain adds what to do about an error.
func (x *extraction) explain(err error, to string) error {
	if x.ctx.Err() != nil {
		return err
	}
	h := "ls -ld " + quote(to) + "; another place: corekit extract -C DIR " + quote(x.bundle.Path())
	switch {
	case errors.Is(err, fs.ErrExist):
		h = "replace it: corekit extract --force -C " + quote(to) + " " + quote(x.bundle.Path())
	case errors.Is(err, syscall.ENOSPC):
		h = "df -h " + quote(to) + "; another place: corekit extract -C DIR " + quote(x.bundle.Path())
	case x.root != nil && !errors.As(err, new(*fs.PathError)):
		h = "what is damaged: corekit verify " + quote(x.bundle.Path())
	}
	return &analyzer.Error{Err: err, Hint: h}
}

// printDebuggers prints the commands that open the core, if it and its
// executable are among the files.
func printDebuggers(w io.Writer, dir string, m *bundle.Manifest, names []string) error {
	if !slices.Contains(names, "core") || !slices.Contains(names, m.Exe) {
		return nil
	}
	// A name that begins with a dash is an option to them.
	if strings.HasPrefix(dir, "-") {
		dir = "." + string(filepath.Separator) + dir
	}
	dir += string(filepath.Separator)
	exe, core := quote(dir+filepath.FromSlash(m.Exe)), quote(dir+"core")
	_, err := fmt.Fprintf(w, "gdb -iex %s %s %s\ndlv core %s %s\n", quote("set sysroot "+filepath.Clean(dir)), exe, core, exe, core)
	return err
}
