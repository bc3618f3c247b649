//go:build linux && amd64

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hostile is a program that does, act by act, what its arguments say.
const hostile = "integration/testdata/hostile"

// acting runs hostile with the given acts.
func acting(t *testing.T, env []string, acts ...string) (d death, store string) {
	t.Helper()
	store = t.TempDir()
	return spec{argv: append([]string{build(t, hostile)}, acts...), env: env, store: store, dir: t.TempDir()}.run(t), store
}

// onlyLine checks that corekit said one line, which has the given words.
func onlyLine(t *testing.T, d death, words string) {
	t.Helper()
	if lines := corekitLines(d); len(lines) != 1 || !strings.Contains(lines[0], words) {
		t.Errorf("corekit said %q, want one line with %q", lines, words)
	}
}

// strays returns the guards and monitors of an executable's name, after giving
// them a second to leave.
func strays(name string) (out []string) {
	for end := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		out = nil
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, f := range files {
			if b, _ := os.ReadFile(f); strings.HasPrefix(string(b), "corekit-") && strings.Contains(string(b), ": "+name+"\x00") {
				out = append(out, f)
			}
		}
		if len(out) == 0 || time.Now().After(end) {
			return out
		}
	}
}

// TestShortLives runs programs that end before their monitor is ready.
func TestShortLives(t *testing.T) {
	store := t.TempDir()
	for i := range 50 {
		d := spec{argv: []string{build(t, hostile), "start", "exit"}, store: store}.run(t)
		if d.status != 7 || d.stderr != "" {
			t.Fatalf("run %d: exit status %d, standard error %q", i, d.status, d.stderr)
		}
	}
	if s := strays("hostile"); len(s) > 0 {
		t.Errorf("left running: %v", s)
	}
	if left, _ := os.ReadDir(store); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestCrashes lets the program do odd things and crash: there is a bundle, and
// nothing else is any different.
func TestCrashes(t *testing.T) {
	t.Setenv("HOSTILE_THREADS", "300")
	for _, acts := range []string{
		"start panic", "start storm", "start exec", "start ignorechld sleep panic", "start notify sleep panic",
		"nofile start panic", "ignorechld start child sleep panic", "start threads panic",
	} {
		t.Run(strings.ReplaceAll(acts, " ", ","), func(t *testing.T) {
			d, store := acting(t, nil, strings.Fields(acts)...)
			if d.status != 2 {
				t.Errorf("exit status %d, want 2", d.status)
			}
			oneBundle(t, store, d)
			onlyLine(t, d, "the crash was saved to")
		})
	}
}

// TestHookTakenAway makes sure that a program which takes its crash output
// back is told what that means. One that executes another program is not.
func TestHookTakenAway(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own")
	d, _ := acting(t, []string{"HOSTILE_FILE=" + file}, "start", "sleep", "crashoutput", "sleep", "panic")
	onlyLine(t, d, "crashes will not be saved any more")
	if b, err := os.ReadFile(file); !strings.HasPrefix(string(b), "panic: that was it") {
		t.Errorf("the program's own crash file has %q: %v", b, err)
	}
	d, _ = acting(t, nil, "start", "closefds", "sleep", "panic")
	onlyLine(t, d, "crashes will not be saved any more")
}

// TestFewDescriptors starts with almost no descriptor left: neither Start nor
// what it wakes in the runtime may take the last.
func TestFewDescriptors(t *testing.T) {
	for n := 3; n <= 24; n++ {
		store := t.TempDir()
		sh := fmt.Sprintf("ulimit -n %d; exec %s start exit", n, build(t, hostile))
		d := spec{argv: []string{"sh", "-c", sh}, store: store}.run(t)
		if d.status != 7 || len(corekitLines(d)) > 1 {
			t.Errorf("%d descriptors: exit status %d, standard error:\n%s", n, d.status, d.stderr)
		}
	}
}

// TestReaper crashes a program that waits for whatever child ends: it sees none
// of ours before its end.
func TestReaper(t *testing.T) {
	cmd := exec.Command(build(t, hostile), "start", "reap", "child", "sleep", "sleep", "exit")
	cmd.Env = append(os.Environ(), "COREKIT=on", "COREKIT_DIR="+t.TempDir())
	out, _ := cmd.Output()
	if string(out) != "" {
		t.Errorf("it reaped: %s", out)
	}
}

// TestTextRungIsTold refuses ptrace: what bundle there is must be named, though
// nothing keeps the program alive until it is written.
func TestTextRungIsTold(t *testing.T) {
	d, store := acting(t, []string{"HOSTILE_SECCOMP=ptrace"}, "seccomp", "start", "panic")
	list := bundles(t, store)
	if len(list) != 1 {
		t.Fatalf("%d bundles, want 1", len(list))
	}
	onlyLine(t, d, "the crash was saved in part to "+list[0])
}

// TestTraced crashes a program that somebody else traces.
func TestTraced(t *testing.T) {
	store := t.TempDir()
	argv := []string{need(t, "strace"), "-f", "-o", "/dev/null", build(t, hostile), "start", "sleep", "panic"}
	d := spec{argv: argv, store: store, dir: t.TempDir()}.run(t)
	onlyLine(t, d, "is already traced by process")
	if len(bundles(t, store)) != 1 {
		t.Errorf("%d bundles, want 1", len(bundles(t, store)))
	}
}

// TestUnreadStderr crashes programs whose standard error nobody reads.
func TestUnreadStderr(t *testing.T) {
	sv, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		r, w int
		acts []string
		told bool
	}{
		"socket": {sv[0], sv[1], []string{"start", "panic"}, true},
		"pipe":   {p[0], p[1], []string{"start", "threads", "fatal"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			store := t.TempDir()
			r, w := os.NewFile(uintptr(c.r), "r"), os.NewFile(uintptr(c.w), "w")
			defer r.Close()
			cmd := exec.Command(build(t, hostile), c.acts...)
			cmd.Env = append(os.Environ(), "COREKIT=on", "COREKIT_DIR="+store, "HOSTILE_THREADS=300", "GOTRACEBACK=")
			cmd.Stderr, cmd.Dir = w, t.TempDir()
			begin := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			limit := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
			defer limit.Stop()
			cmd.Wait()
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %v to die", took)
			}
			if n := len(bundles(t, store)); n != 1 {
				t.Errorf("%d bundles, want 1", n)
			}
			if !c.told {
				return
			}
			var text []byte
			for buf := make([]byte, 64<<10); ; {
				n, err := r.Read(buf)
				if n == 0 || err != nil {
					break
				}
				text = append(text, buf[:n]...)
			}
			if !strings.Contains(string(text), "\ncorekit: the crash was saved to") {
				t.Errorf("the line is missing in:\n%s", text)
			}
		})
	}
}

