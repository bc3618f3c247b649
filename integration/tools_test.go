//go:build linux && amd64

package integration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unpacked returns the directory that tar makes of a bundle of an example, and
// the paths of executable and core in it.
func unpacked(t *testing.T, name string) (dir, exe, core string) {
	t.Helper()
	need(t, "tar")
	app := build(t, "examples/"+name)
	store := t.TempDir()
	d := spec{argv: []string{app}, store: store}.run(t)
	path := oneBundle(t, store, d)
	to := t.TempDir()
	tool(t, to, "tar", "xzf", path)
	dir = filepath.Join(to, strings.TrimSuffix(filepath.Base(path), ".tar.gz"))
	return dir, filepath.Join(dir, app), filepath.Join(dir, "core")
}

// tool runs a program and returns what it printed, all of it.
func tool(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	need(t, argv[0])
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	// Debuggers are not to ask the network.
	cmd.Env = append(os.Environ(), "DEBUGINFOD_URLS=", "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

func TestChecksums(t *testing.T) {
	dir, _, _ := unpacked(t, "nilderef")
	out := tool(t, dir, "sha256sum", "-c", "SHA256SUMS")
	for _, name := range []string{"manifest.json: OK", "core: OK", "traceback.txt: OK", "nilderef: OK"} {
		if !strings.Contains(out, name) {
			t.Errorf("%q is not in\n%s", name, out)
		}
	}
}

func TestGDB(t *testing.T) {
	_, exe, core := unpacked(t, "nilderef")
	out := tool(t, "/", "gdb", "-batch", "-nx", "-ex", "info threads", "-ex", "bt", exe, core)
	// gdb does not know how Go leaves the system stack; up to there it must get.
	for _, want := range []string{"Program terminated with signal SIGABRT", "* 1 ", "runtime.write1", "runtime.printpanics", "runtime.fatalpanic.func1", "runtime.systemstack"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "truncated") || strings.Contains(out, "Cannot access memory") {
		t.Errorf("gdb does not like the core:\n%s", out)
	}
}

func TestDelve(t *testing.T) {
	_, exe, core := unpacked(t, "manygoroutines")
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("threads\ngoroutines -with user -group userloc -l 3\nbt 30\nexit\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := tool(t, "/", "dlv", "core", exe, core, "--allow-non-terminal-interactive", "--init", script)
	for _, want := range []string{"runtime.write1", "runtime.gopanic", exampleNamed(t, "manygoroutines").frame} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestReadelf(t *testing.T) {
	for _, name := range []string{"readelf", "eu-readelf"} {
		need(t, name)
	}
	_, _, core := unpacked(t, "nilderef")
	out := tool(t, "/", "readelf", "-nW", core)
	for _, want := range []string{"NT_PRSTATUS", "NT_PRPSINFO", "NT_SIGINFO", "NT_AUXV", "NT_FILE", "NT_FPREGSET", "NT_X86_XSTATE"} {
		if !strings.Contains(out, want) {
			t.Errorf("readelf -n shows no %s:\n%s", want, out)
		}
	}
	if i, j := strings.Index(out, "NT_PRSTATUS"), strings.Index(out, "NT_PRPSINFO"); i > j {
		t.Error("NT_PRSTATUS does not come first")
	}
	out = tool(t, "/", "eu-readelf", "-n", core)
	for _, want := range []string{"SIGINFO", "si_signo: 6", "fname: nilderef", "nilderef"} {
		if !strings.Contains(out, want) {
			t.Errorf("eu-readelf -n shows no %q:\n%s", want, out)
		}
	}
}
