//go:build linux && amd64

package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/corekit/corekit/analyzer/report"
	"github.com/corekit/corekit/sdk/bundle"
	"golang.org/x/sys/unix"
)

// patience bounds how long any program here may take to die.
const patience = 90 * time.Second

// example is one of the programs in examples/, with what its first comment
// promises.
type example struct {
	name, frame, kind, message, signal, send string
	env                                      []string // to run it with
	cgo                                      bool
}

func examples(t testing.TB) []example {
	t.Helper()
	mains, err := filepath.Glob("../examples/*/main.go")
	if err != nil || len(mains) < 11 {
		t.Fatalf("%d examples found: %v", len(mains), err)
	}
	var out []example
	for _, path := range mains {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		get := func(key string) string {
			m := regexp.MustCompile(`(?m)^// ` + key + `: (.+)$`).FindSubmatch(src)
			if m == nil {
				return ""
			}
			return string(m[1])
		}
		e := example{
			name: filepath.Base(filepath.Dir(path)), frame: get("CRASH"), kind: get("KIND"),
			message: get("MESSAGE"), signal: get("SIGNAL"), send: get("SEND"), cgo: get("CGO") == "yes",
			env: strings.Fields(get("ENV")),
		}
		if e.frame == "" || e.kind == "" || e.message == "" {
			t.Errorf("%s does not say what to expect: %+v", path, e)
		}
		if n := bytes.Count(src, []byte("\n")); n > 60 {
			t.Errorf("%s has %d lines, want at most 60", path, n)
		}
		out = append(out, e)
	}
	return out
}

func exampleNamed(t testing.TB, name string) example {
	t.Helper()
	for _, e := range examples(t) {
		if e.name == name {
			return e
		}
	}
	t.Fatalf("no example %q", name)
	return example{}
}

// death is how a program ended.
type death struct {
	stderr string
	status int // exit status, or 128 + signal
	pid    int
	took   time.Duration
}

// spec says how to run a program to its death.
type spec struct {
	argv  []string
	env   []string
	dir   string // working directory
	send  string // signal to send when it prints "ready"
	store string // COREKIT_DIR
	ready func(pid int)
}

func (s spec) run(t testing.TB) death {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.argv[0], s.argv[1:]...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "COREKIT=on", "COREKIT_DIR="+s.store, "GOTRACEBACK=")
	cmd.Env = append(cmd.Env, s.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if s.send != "" || s.ready != nil {
		if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
			t.Fatalf("%v said %q, not that it is ready: %v", s.argv, line, err)
		}
		if s.ready != nil {
			s.ready(cmd.Process.Pid)
		}
		if s.send != "" {
			// Let it get to where it is to be found. The kernel would give a
			// signal of the process's to any thread; main runs in the first.
			time.Sleep(50 * time.Millisecond)
			if err := unix.Tgkill(cmd.Process.Pid, cmd.Process.Pid, signals[s.send]); err != nil {
				t.Fatal(err)
			}
		}
	}
	io.Copy(io.Discard, stdout)
	err = cmd.Wait()
	d := death{stderr: stderr.String(), pid: cmd.Process.Pid, took: time.Since(begin)}
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v\n%s", s.argv, errors.Join(ctx.Err(), err), d.stderr)
	}
	d.status = cmd.ProcessState.ExitCode()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		d.status = 128 + int(ws.Signal())
	}
	return d
}

var signals = map[string]syscall.Signal{"SIGABRT": syscall.SIGABRT, "SIGQUIT": syscall.SIGQUIT}

// bundles returns the paths of what is in a store.
func bundles(t testing.TB, dir string) []string {
	t.Helper()
	list, err := bundle.Store{Dir: dir}.List()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Path)
	}
	return out
}

// oneBundle returns the only bundle in a store, which holds no other file.
func oneBundle(t testing.TB, dir string, d death) string {
	t.Helper()
	list := bundles(t, dir)
	if len(list) != 1 {
		t.Fatalf("%d bundles, want 1; the program said:\n%s", len(list), d.stderr)
	}
	rest, _ := filepath.Glob(filepath.Join(dir, "*.partial"))
	if len(rest) > 0 {
		t.Errorf("left behind: %v", rest)
	}
	if !strings.Contains(d.stderr, "corekit: the crash was saved to "+list[0]) {
		t.Errorf("standard error does not name the bundle:\n%s", d.stderr)
	}
	return list[0]
}

// analyze runs "corekit analyze --json" and returns the report and the exit
// status.
func analyze(t testing.TB, args ...string) (report.Report, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, build(t, "cmd/corekit"), append([]string{"analyze", "--json"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var r report.Report
	if stdout.Len() > 0 {
		if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
			t.Fatalf("%v\n%s", err, stdout.String())
		}
	} else {
		t.Fatalf("no report; standard error:\n%s", stderr.String())
	}
	return r, cmd.ProcessState.ExitCode()
}