// TestKillInTheMiddle kills the monitor twice, and then the program, while a
// large core is being written.
func TestKillInTheMiddle(t *testing.T) {
	app := build(t, hostile)
	run := func(t *testing.T, kills int, victim func(pid int) int) (death, string) {
		store := t.TempDir()
		done := make(chan death, 1)
		pids := make(chan int, 1)
		go func() {
			done <- spec{argv: []string{app, "start", "ready", "heap", "panic"}, store: store, dir: t.TempDir(), ready: func(pid int) { pids <- pid }}.run(t)
		}()
		pid, seen := <-pids, map[string]bool{}
		for end := time.Now().Add(20 * time.Second); kills > 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			files, _ := filepath.Glob(filepath.Join(store, "*.partial"))
			for _, f := range files {
				if st, err := os.Stat(f); err == nil && st.Size() > 256<<10 && !seen[f] {
					seen[f] = true
					kills--
					syscall.Kill(victim(pid), syscall.SIGKILL)
				}
			}
		}
		return <-done, store
	}
	t.Run("monitor", func(t *testing.T) {
		d, store := run(t, 2, func(pid int) int { _, m := monitors(t, pid); return m })
		if list := bundles(t, store); len(list) != 1 || d.status != 2 || !strings.Contains(d.stderr, "\ncorekit: the crash was saved to "+list[0]) {
			t.Errorf("exit status %d, bundles %v, standard error:\n%s", d.status, list, d.stderr)
		}
	})
	t.Run("program", func(t *testing.T) {
		d, store := run(t, 1, func(pid int) int { return pid })
		if d.status != 128+int(syscall.SIGKILL) {
			t.Errorf("exit status %d", d.status)
		}
		var list []string
		for end := time.Now().Add(10 * time.Second); len(list) == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			list = bundles(t, store)
		}
		if len(list) != 1 {
			t.Fatalf("%d bundles, want 1", len(list))
		}
		if r, status := analyze(t, list[0]); status != 3 || r.Capture.Complete {
			t.Errorf("exit status %d, capture %+v", status, r.Capture)
		}
	})
}
