package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"unicode"

	"github.com/corekit/corekit/analyzer"
	"github.com/corekit/corekit/sdk/bundle"
	"github.com/spf13/cobra"
)

// latest names the newest bundle in the store.
const latest = "latest"

// bundleHelp ends the help of the verbs that take a BUNDLE.
const bundleHelp = `

BUNDLE is a path, or "latest", or as much of the beginning of a bundle's name in
the store as tells it from the others. The store is --dir, else $COREKIT_DIR,
else the directory that programs use by default.`

// addDir adds the flag that says where the store is.
func addDir(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "the `directory` that bundles are in")
	cmd.MarkFlagDirname("dir")
}

// openStore returns the store that --dir or the environment names.
func openStore(dir string) (bundle.Store, error) {
	dir = cmp.Or(dir, os.Getenv("COREKIT_DIR"))
	if dir == "" {
		dir = bundle.FindDefaultDir()
	}
	if dir == "" {
		return bundle.Store{}, &analyzer.Error{
			Err:  errors.New("no directory for bundles can be made here"),
			Hint: "name one: corekit list --dir DIR",
		}
	}
	return bundle.Store{Dir: dir}, nil
}

// resolve returns the path of what a verb was given: a path, the beginning of
// the name of a bundle in the store, or "latest". A path that exists wins.
func resolve(dir, object string) (string, error) {
	if object == "" {
		return "", usageError{errors.New("the name of a bundle is empty"), listCommand(dir)}
	}
	_, err := os.Stat(object)
	if !errors.Is(err, fs.ErrNotExist) {
		return object, nil // what is wrong with it, if anything, opening it will tell
	}
	if path, ok := err.(*fs.PathError); ok {
		err = path.Err
	}
	if strings.ContainsFunc(object, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) }) {
		return "", &analyzer.Error{
			Err:  fmt.Errorf("%s: %w", object, err),
			Hint: "what there is: " + listCommand(dir) + "; then: corekit analyze BUNDLE",
		}
	}
	store, err2 := openStore(dir)
	if err2 != nil {
		return "", err2
	}
	list, err2 := store.List()
	if err2 != nil {
		return "", &analyzer.Error{Err: err2, Hint: "ls -ld " + quote(store.Dir)}
	}
	if object == latest && len(list) > 0 {
		return list[0].Path, nil
	}
	found := matching(list, object)
	switch {
	case len(found) == 1:
		return found[0].Path, nil
	case len(found) > 1:
		return "", ambiguous(object, found)
	case object == latest:
		err = fmt.Errorf("no bundle in %s: %w", store.Dir, fs.ErrNotExist)
	default:
		err = fmt.Errorf("%s: %w, and no bundle in %s is named so", object, err, store.Dir)
	}
	return "", &analyzer.Error{Err: err, Hint: "what there is: " + listCommand(dir) + ", or here: ls -lt ."}
}

// matching returns the bundles whose names begin with prefix, or the one that
// has exactly this name.
func matching(list []bundle.Entry, prefix string) (found []bundle.Entry) {
	for _, e := range list {
		switch {
		case e.File == prefix || stem(e.File) == prefix:
			return []bundle.Entry{e}
		case strings.HasPrefix(e.File, prefix):
			found = append(found, e)
		}
	}
	return found
}

// maxCandidates is how many names fit into an error.
const maxCandidates = 5

func ambiguous(prefix string, found []bundle.Entry) error {
	var names []string
	for _, e := range found[:min(len(found), maxCandidates)] {
		names = append(names, stem(e.File))
	}
	s := strings.Join(names, ", ")
	if more := len(found) - len(names); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return usageError{fmt.Errorf("%s may be any of %s", prefix, s), "name it in full: " + names[0]}
}

// stem returns the name of a bundle without its extensions.
func stem(file string) string {
	file = strings.TrimSuffix(file, ".partial")
	for _, ext := range []string{bundle.Ext, ".tar.zst", ".tgz", ".tar"} {
		if s, ok := strings.CutSuffix(file, ext); ok && s != "" {
			return s
		}
	}
	return file
}

func listCommand(dir string) string {
	if dir != "" {
		return "corekit list --dir " + quote(dir)
	}
	return "corekit list"
}

// openBundle opens what a verb was given, and knows what to do if that fails.
func openBundle(dir, object string) (*bundle.Bundle, error) {
	path, err := resolve(dir, object)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Open(path)
	if err == nil {
		return b, nil
	}
	h := "ls -ld " + quote(path)
	switch {
	case errors.Is(err, bundle.ErrNotBundle):
		h = "corekit analyze " + quote(path) + " may know what it is"
	case errors.Is(err, bundle.ErrTruncated):
		h = "nothing of it can be read; is there another one? " + listCommand(dir)
	case errors.Is(err, bundle.ErrUnsafe):
		h = "it was not made by corekit; see what is in it: tar tvzf " + quote(path)
	}
	return nil, &analyzer.Error{Err: err, Hint: h}
}

// completeBundles completes the names of the bundles in the store, and then
// file names. More than one argument is completed if many is true.
func completeBundles(dir *string, many bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && !many {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		store, err := openStore(*dir)
		if err != nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		list, _ := store.List()
		if len(list) == 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		names := []string{latest + "\t" + stem(list[0].File)}
		for _, e := range list {
			names = append(names, stem(e.File)+"\t"+size(e.Size))
		}
		return names, cobra.ShellCompDirectiveDefault
	}
}

// quote quotes a word for a shell where it has to be.
func quote(s string) string {
	plain := "/._-+:@%,="
	if runtime.GOOS == "windows" {
		plain += `\`
	}
	unsafe := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(plain, r))
	}
	switch {
	case s != "" && !strings.ContainsFunc(s, unsafe):
		return s
	case !strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }):
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	// What a terminal would obey is spelled out, as POSIX.1-2024 2.2.4 has it.
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteString(`\` + string(rune(c)))
		case ' ' <= c && c <= '~':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\%03o`, c) // not \x, which may take more than two digits
		}
	}
	return "$'" + b.String() + "'"
}
