//go:build linux && amd64

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/corekit/corekit/analyzer/report"
)

// captured runs the nilderef example in the given way and checks that there is
// a whole bundle which says so.
func captured(t *testing.T, s spec) {
	t.Helper()
	e := exampleNamed(t, "nilderef")
	d := s.run(t)
	if d.status != 2 {
		t.Errorf("exit status %d, want 2", d.status)
	}
	path := oneBundle(t, s.store, d)
	r, status := analyze(t, path)
	if status != 0 || !r.Capture.Complete {
		t.Errorf("exit status %d, capture %+v", status, r.Capture)
	}
	e.checkCrash(t, r)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("bundle has mode %v, want 0600: %v", st.Mode(), err)
	}
}

func TestNoCoreLimit(t *testing.T) {
	app := build(t, "examples/nilderef")
	captured(t, spec{argv: []string{"sh", "-c", "ulimit -H -c 0; exec " + app}, store: t.TempDir()})
}

func TestReadOnlyWorkingDirectory(t *testing.T) {
	app := build(t, "examples/nilderef")
	if os.Geteuid() == 0 {
		// Nothing stops root but a mount that is read-only.
		ns := need(t, "unshare")
		dir := t.TempDir()
		captured(t, spec{store: t.TempDir(), argv: []string{ns, "--mount", "sh", "-c",
			"mount -t tmpfs -o ro none " + dir + " && cd " + dir + " && ! touch x 2>/dev/null && exec " + app}})
		return
	}
	dir := filepath.Join(t.TempDir(), "ro")
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	captured(t, spec{argv: []string{app}, dir: dir, store: t.TempDir()})
}

func TestCorePatternNowhere(t *testing.T) {
	needRoot(t)
	app := build(t, "examples/nilderef")
	const file = "/proc/sys/kernel/core_pattern"
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"/nonexistent/dir/core", "|/nonexistent/handler %p"} {
		if err := os.WriteFile(file, []byte(pattern), 0); err != nil {
			t.Skipf("core_pattern cannot be set here: %v", err)
		}
		t.Cleanup(func() { os.WriteFile(file, old, 0) })
		captured(t, spec{argv: []string{app}, store: t.TempDir()})
	}
}

// TestPID1 runs the program as the init of a pid namespace, for which the
// kernel writes no core whatever the settings.
func TestPID1(t *testing.T) {
	ns := need(t, "unshare")
	app := build(t, "examples/nilderef")
	argv := []string{ns, "--pid", "--fork", "--mount-proc", app}
	if os.Geteuid() != 0 {
		argv = append([]string{ns, "--user", "--map-current-user"}, argv[1:]...)
		if exec.Command(argv[0], append(argv[1:len(argv)-1], "true")...).Run() != nil {
			t.Skip("user namespaces are not allowed here")
		}
	}
	store := t.TempDir()
	captured(t, spec{argv: argv, store: store})
	if base := filepath.Base(bundles(t, store)[0]); !strings.HasSuffix(base, "-1.tar.gz") {
		t.Errorf("%s is not of process 1", base)
	}
}

// nobody returns the words before a command that run it as a user without any
// privilege, and a store that this user may write to.
func nobody(t *testing.T) (prefix []string, store string) {
	t.Helper()
	needRoot(t)
	store = t.TempDir()
	for dir := store; dir != filepath.Dir(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err == nil && st.Mode().Perm()&0o5 != 0o5 {
			os.Chmod(dir, 0o755)
		}
	}
	if err := os.Chown(store, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	return []string{need(t, "setpriv"), "--reuid", "65534", "--regid", "65534", "--clear-groups",
		"--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"}, store
}

func TestOrdinaryUser(t *testing.T) {
	prefix, store := nobody(t)
	captured(t, spec{store: store, argv: append(prefix, build(t, "examples/nilderef"))})
}

// TestNoPtrace runs a program that nobody but root may trace: what is left is
// the runtime's text and the executable.
func TestNoPtrace(t *testing.T) {
	prefix, store := nobody(t)
	argv := append(prefix, build(t, sleeper), "undumpable")
	t.Run("process", func(t *testing.T) {
		r := textOnly(t, spec{store: store, argv: argv})
		if r.Crash == nil || r.Crash.Kind != "panic" || r.Crash.Message != "that was it" || r.Crash.Frame == nil || r.Crash.Frame.Function != "main.main" {
			t.Errorf("crash %+v", r.Crash)
		}
	})
	t.Run("pid1", func(t *testing.T) {
		store := filepath.Join(store, "pid1")
		r := textOnly(t, spec{store: store, argv: append([]string{need(t, "unshare"), "--pid", "--fork", "--mount-proc"}, argv...)})
		if r.Crash == nil || r.Crash.Kind != "panic" || r.Crash.Message != "that was it" {
			t.Errorf("crash %+v", r.Crash)
		}
	})
}

func textOnly(t *testing.T, s spec) report.Report {
	t.Helper()
	s.ready = func(int) {}
	d := s.run(t)
	// Nothing holds this program: it may be gone before its bundle is there.
	var list []string
	for deadline := time.Now().Add(5 * time.Second); len(list) == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		list = bundles(t, s.store)
	}
	if len(list) != 1 {
		t.Fatalf("%d bundles, want 1; the program said:\n%s", len(list), d.stderr)
	}
	r, status := analyze(t, list[0])
	if status != 3 || r.Capture.Method != "text" || r.Capture.Complete || len(r.Capture.Missing) == 0 {
		t.Errorf("exit status %d, capture %+v", status, r.Capture)
	}
	return r
}
