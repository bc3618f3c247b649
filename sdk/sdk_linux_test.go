package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The tests start this binary again, as Start is for the life of a process.
func TestMain(m *testing.M) {
	switch os.Getenv("COREKIT_TEST_CHILD") {
	case "facts":
		facts()
	case "panic":
		Start(Config{})
		panic("child")
	default:
		os.Exit(m.Run())
	}
}

// childFacts is what a child says of itself.
type childFacts struct {
	Goroutines [2]int // before and after Start
	FDs        [2]int
	Mode       string
	Err        string
	Off        bool
	Steps      []string
	Took       time.Duration
}

func facts() {
	count := func() (int, int) {
		fds, _ := os.ReadDir("/proc/self/fd")
		n := 0
		for _, fd := range fds {
			// The runtime's poller comes with the first file that is opened.
			if link, _ := os.Readlink("/proc/self/fd/" + fd.Name()); !strings.HasPrefix(link, "anon_inode:[event") {
				n++
			}
		}
		return runtime.NumGoroutine(), n
	}
	var f childFacts
	f.Goroutines[0], f.FDs[0] = count()
	begin := time.Now()
	r := Start(Config{})
	f.Took = time.Since(begin)
	f.Goroutines[1], f.FDs[1] = count()
	f.Mode = r.Mode()
	if err := r.Err(); err != nil {
		f.Err, f.Off = err.Error(), errors.Is(err, ErrOff)
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				var arm *ArmError
				if errors.As(e, &arm) {
					f.Steps = append(f.Steps, arm.Step)
				}
			}
		}
	}
	json.NewEncoder(os.Stdout).Encode(f)
	os.Exit(0)
}

// child runs this binary again and returns what it says of itself and what it
// prints to standard error.
func child(t *testing.T, env ...string) (f childFacts, stderr string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append([]string{"COREKIT_TEST_CHILD=facts", "COREKIT=on"}, env...)...)
	var errText strings.Builder
	cmd.Stderr = &errText
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errText.String())
	}
	if err := json.Unmarshal(out, &f); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return f, errText.String()
}

// TestStartLeavesNoTrace checks what Start may not do to its program: leave a
// goroutine behind, or more descriptors than the one that the runtime writes
// its crash text to.
func TestStartLeavesNoTrace(t *testing.T) {
	f, stderr := child(t, "COREKIT_DIR="+t.TempDir())
	if f.Mode != "monitor" || f.Err != "" || stderr != "" {
		t.Errorf("mode %q, error %q, standard error %q", f.Mode, f.Err, stderr)
	}
	if f.Goroutines[0] != f.Goroutines[1] {
		t.Errorf("%d goroutines before, %d after", f.Goroutines[0], f.Goroutines[1])
	}
	if f.FDs[1] != f.FDs[0]+1 {
		t.Errorf("%d descriptors before, %d after, want one more", f.FDs[0], f.FDs[1])
	}
}

func TestOff(t *testing.T) {
	for _, v := range []string{"off", "OFF", "0", "false"} {
		f, stderr := child(t, "COREKIT="+v, "COREKIT_DIR="+t.TempDir())
		if f.Mode != "off" || !f.Off || stderr != "" || f.FDs[0] != f.FDs[1] {
			t.Errorf("COREKIT=%s: %+v, standard error %q", v, f, stderr)
		}
	}
}

func TestBadDir(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, stderr := child(t, "COREKIT_DIR="+file)
	if f.Mode != "kernel" || len(f.Steps) != 1 || f.Steps[0] != "directory" {
		t.Errorf("mode %q, steps %q, error %q", f.Mode, f.Steps, f.Err)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "corekit: crashes will not be saved: ") {
		t.Errorf("standard error %q, want one line", stderr)
	}
}

// TestCrash makes sure that a test binary, which is how most people first meet
// the monitor, is captured.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "COREKIT_TEST_CHILD=panic", "COREKIT=on", "COREKIT_DIR="+dir, "GOTRACEBACK=")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("%v, want exit status 2\n%s", err, out)
	}
	if m, _ := filepath.Glob(filepath.Join(dir, "*.tar.gz")); len(m) != 1 {
		t.Errorf("bundles %v\n%s", m, out)
	}
}

func TestEnvironment(t *testing.T) {
	for k, v := range map[string]string{
		"COREKIT": "on", "COREKIT_DIR": "/d", "COREKIT_MAX_BUNDLES": "3", "COREKIT_MAX_BYTES": "4096",
		"COREKIT_MAX_HOLD": "90s", "COREKIT_WITH_ENV": "1", "COREKIT_WITH_ARGS": "true",
	} {
		t.Setenv(k, v)
	}
	got, off := Config{}.withEnvironment()
	want := Config{Dir: "/d", MaxBundles: 3, MaxBytes: 4096, MaxHold: 90 * time.Second, WithEnv: true, WithArgs: true}
	if off || got != want {
		t.Errorf("%+v, off %v, want %+v", got, off, want)
	}
	// What the program says goes first.
	mine := Config{Dir: "/mine", MaxBundles: 1, MaxBytes: 2, MaxHold: time.Second}
	got, _ = mine.withEnvironment()
	if got.Dir != "/mine" || got.MaxBundles != 1 || got.MaxBytes != 2 || got.MaxHold != time.Second {
		t.Errorf("the environment wins over %+v: %+v", mine, got)
	}
	// Nonsense counts as nothing.
	t.Setenv("COREKIT_MAX_BYTES", "-1")
	t.Setenv("COREKIT_MAX_HOLD", "soon")
	got, _ = Config{}.withEnvironment()
	if got.MaxBytes != 0 || got.MaxHold != defaultMaxHold {
		t.Errorf("nonsense is taken: %+v", got)
	}
}

func ExampleStart() {
	rec := Start(Config{Dir: "/crash"})
	if err := rec.Err(); err != nil {
		// The program runs all the same.
		fmt.Println("crashes:", rec.Mode(), err)
	}
}
