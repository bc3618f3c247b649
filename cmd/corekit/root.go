package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const rootHelp = `corekit finds out why a Go program died: from the bundle that the program left
because it calls sdk.Start, or from a core file.

  corekit demo                        crash a program and see what comes of it
  corekit analyze BUNDLE              say why it crashed, and where
  corekit analyze --exe PROGRAM CORE  the same for a bare core file`

const helpTemplate = `{{with (or .Long .Short)}}{{.}}

{{end}}{{.UsageString}}
` + exitHelp

const usageTemplate = `Usage:
  {{if .HasParent}}{{.UseLine}}{{else}}corekit VERB [flags]

Verbs:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}

Flags:
{{.Flags.FlagUsages | trimTrailingWhitespaces}}{{if not .HasParent}}

"corekit help VERB" says more about a verb.{{end}}
`

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	color := colorAuto
	root := &cobra.Command{
		Use:               "corekit",
		Short:             "Find out why a Go program died",
		Long:              rootHelp,
		Version:           versionLine(),
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownVerb(cmd, args[0])
			}
			return nil
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetHelpTemplate(helpTemplate)
	root.SetUsageTemplate(usageTemplate)
	root.SetVersionTemplate("{{.Version}}\n")
	root.PersistentFlags().Var(&color, "color", "use colors: auto, always or never")
	root.RegisterFlagCompletionFunc("color", cobra.FixedCompletions(
		[]string{string(colorAuto), string(colorAlways), string(colorNever)}, cobra.ShellCompDirectiveNoFileComp))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		// Flags are looked at before it turns out that their verb is unknown.
		if args := cmd.Flags().Args(); !cmd.HasParent() && len(args) > 0 {
			return unknownVerb(cmd, args[0])
		}
		return usageError{err, cmd.CommandPath() + " --help"}
	})
	root.SuggestionsMinimumDistance = 2
	root.SetHelpCommand(newHelp())
	root.AddCommand(newAnalyze(&color), newCompletion(), newDemo(&color), newExtract(), newList(), newPrune(), newShow(),
		newVerify(), newVersion())
	return root
}

func unknownVerb(root *cobra.Command, name string) error {
	err := usageError{fmt.Errorf("unknown verb %q", name), "corekit help"}
	if s := root.SuggestionsFor(name); len(s) > 0 {
		err.error = fmt.Errorf("%w; did you mean %q?", err.error, s[0])
		err.hint = "corekit help " + s[0]
	}
	return err
}

// takes checks the number of arguments. What they are is for the message.
func takes(what string, atLeast, atMost int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		var err error
		switch n := len(args); {
		case n < atLeast:
			err = fmt.Errorf("%s takes %s", cmd.Name(), what)
		case n > atMost && atMost == 0:
			err = fmt.Errorf("%s takes no argument, not %q", cmd.Name(), args[0])
		case n > atMost:
			err = fmt.Errorf("%s takes %s, and one only: %s", cmd.Name(), what, strings.Join(args, " "))
		default:
			return nil
		}
		return usageError{err, cmd.CommandPath() + " --help"}
	}
}

// colorMode is the value of --color.
type colorMode string

const (
	colorAuto   colorMode = "auto"
	colorAlways colorMode = "always"
	colorNever  colorMode = "never"
)

func (c *colorMode) String() string { return string(*c) }
func (c *colorMode) Type() string   { return "when" }

func (c *colorMode) Set(s string) error {
	switch m := colorMode(s); m {
	case colorAuto, colorAlways, colorNever:
		*c = m
		return nil
	}
	return fmt.Errorf("want auto, always or never")
}

// on decides once whether to colour what is written to w (https://no-color.org).
func (c colorMode) on(w io.Writer) bool {
	switch c {
	case colorAlways:
		return true
	case colorNever:
		return false
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width returns the terminal's width in columns, 0 if w is none.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			return n
		}
	}
	return 0
}
