//go:build linux && amd64

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// bin is the directory of what is built for the tests.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "corekit-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Other users run what is in it.
	os.Chmod(dir, 0o755)
	bin = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

var (
	builtMu sync.Mutex
	built   = map[string]error{}
)

// build builds a package of this module once, with flags, and returns the
// executable's path.
func build(t testing.TB, pkg string, flags ...string) string {
	t.Helper()
	builtMu.Lock()
	defer builtMu.Unlock()
	out := filepath.Join(bin, fmt.Sprintf("%s%d", filepath.Base(pkg), len(fmt.Sprint(flags))))
	if len(flags) == 0 {
		out = filepath.Join(bin, filepath.Base(pkg))
	}
	if err, ok := built[out]; ok {
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	args := append([]string{"build", "-o", out}, flags...)
	cmd := exec.Command("go", append(args, "github.com/corekit/corekit/"+pkg)...)
	msg, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build %s: %w\n%s", pkg, err, msg)
	}
	built[out] = err
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// need skips a test if a tool is not there, unless all have to be.
func need(t testing.TB, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// needRoot skips a test that only root can run.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can do this")
	}
}
