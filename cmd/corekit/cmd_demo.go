package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/corekit/corekit/analyzer"
	"github.com/corekit/corekit/platform"
	"github.com/corekit/corekit/sdk/bundle"
	"github.com/spf13/cobra"
)

// demoPatience bounds how long an example may take to crash and be saved.
const demoPatience = 2 * time.Minute

type demoOptions struct {
	keep  string
	color *colorMode
}

func newDemo(color *colorMode) *cobra.Command {
	o := demoOptions{color: color}
	cmd := &cobra.Command{
		Use:   "demo [EXAMPLE]",
		Short: "Crash a real program, and show its bundle and the analysis",
		Long: `Demo builds one of corekit's examples with the Go toolchain, lets it crash,
lists what is in the bundle that it leaves, and analyses that. It writes to a
temporary directory only, which it removes at the end.

Run it in a checkout of corekit. EXAMPLE is the name of a directory below
examples/; without it, a program that dereferences a nil pointer.`,
		Example: `  go run ./cmd/corekit demo
  corekit demo manygoroutines
  corekit demo --keep /tmp/bundles`,
		Args: takes("an example", 0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "nilderef"
			if len(args) == 1 {
				name = args[0]
			}
			return runDemo(cmd.Context(), &lineWriter{w: cmd.OutOrStdout()}, name, o)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			root, err := checkout()
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return exampleNames(root), cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.Flags().StringVar(&o.keep, "keep", "", "keep the bundle in this `directory`")
	cmd.MarkFlagDirname("keep")
	return cmd
}

func runDemo(ctx context.Context, out *lineWriter, name string, o demoOptions) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return &analyzer.Error{Err: platform.Unsupported("demo", ""), Hint: "corekit captures crashes on linux/amd64 so far"}
	}
	example, err := findExample(name)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "corekit-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	dir := filepath.Join(tmp, "bundles")
	if o.keep != "" {
		// The example runs elsewhere.
		if dir, err = filepath.Abs(o.keep); err != nil {
			return err
		}
	}
	app := filepath.Join(tmp, name)
	d := demo{ctx: ctx, out: out}
	d.step("Build examples/%s: a program whose main begins with sdk.Start(sdk.Config{})", name)
	if err := d.build(example, app); err != nil {
		return err
	}
	d.step("Run it. This is what it prints when it dies:")
	if err := d.crash(example, app, dir); err != nil {
		return err
	}
	path, err := newestBundle(dir)
	if err != nil {
		return err
	}
	d.step("It left one file, %s:", filepath.Base(path))
	if err := d.list(path); err != nil {
		return err
	}
	d.step("Any machine can read it: corekit analyze %s", filepath.Base(path))
	err = runAnalyze(ctx, out.w, path, analyzeOptions{color: o.color})
	if o.keep == "" && (err == nil || errors.Is(err, errPartial)) {
		d.step("The bundle is removed again; --keep DIR keeps it.")
	}
	return err
}

type demo struct {
	ctx context.Context
	out *lineWriter
}

func (d demo) step(format string, args ...any) {
	d.out.endLine()
	fmt.Fprintf(d.out, "\n== "+format+"\n\n", args...)
}

func (d demo) build(example, app string) error {
	cmd := exec.CommandContext(d.ctx, "go", "build", "-o", app, ".")
	cmd.Dir = example
	if msg, err := cmd.CombinedOutput(); err != nil {
		h := "demo needs the Go toolchain: https://go.dev/dl"
		if len(msg) > 0 {
			d.out.Write(msg)
			d.out.endLine()
			h = "cd " + example + " && go build ."
		}
		return &analyzer.Error{Err: fmt.Errorf("go build: %w", err), Hint: h}
	}
	return nil
}

// list prints the bundle's members and their sizes.
func (d demo) list(path string) error {
	b, err := bundle.Open(path)
	if err != nil {
		return err
	}
	defer b.Close()
	for _, name := range b.Names() {
		m, err := b.Open(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(d.out, "  %10s  %s\n", size(m.Size), name)
		m.Close()
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "  %10s  compressed\n", size(st.Size()))
	return nil
}

func size(n int64) string {
	switch {
	case n < 10<<10:
		return fmt.Sprintf("%d B", n)
	case n < 10<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	case n < 10<<30:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d GiB", n>>30)
}

func newestBundle(dir string) (string, error) {
	list, err := (bundle.Store{Dir: dir}).List()
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return "", &analyzer.Error{
			Err:  errors.New("the example crashed, but left no bundle"),
			Hint: "the line above that begins with \"corekit:\" says why",
		}
	}
	return list[0].Path, nil
}
