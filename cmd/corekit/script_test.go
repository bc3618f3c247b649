package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// fixtures is where the crashes are that scripts work on.
var fixtures string

func TestMain(m *testing.M) {
	testscript.Main(withFixtures{m}, map[string]func(){
		"corekit": func() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

type withFixtures struct{ m *testing.M }

func (w withFixtures) Run() int {
	dir, err := os.MkdirTemp("", "corekit-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	fixtures = dir
	return w.m.Run()
}

// TestScript runs the scripts in testdata/script: one behaviour each. Beside
// testscript's own commands there are
//
//	status N COMMAND…     run it, and check its exit status
//	sound COMMAND…        run it: a report, a partial one, or an error with a hint
//	keys FILE             check the keys of the JSON on standard output
//	columns N             check that no line on standard output is longer
//
// and those of crashCommands, which crash programs and damage what they leave.
func TestScript(t *testing.T) {
	cmds := map[string]func(*testscript.TestScript, bool, []string){
		"status":  cmdStatus,
		"sound":   cmdSound,
		"keys":    cmdKeys,
		"columns": cmdColumns,
	}
	for name, f := range crashCommands {
		cmds[name] = f
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Cmds:                cmds,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Condition: func(cond string) (bool, error) {
			if tool, ok := strings.CutPrefix(cond, "tool:"); ok {
				_, err := exec.LookPath(tool)
				return err == nil, unlessRequired(err)
			}
			switch cond {
			case "crashes": // programs can be crashed and captured here
				return runtime.GOOS == "linux" && runtime.GOARCH == "amd64", nil
			case "kernelcore":
				return kernelCore()
			case "root":
				return os.Geteuid() == 0, nil
			}
			return false, errors.New("unknown condition")
		},
		Setup: func(env *testscript.Env) error {
			// The Go tool needs them to build what is to crash.
			for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY"} {
				out, err := exec.Command("go", "env", name).Output()
				if err != nil {
					return err
				}
				env.Setenv(name, strings.TrimSpace(string(out)))
			}
			// No script looks at the store of whoever runs it.
			env.Setenv("COREKIT_DIR", filepath.Join(env.WorkDir, "store"))
			return nil
		},
	})
}

// exitCode runs a command and returns its exit status.
func exitCode(ts *testscript.TestScript, args []string) int {
	if len(args) == 0 {
		ts.Fatalf("what is to be run?")
	}
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v: %v", args, err)
	}
	if exit != nil {
		return exit.ExitCode()
	}
	return 0
}

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitCode(ts, args[1:]); got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// cmdSound runs a command on damaged input.
func cmdSound(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("sound cannot be negated")
	}
	code := exitCode(ts, args)
	if problem := unsound(code, ts.ReadFile("stdout"), ts.ReadFile("stderr")); problem != "" {
		ts.Fatalf("exit status %d: %s", code, problem)
	}
}

// unsound says what is wrong with an outcome, "" if nothing is.
func unsound(code int, stdout, stderr string) string {
	if strings.Contains(stderr, "panic:") || strings.Contains(stderr, "goroutine ") {
		return "corekit crashed"
	}
	if strings.Contains(stdout+stderr, "a bug in corekit") {
		return "corekit would have crashed"
	}
	said := strings.Contains(stderr, "corekit: error: ") && strings.Contains(stderr, "corekit: hint: ")
	warned := strings.Contains(stdout, "warning: ")
	switch {
	case code == exitOK && stdout != "" && stderr == "":
	case code == exitPartial && warned && stderr == "":
	case code == exitFailure && said && stdout == "":
	default:
		return "neither a report nor an error with a hint"
	}
	return ""
}

// cmdKeys compares the keys of the JSON on standard output with a file that
// lists them: a.b for a field, a[] for an element; those that end in ? may be
// missing.
func cmdKeys(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keys FILE")
	}
	var doc any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &doc))
	got := map[string]bool{}
	collect(got, "", doc)
	bad := false
	known := strings.Fields(ts.ReadFile(args[0]))
	for _, k := range known {
		name, optional := strings.CutSuffix(k, "?")
		if !got[name] && !optional {
			ts.Logf("no %s", name)
			bad = true
		}
		delete(got, name)
	}
	for k := range got {
		ts.Logf("unexpected %s", k)
		bad = true
	}
	if bad {
		ts.Fatalf("the keys differ")
	}
}

func collect(keys map[string]bool, prefix string, v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			collect(keys, prefix+"[]", e)
		}
	case map[string]any:
		for k, e := range v {
			name := strings.TrimPrefix(prefix+"."+k, ".")
			keys[name] = true
			collect(keys, name, e)
		}
	}
}

func cmdColumns(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: columns N")
	}
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > most {
			ts.Fatalf("%d columns: %s", n, line)
		}
	}
}

// unlessRequired forgives what a machine lacks, unless no test may be skipped.
func unlessRequired(err error) error {
	if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
		return err
	}
	return nil
}

func TestUnsound(t *testing.T) {
	hinted := "corekit: error: x\ncorekit: hint: y\n"
	for _, tt := range []struct {
		code           int
		stdout, stderr string
		sound          bool
	}{
		{0, "report", "", true},
		{3, "report\nwarning: cut off", "", true},
		{1, "", hinted, true},
		{3, "report", "", false},
		{1, "", "corekit: error: x\n", false},
		{2, "", "panic: x\n\ngoroutine 1 [running]:\n", false},
		{3, "warning: a bug in corekit", "", false},
		{10, "", hinted, false},
	} {
		if got := unsound(tt.code, tt.stdout, tt.stderr); (got == "") != tt.sound {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
