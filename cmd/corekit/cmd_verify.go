package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/corekit/corekit/analyzer"
	"github.com/corekit/corekit/sdk/bundle"
	"github.com/spf13/cobra"
)

type verifyOptions struct {
	dir  string
	json bool
}

func newVerify() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify [flags] BUNDLE...",
		Short: "Compare bundles with their checksums",
		Long: `Verify reads bundles to their ends and compares every member with the checksum
that was taken when it was written. What differs is named. A bundle that is cut
off has lost its checksums, which come last: that is a partial result, unless
another bundle is wrong.` + bundleHelp,
		Example: `  corekit verify latest
  corekit verify /mnt/crashes/*.tar.gz`,
		Args:              atLeastOne("bundles"),
		ValidArgsFunction: completeBundles(&o.dir, true),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runVerify(cmd.Context(), cmd.OutOrStdout(), args, o)
		},
	}
	addDir(cmd, &o.dir)
	cmd.Flags().BoolVar(&o.json, "json", false, "print the results as JSON")
	return cmd
}

func atLeastOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError{fmt.Errorf("%s takes %s", cmd.Name(), what), cmd.CommandPath() + " --help"}
		}
		return nil
	}
}

// verifyResult is about one bundle, and an element of the output of
// "corekit verify --json".
type verifyResult struct {
	Path     string   `json:"path"`
	Result   string   `json:"result"`
	Problems []string `json:"problems,omitempty"`
}

const (
	verifyOK        = "ok"
	verifyFailed    = "failed"
	verifyTruncated = "truncated"
)

func runVerify(ctx context.Context, out io.Writer, objects []string, o verifyOptions) error {
	paths := make([]string, len(objects))
	for i, object := range objects {
		var err error
		if paths[i], err = resolve(o.dir, object); err != nil {
			return err
		}
	}
	results := []verifyResult{}
	count := map[string]int{}
	for _, path := range paths {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r := verify(path)
		count[r.Result]++
		results = append(results, r)
		if !o.json {
			if err := r.write(out); err != nil {
				return err
			}
		}
	}
	if o.json {
		doc := struct {
			Schema  int            `json:"schema"`
			Bundles []verifyResult `json:"bundles"`
		}{1, results}
		if err := writeJSON(out, doc); err != nil {
			return err
		}
	}
	switch {
	case count[verifyFailed] > 0:
		return &analyzer.Error{
			Err:  fmt.Errorf("%d of %d bundles failed", count[verifyFailed], len(paths)),
			Hint: "copy it again from where it was made; corekit analyze BUNDLE reads what is whole",
		}
	case count[verifyTruncated] > 0:
		return errPartial
	}
	return nil
}

func verify(path string) verifyResult {
	b, err := bundle.Open(path)
	if err == nil {
		defer b.Close()
		err = b.Verify()
	}
	r := verifyResult{Path: path, Result: verifyOK}
	if err != nil {
		r.Result, r.Problems = verifyFailed, problems(err)
		// A member that differs weighs more than one that is cut off.
		if errors.Is(err, bundle.ErrTruncated) && !errors.Is(err, bundle.ErrChecksum) {
			r.Result = verifyTruncated
		}
	}
	return r
}

// problems takes the errors of the members apart.
func problems(err error) (list []string) {
	var many interface{ Unwrap() []error }
	if !errors.As(err, &many) {
		return []string{err.Error()}
	}
	for _, e := range many.Unwrap() {
		list = append(list, e.Error())
	}
	return list
}

func (r verifyResult) write(out io.Writer) error {
	_, err := fmt.Fprintf(out, "%s: %s\n", oneLine(r.Path), r.Result)
	for _, p := range r.Problems {
		if err == nil {
			_, err = fmt.Fprintf(out, "  %s\n", oneLine(p))
		}
	}
	return err
}
