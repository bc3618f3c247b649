package main

import (
	"context"
	"io"
	"time"

	"github.com/corekit/corekit/analyzer"
	"github.com/corekit/corekit/analyzer/render"
	"github.com/spf13/cobra"
)

// analyzeOptions are the flags of "corekit analyze".
type analyzeOptions struct {
	analyzer.Options
	json    bool
	verbose bool
	dir     string
	color   *colorMode
}

func newAnalyze(color *colorMode) *cobra.Command {
	o := analyzeOptions{color: color}
	cmd := &cobra.Command{
		Use:   "analyze [flags] BUNDLE|CORE",
		Short: "Say why a program crashed, where, and what its goroutines did",
		Long: `Analyze reads a bundle (or, with --exe, a bare core file) and prints why the
program died, the faulting frame with its source, arguments and locals, the
stack and the other goroutines, grouped.

Nothing from the bundle is executed, and nothing is fetched from the network.` + bundleHelp,
		Example: `  corekit analyze latest
  corekit analyze server-20261121T084400Z-1.tar.gz
  corekit analyze --json server-20261121T084400Z-1.tar.gz | jq .crash
  corekit analyze --exe ./server core.1234`,
		Args:              takes("a bundle or a core file", 1, 1),
		ValidArgsFunction: completeBundles(&o.dir, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := resolve(o.dir, args[0])
			if err != nil {
				return err
			}
			return runAnalyze(cmd.Context(), cmd.OutOrStdout(), path, o)
		},
	}
	addDir(cmd, &o.dir)
	f := cmd.Flags()
	f.StringVar(&o.Exe, "exe", "", "the `program` that dumped the core")
	f.BoolVar(&o.json, "json", false, "print the report as JSON (schema 1)")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "show all frames and all groups")
	f.StringSliceVar(&o.Source, "source", nil, "look for source files in this `directory` too")
	f.BoolVar(&o.NoValues, "no-values", false, "leave out arguments and locals, which need Delve")
	cmd.MarkFlagDirname("source")
	f.DurationVar(&o.Timeout, "timeout", 30*time.Second, "give up reading values after this time")
	return cmd
}

func runAnalyze(ctx context.Context, out io.Writer, path string, o analyzeOptions) error {
	rep, err := analyzer.Analyze(ctx, path, o.Options)
	if err != nil {
		return err
	}
	if o.json {
		err = render.JSON(out, rep)
	} else {
		err = render.Text(out, rep, render.TextOptions{Color: o.color.on(out), Width: width(out), Verbose: o.verbose})
	}
	if err != nil {
		return err
	}
	if !rep.Capture.Complete {
		return errPartial
	}
	return nil
}
