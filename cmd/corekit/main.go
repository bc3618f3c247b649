// Command corekit explains why a Go program died: it analyses the bundles that
// package sdk leaves, and core files.
//
// Run "corekit help" for the verbs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"

	"github.com/corekit/corekit/analyzer"
)

// Exit statuses, for every verb.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitPartial     = 3
	exitUnsupported = 4
	exitNotFound    = 10
	exitInterrupted = 130
)

const exitHelp = `
Exit status:
  0    success
  1    failure
  2    wrong usage
  3    partial result: something is missing, and the output says what
  4    not supported on this system
  10   not found
  130  interrupted
`

// usageError is a command line that makes no sense.
type usageError struct{ error }

// errPartial asks for the exit status of a partial result; the output has said
// what is missing.
var errPartial = errors.New("partial result")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root := newRoot(os.Stdout, os.Stderr)
	err := root.ExecuteContext(ctx)
	status := exitStatus(ctx, err)
	if err != nil && err != errPartial && status != exitInterrupted {
		complain(err)
	}
	os.Exit(status)
}

func complain(err error) {
	fmt.Fprintf(os.Stderr, "corekit: error: %s\n", oneLine(err.Error()))
	var e *analyzer.Error
	if errors.As(err, &e) && e.Hint != "" {
		fmt.Fprintf(os.Stderr, "corekit: hint: %s\n", e.Hint)
	}
	var u usageError
	if errors.As(err, &u) {
		fmt.Fprintln(os.Stderr, "corekit: hint: corekit help")
	}
}

// oneLine keeps what comes out of a hostile file from writing to the terminal
// as it likes.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

func exitStatus(ctx context.Context, err error) int {
	var u usageError
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		return exitInterrupted
	case err == errPartial:
		return exitPartial
	case errors.As(err, &u):
		return exitUsage
	case errors.Is(err, fs.ErrNotExist):
		return exitNotFound
	case errors.Is(err, errors.ErrUnsupported):
		return exitUnsupported
	}
	return exitFailure
}
