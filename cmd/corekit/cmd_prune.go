package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/corekit/corekit/analyzer"
	"github.com/corekit/corekit/sdk/bundle"
	"github.com/spf13/cobra"
)

type pruneOptions struct {
	dir                string
	count, bytes, free bound
	dryRun             bool
}

func newPrune() *cobra.Command {
	o := pruneOptions{bytes: bound{size: true}, free: bound{size: true, zero: true}}
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Remove the oldest bundles from the store",
		Long: `Prune removes the oldest bundles until what is left keeps within the bounds, and
prints which. It never removes the newest, nor a file that is no bundle. Files
of bundles that were never finished go too, unless one is still being written;
they are not printed.

Programs prune by themselves before they write a bundle. The bounds are theirs:
$COREKIT_MAX_BUNDLES or 10 bundles, $COREKIT_MAX_BYTES or 10 GiB, and 5 % of the
volume to stay free. A flag replaces a bound, and "none" lifts it. A SIZE is a
number of bytes, or of k, M, G or T (1024 each).

The store is --dir, else $COREKIT_DIR, else the directory that programs use by
default.`,
		Example: `  corekit prune --dry-run
  corekit prune --max-bundles 3
  corekit prune --max-bytes 2G --min-free none`,
		Args: takes("no argument", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPrune(cmd.OutOrStdout(), o)
		},
	}
	addDir(cmd, &o.dir)
	f := cmd.Flags()
	f.Var(&o.count, "max-bundles", "keep at most `N` bundles")
	f.Var(&o.bytes, "max-bytes", "keep at most `SIZE` of bundles")
	f.Var(&o.free, "min-free", "keep `SIZE` of the volume free")
	f.BoolVar(&o.dryRun, "dry-run", false, "print what would be removed, and remove nothing")
	return cmd
}

func runPrune(out io.Writer, o pruneOptions) error {
	store, err := openStore(o.dir)
	if err != nil {
		return err
	}
	for _, v := range []struct {
		b    *bound
		name string
	}{{&o.count, "COREKIT_MAX_BUNDLES"}, {&o.bytes, "COREKIT_MAX_BYTES"}} {
		// As package sdk reads them: anything else counts as not set.
		if n, err := strconv.ParseInt(os.Getenv(v.name), 10, 64); err == nil && n > 0 && v.b.n == 0 {
			v.b.n = n
		}
	}
	store.MaxCount, store.MaxBytes, store.MinFree = int(o.count.n), o.bytes.n, o.free.n
	before, err := store.List()
	if err != nil {
		return &analyzer.Error{Err: err, Hint: "ls -ld " + quote(store.Dir)}
	}
	verb, after := "would remove", before
	if o.dryRun {
		after = plan(store, before)
	} else {
		verb = "removed"
		prune := store.Prune("")
		if after, err = store.List(); err == nil {
			err = prune // after what was removed has been said
		}
	}
	for _, e := range slices.Backward(before) {
		if slices.ContainsFunc(after, func(a bundle.Entry) bool { return a.File == e.File }) {
			continue
		}
		if _, err := fmt.Fprintf(out, "%s %s (%s)\n", verb, oneLine(e.Path), size(e.Size)); err != nil {
			return err
		}
	}
	if err != nil {
		return &analyzer.Error{Err: err, Hint: "ls -ld " + quote(store.Dir)}
	}
	return nil
}
