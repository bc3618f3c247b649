package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/corekit/corekit/sdk/bundle"
	"github.com/spf13/cobra"
)

type showOptions struct {
	dir  string
	json bool
}

func newShow() *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   "show [flags] BUNDLE",
		Short: "Print what is in a bundle, and what is missing",
		Long: `Show prints the manifest of a bundle: which program it was, when and how it was
captured. Then come the members with their sizes, and what is missing and why.
It does not look at the crash itself; "corekit analyze" does.` + bundleHelp,
		Example: `  corekit show latest
  corekit show server-2026
  corekit show --json latest | jq .go_version`,
		Args:              takes("a bundle", 1, 1),
		ValidArgsFunction: completeBundles(&o.dir, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runShow(cmd.OutOrStdout(), args[0], o)
		},
	}
	addDir(cmd, &o.dir)
	cmd.Flags().BoolVar(&o.json, "json", false, "print the manifest as JSON")
	return cmd
}

func runShow(out io.Writer, object string, o showOptions) error {
	b, err := openBundle(o.dir, object)
	if err != nil {
		return err
	}
	defer b.Close()
	if o.json {
		err = showJSON(out, b)
	} else {
		err = showText(out, b)
	}
	if err == nil && (b.Truncated() || !b.Manifest.Complete) {
		return errPartial
	}
	return err
}

// maxManifest is more than package bundle opens.
const maxManifest = 1 << 20

// showJSON prints the manifest as it is, with what a newer version may have put
// into it, but for the space that was kept for its growth.
func showJSON(out io.Writer, b *bundle.Bundle) error {
	text, err := b.ReadFile(bundle.ManifestName, maxManifest)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := json.Indent(&buf, bytes.TrimSpace(text), "", "  "); err != nil {
		return fmt.Errorf("%s: %w", bundle.ManifestName, err)
	}
	buf.WriteByte('\n')
	_, err = buf.WriteTo(out)
	return err
}

// showText writes everything at once: an error of out is the same for all lines.
func showText(out io.Writer, b *bundle.Bundle) error {
	var buf bytes.Buffer
	showManifest(&buf, &b.Manifest)
	if err := showMembers(&buf, b); err != nil {
		return err
	}
	for i, m := range b.Manifest.Missing {
		if i == 0 {
			fmt.Fprint(&buf, "\nmissing\n")
		}
		fmt.Fprintf(&buf, "  %s: %s\n", oneLine(m.What), oneLine(m.Why))
	}
	switch {
	case b.Manifest.Reason == bundle.ReasonInProgress:
		fmt.Fprint(&buf, "\nwarning: the bundle was never finished; this is what there is\n")
	case b.Truncated():
		fmt.Fprint(&buf, "\nwarning: the bundle is cut off or damaged; this is what there is\n")
	case !b.Manifest.Complete && len(b.Manifest.Missing) == 0:
		fmt.Fprint(&buf, "\nwarning: the bundle is not complete, and does not say why\n")
	}
	_, err := buf.WriteTo(out)
	return err
}

// showManifest prints what is known, a line each.
func showManifest(w io.Writer, m *bundle.Manifest) {
	field := func(name string, parts ...string) {
		if s := strings.Join(nonEmpty(parts), ", "); s != "" {
			fmt.Fprintf(w, "%-10s %s\n", name, oneLine(s))
		}
	}
	field("program", cmp.Or(m.ExePath, m.Name))
	field("module", m.MainModule, label("revision", m.VCSRevision))
	field("build", m.GoVersion, label("build ID", m.BuildID))
	field("system", strings.Trim(m.OS+"/"+m.Arch, "/"), m.Kernel)
	field("host", m.Hostname)
	pid1 := ""
	if m.ContainerPID1 {
		pid1 = "PID 1 of a container"
	}
	field("process", number("PID", m.PID), number("parent", m.PPID), fmt.Sprintf("user %d, group %d", m.UID, m.GID),
		number("threads", m.Threads), pid1)
	field("args", quoteAll(m.Args))
	for _, e := range m.Env {
		field("env", e)
	}
	if !m.Time.IsZero() {
		field("captured", m.Time.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	held := ""
	if m.HeldMS > 0 {
		held = "held for " + (time.Duration(m.HeldMS) * time.Millisecond).String()
	}
	field("how", m.Reason, label("by", string(m.Method)), held)
	if m.Core.Size > 0 {
		field("core", size(m.Core.Stored)+" of memory", number("crashed in thread", m.Core.TID))
	}
	field("corekit", m.CorekitVersion)
}

// showMembers prints the members that there are, with their sizes.
func showMembers(w io.Writer, b *bundle.Bundle) error {
	fmt.Fprint(w, "\nmembers\n")
	for _, name := range b.Names() {
		m, err := b.Open(name)
		if err != nil {
			return err
		}
		cut := ""
		if m.Available < m.Size {
			cut = fmt.Sprintf("  cut off after %s", size(m.Available))
		}
		fmt.Fprintf(w, "  %10s  %s%s\n", size(m.Size), oneLine(name), cut)
		m.Close()
	}
	st, err := os.Stat(b.Path())
	if err != nil {
		return err
	}
	if !st.IsDir() {
		fmt.Fprintf(w, "  %10s  %s\n", size(st.Size()), oneLine(b.Path()))
	}
	return nil
}

func label(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value
}

func number(name string, n int) string {
	if n == 0 {
		return ""
	}
	return name + " " + strconv.Itoa(n)
}

func nonEmpty(all []string) (some []string) {
	for _, s := range all {
		if s != "" {
			some = append(some, s)
		}
	}
	return some
}

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}
