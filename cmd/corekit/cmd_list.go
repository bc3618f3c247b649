package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/corekit/corekit/analyzer"
	"github.com/corekit/corekit/sdk/bundle"
	"github.com/spf13/cobra"
)

type listOptions struct {
	dir  string
	json bool
}

func newList() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list [flags]",
		Short: "List the bundles in the store, the newest first",
		Long: `List prints the bundles in the store, the newest first: name, size, and when
the program crashed. It goes by the names of the files and opens none.

The store is --dir, else $COREKIT_DIR, else the directory that programs use by
default.`,
		Example: `  corekit list
  corekit list --dir /crash
  corekit list --json | jq -r '.bundles[].path'`,
		Args: takes("no argument", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runList(cmd.OutOrStdout(), cmd.ErrOrStderr(), o)
		},
	}
	addDir(cmd, &o.dir)
	cmd.Flags().BoolVar(&o.json, "json", false, "print the list as JSON")
	return cmd
}

// listJSON is the output of "corekit list --json".
type listJSON struct {
	Schema  int          `json:"schema"`
	Dir     string       `json:"dir"`
	Bundles []bundleJSON `json:"bundles"`
}

type bundleJSON struct {
	Name string    `json:"name"` // what other verbs take
	Path string    `json:"path"`
	Exe  string    `json:"exe"`
	PID  int       `json:"pid"`
	Time time.Time `json:"time"`
	Size int64     `json:"size"`
}

func runList(out, notes io.Writer, o listOptions) error {
	store, err := openStore(o.dir)
	if err != nil {
		return err
	}
	list, err := store.List()
	if err != nil {
		return &analyzer.Error{Err: err, Hint: "ls -ld " + quote(store.Dir)}
	}
	if o.json {
		return writeListJSON(out, store.Dir, list)
	}
	if len(list) == 0 {
		fmt.Fprintf(notes, "no bundle in %s\n", oneLine(store.Dir))
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, e := range list {
		fmt.Fprintf(w, "%s\t%10s\t%s\n", stem(e.File), size(e.Size), e.Time.Local().Format("2006-01-02 15:04:05 MST"))
	}
	return w.Flush()
}

func writeListJSON(out io.Writer, dir string, list []bundle.Entry) error {
	doc := listJSON{Schema: 1, Dir: dir, Bundles: []bundleJSON{}}
	for _, e := range list {
		doc.Bundles = append(doc.Bundles, bundleJSON{stem(e.File), e.Path, e.Name, e.PID, e.Time, e.Size})
	}
	return writeJSON(out, doc)
}

// writeJSON writes v as all verbs write JSON: indented, without HTML's escapes.
func writeJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
