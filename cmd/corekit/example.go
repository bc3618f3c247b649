package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/corekit/corekit/analyzer"
)

// checkout returns the root of the checkout of corekit that the working
// directory is in, or else of the one that this program was built from.
func checkout() (string, error) {
	var roots []string
	if dir, err := os.Getwd(); err == nil {
		for ; ; dir = filepath.Dir(dir) {
			roots = append(roots, dir)
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	if _, file, _, ok := runtime.Caller(0); ok {
		roots = append(roots, filepath.Join(filepath.Dir(file), "..", ".."))
	}
	for _, root := range roots {
		mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module github.com/corekit/corekit\n") {
			return root, nil
		}
	}
	return "", &analyzer.Error{
		Err:  errors.New("no checkout of corekit around the working directory"),
		Hint: "git clone https://github.com/corekit/corekit && cd corekit && go run ./cmd/corekit demo",
	}
}

// findExample returns the directory of an example.
func findExample(name string) (string, error) {
	root, err := checkout()
	if err != nil {
		return "", err
	}
	names := exampleNames(root)
	if !slices.Contains(names, name) {
		return "", usageError{
			fmt.Errorf("no example %q; there are %s", name, strings.Join(names, ", ")), "corekit demo nilderef",
		}
	}
	return filepath.Join(root, "examples", name), nil
}

func exampleNames(root string) (names []string) {
	mains, _ := filepath.Glob(filepath.Join(root, "examples", "*", "main.go"))
	for _, m := range mains {
		names = append(names, filepath.Base(filepath.Dir(m)))
	}
	return names
}

// What an example's first comment asks for: a signal to be sent to it, and
// variables to run with.
var (
	sendLine = regexp.MustCompile(`(?m)^// SEND: (SIG[A-Z]+)`)
	envLine  = regexp.MustCompile(`(?m)^// ENV: (\S+)`)
)

// crash runs the example until it dies. An example that waits for a signal
// says so in its first comment, and on standard output when it is ready.
func (d demo) crash(example, app, dir string) error {
	src, err := os.ReadFile(filepath.Join(example, "main.go"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(d.ctx, demoPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, app)
	cmd.Dir = filepath.Dir(app)
	cmd.Env = append(os.Environ(), "COREKIT=on", "COREKIT_DIR="+dir)
	if m := envLine.FindSubmatch(src); m != nil {
		cmd.Env = append(cmd.Env, string(m[1]))
	}
	cmd.Stderr = d.out
	cmd.WaitDelay = 5 * time.Second // the monitor may hold standard error open a moment longer
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if m := sendLine.FindSubmatch(src); m != nil {
		bufio.NewReader(stdout).ReadString('\n')
		cmd.Process.Signal(signals[string(m[1])])
	}
	io.Copy(d.out, stdout)
	err = cmd.Wait()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("the example did not crash: %w", errors.Join(ctx.Err(), err))
	}
	d.out.endLine() // a program that is ended while it prints leaves half a line
	fmt.Fprintf(d.out, "(%s)\n", cmd.ProcessState)
	return nil
}

var signals = map[string]os.Signal{"SIGABRT": syscall.SIGABRT, "SIGQUIT": syscall.SIGQUIT}
