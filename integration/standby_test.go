//go:build linux && amd64

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// burdened returns a program one of whose packages writes to a file each time
// it is initialised, and in a monitor does the given act.
func burdened(t *testing.T, act string) (app, log string) {
	t.Helper()
	const before = module + "integration/testdata/before."
	log = filepath.Join(t.TempDir(), "log")
	app = filepath.Join(t.TempDir(), "burdened")
	msg, err := exec.Command("go", "build", "-ldflags", "-X "+before+"log="+log+" -X "+before+"act="+act,
		"-o", app, module+"integration/testdata/burdened").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, msg)
	}
	return app, log
}

// TestProgramIsInitialisedOnce makes sure that a program's packages are not
// initialised in its guard, and in its monitor only when it crashes.
func TestProgramIsInitialisedOnce(t *testing.T) {
	app, log := burdened(t, "")
	const once = "burdened NEEDED=yes\n"
	store := t.TempDir()
	for _, c := range []struct{ arg, want string }{
		{"exit", once},
		{"panic", once + once + "corekit-monitor NEEDED=yes\n"},
	} {
		d := spec{argv: []string{app, c.arg}, store: store, env: []string{"NEEDED=yes"}}.run(t)
		if s := strays("burdened"); len(s) > 0 {
			t.Errorf("left running: %v", s)
		}
		if b, err := os.ReadFile(log); string(b) != c.want {
			t.Errorf("%s: initialised by\n%swant\n%s%v", c.arg, b, c.want, err)
		}
		if c.arg == "panic" {
			oneBundle(t, store, d)
		}
	}
}

// TestProgramCannotBeInitialised crashes programs with a package that ends the
// monitor, or keeps it from its work for ever.
func TestProgramCannotBeInitialised(t *testing.T) {
	for act, line := range map[string]string{
		"exit":    "failed with status 0, the last of 3",
		"forever": "the crash was not saved within 500ms; the program is let go",
	} {
		t.Run(act, func(t *testing.T) {
			app, _ := burdened(t, act)
			d := spec{argv: []string{app}, store: t.TempDir(), dir: t.TempDir(), env: []string{"COREKIT_MAX_HOLD=500ms"}}.run(t)
			onlyLine(t, d, line)
			if d.took > 5*time.Second || !strings.HasPrefix(d.stderr, "panic: that was it") {
				t.Errorf("after %v, standard error:\n%s", d.took, d.stderr)
			}
		})
	}
}

// TestCLibrary arms a library of a C program, whose main must not run again.
func TestCLibrary(t *testing.T) {
	cc := need(t, "cc")
	src, err := os.ReadFile("testdata/library/host.c.txt")
	if err != nil {
		t.Fatal(err)
	}
	for mode, flags := range map[string][]string{"c-archive": nil, "c-shared": {"-DLOAD"}} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			host, lib, app, log := filepath.Join(dir, "host.c"), filepath.Join(dir, "lib.a"), filepath.Join(dir, "chost"), filepath.Join(dir, "log")
			if err := os.WriteFile(host, src, 0o600); err != nil {
				t.Fatal(err)
			}
			build := exec.Command("go", "build", "-buildmode="+mode, "-o", lib, module+"integration/testdata/library")
			build.Env = append(os.Environ(), "CGO_ENABLED=1")
			if msg, err := build.CombinedOutput(); err != nil {
				t.Fatalf("go build: %v\n%s", err, msg)
			}
			args := append(flags, "-DLOG=\""+log+"\"", "-o", app, host)
			if mode == "c-archive" {
				args = append(args, lib)
			}
			if msg, err := exec.Command(cc, append(args, "-lpthread", "-ldl")...).CombinedOutput(); err != nil {
				t.Fatalf("cc: %v\n%s", err, msg)
			}
			d := spec{argv: []string{app, lib}, store: t.TempDir()}.run(t)
			onlyLine(t, d, "this program's main is not Go's")
			if b, err := os.ReadFile(log); d.status != 0 || strings.Count(string(b), "main ran") != 1 {
				t.Errorf("exit status %d, %s%v", d.status, b, err)
			}
		})
	}
}
