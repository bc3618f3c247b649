package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds what may take some time.
const patience = 20 * time.Second

// delveOf waits for a process's child that runs Delve, and returns its id. A
// child that is still to become that, by execve(2), is the process itself.
func delveOf(t *testing.T, pid int) int {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
		for _, l := range lists {
			text, _ := os.ReadFile(l)
			for _, id := range strings.Fields(string(text)) {
				line, _ := os.ReadFile("/proc/" + id + "/cmdline")
				if n, err := strconv.Atoi(id); err == nil && bytes.HasPrefix(line, []byte("corekit: reading variables")) {
					return n
				}
			}
		}
	}
	t.Error("no child")
	return 0
}

// Interrupted while Delve reads values, corekit ends at once with the exit
// status for that, says nothing and leaves no files.
func TestInterrupt(t *testing.T) {
	_, path, err := crash("nilderef")
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		tmp := t.TempDir()
		cmd := exec.Command("corekit", "analyze", path)
		cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
		cmd.WaitDelay = patience // if the child is left behind, and holds the pipe
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Stopped, it is not done before the signal comes.
		delve := delveOf(t, cmd.Process.Pid)
		if delve > 0 {
			syscall.Kill(delve, syscall.SIGSTOP)
		}
		begin := time.Now()
		cmd.Process.Signal(sig)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
			t.Errorf("%v: %v", sig, cmd.ProcessState)
		}
		if took := time.Since(begin); took > grace {
			t.Errorf("%v: it took %v", sig, took)
		}
		if out.Len() > 0 {
			t.Errorf("%v: it said %s", sig, out.String())
		}
		if left, _ := os.ReadDir(tmp); len(left) > 0 {
			t.Errorf("%v: left behind: %v", sig, left)
		}
		if delve > 0 && syscall.Kill(delve, 0) == nil {
			t.Errorf("%v: the child lives on", sig)
			syscall.Kill(delve, syscall.SIGKILL)
		}
	}
}

// A report that nobody reads does not keep corekit from being interrupted.
func TestInterruptBlocked(t *testing.T) {
	_, path, err := crash("manygoroutines")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("corekit", "analyze", "--no-values", "--json", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 10)
	if _, err := out.Read(head); err != nil || !strings.HasPrefix(string(head), "{") {
		t.Fatalf("%q: %v", head, err)
	}
	cmd.Process.Signal(os.Interrupt)
	begin := time.Now()
	state, err := cmd.Process.Wait()
	if err != nil || state.ExitCode() != exitInterrupted || time.Since(begin) > 2*grace {
		t.Errorf("%v after %v: %v", state, time.Since(begin), err)
	}
}
