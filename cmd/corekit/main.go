// Command corekit explains why a Go program died: it analyses the bundles that
// package sdk leaves, and core files.
//
// Run "corekit help" for the verbs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode"

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

const exitHelp = `Exit status:
  0    success
  1    failure
  2    wrong usage
  3    partial result: something is missing, and the output says what
  4    not supported on this system
  10   not found
  130  interrupted
`

// usageError is a command line that makes no sense, and what to run to learn
// of one that does.
type usageError struct {
	error
	hint string
}

// errPartial asks for the exit status of a partial result; the output has said
// what is missing.
var errPartial = errors.New("partial result")

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// grace is how long a verb that was interrupted may clean up. A second signal
// does not wait.
const grace = 5 * time.Second

// run is the whole program but for its end. It returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(grace):
			err = ctx.Err()
		}
	}
	status := exitStatus(ctx, err)
	if err != nil && err != errPartial && status != exitInterrupted {
		complain(stderr, err)
	}
	return status
}

func complain(w io.Writer, err error) {
	fmt.Fprintf(w, "corekit: error: %s\n", oneLine(err.Error()))
	var e *analyzer.Error
	var u usageError
	switch {
	case errors.As(err, &u):
		fmt.Fprintf(w, "corekit: hint: %s\n", oneLine(u.hint))
	case errors.As(err, &e) && e.Hint != "":
		fmt.Fprintf(w, "corekit: hint: %s\n", oneLine(e.Hint))
	}
}

// oneLine keeps what comes out of a hostile file from writing to the terminal
// as it likes.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
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
