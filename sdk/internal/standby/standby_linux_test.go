package standby

import (
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain is also the child that tells what order it was given.
func TestMain(m *testing.M) {
	if os.Getenv("STANDBY_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	role, o := order()
	if o.Spec != `{"x": "a b=c"}` || o != orderForTest {
		os.Stdout.WriteString("another order\n")
	}
	os.Stdout.WriteString(role + "\n")
	os.Exit(0)
}

var orderForTest = Order{PID: 1, Prefill: 4032, MaxHold: 90 * time.Second, Attempt: 2, Image: 1<<64 - 3, Spec: `{"x": "a b=c"}`}

// TestOrder hands an order to a process by the wrong name, lest init take it.
func TestOrder(t *testing.T) {
	for argv0, want := range map[string]string{"corekit-other: x": "\n", "standby.test": "\n", "corekit-guard": "\n"} {
		cmd := exec.Command(os.Args[0])
		cmd.Args[0] = argv0
		cmd.Env = append(os.Environ(), append(orderForTest.environ(), "STANDBY_TEST_CHILD=1")...)
		if out, err := cmd.Output(); string(out) != want || err != nil {
			t.Errorf("%q: %q, %v", argv0, out, err)
		}
	}
}

// TestDamagedOrder makes sure that a process with half an order is none of ours.
func TestDamagedOrder(t *testing.T) {
	for _, text := range []string{"", "1", "1 2 3 4 5", "1 2 3 4 x ", "1 2 3 4 99999999999999999999 "} {
		t.Setenv(orderVar, text)
		if role, o := order(); role != "" || o != (Order{}) {
			t.Errorf("%q: %q, %+v", text, role, o)
		}
	}
}

func TestImageOf(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	own, other := ImageOf(os.Getpid()), ImageOf(cmd.Process.Pid)
	if own == 0 || other == 0 || own == other || own != ImageOf(os.Getpid()) {
		t.Errorf("own %#x, then %#x, another's %#x", own, ImageOf(os.Getpid()), other)
	}
	if n := ImageOf(1 << 30); n != 0 {
		t.Errorf("of no process: %#x", n)
	}
}

// TestSay writes to what a child has as standard error: a pipe, and a file.
func TestSay(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("sleep", "60")
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	w.Close()
	Say(cmd.Process.Pid, "hello")
	cmd.Process.Kill()
	cmd.Wait()
	if got, err := io.ReadAll(r); string(got) != "corekit: hello\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRestoreEnviron(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	cmd.Env = []string{"STANDBY_TEST=a=b", "STANDBY_EMPTY=", "GOGC=1", "COREKIT_DIR=/x", "noequals", "PATH=" + os.Getenv("PATH")}
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	before := os.Environ()
	defer os.Unsetenv("STANDBY_TEST")
	defer os.Unsetenv("STANDBY_EMPTY")
	restoreEnviron(cmd.Process.Pid)
	var added []string
	for _, v := range os.Environ() {
		if !slices.Contains(before, v) {
			added = append(added, v)
		}
	}
	if got := strings.Join(added, " "); got != "STANDBY_TEST=a=b STANDBY_EMPTY=" {
		t.Errorf("added %q", got)
	}
}
