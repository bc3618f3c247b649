//go:build linux && amd64

package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// corekitLines returns what corekit said on standard error.
func corekitLines(d death) (out []string) {
	for line := range strings.Lines(d.stderr) {
		if s, ok := strings.CutPrefix(line, "corekit: "); ok {
			out = append(out, strings.TrimSpace(s))
		}
	}
	return out
}

// uncaptured runs the nilderef example where it cannot be saved: it must die
// as ever, with one line that has the given words.
func uncaptured(t *testing.T, s spec, words ...string) {
	t.Helper()
	if s.argv == nil {
		s.argv = []string{build(t, "examples/nilderef")}
	}
	d := s.run(t)
	if !strings.HasPrefix(strings.TrimPrefix(d.stderr, corekitPrefix(d)), "panic: runtime error: invalid memory address") || d.status != 134 && d.status != 2 {
		t.Errorf("exit status %d, standard error:\n%s", d.status, d.stderr)
	}
	lines := corekitLines(d)
	if len(lines) != 1 {
		t.Fatalf("corekit said %q, want one line", lines)
	}
	for _, w := range words {
		if !strings.Contains(lines[0], w) {
			t.Errorf("corekit said %q, want %q in it", lines[0], w)
		}
	}
}

// corekitPrefix is the line that Start itself printed, if it did.
func corekitPrefix(d death) string {
	if strings.HasPrefix(d.stderr, "corekit: ") {
		return d.stderr[:strings.Index(d.stderr, "\n")+1]
	}
	return ""
}

func TestDirIsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	uncaptured(t, spec{store: file, dir: t.TempDir()}, "crashes will not be saved", file, "not a directory")
	if b, err := os.ReadFile(file); string(b) != "precious" {
		t.Errorf("the file now holds %q: %v", b, err)
	}
}

func TestDirCannotBeMade(t *testing.T) {
	uncaptured(t, spec{store: "/proc/corekit/bundles", dir: t.TempDir()}, "crashes will not be saved", "/proc/corekit")
}

func TestDirIsMissing(t *testing.T) {
	app := build(t, "examples/nilderef")
	store := filepath.Join(t.TempDir(), "a", "b")
	captured(t, spec{argv: []string{app}, store: store})
	if st, err := os.Stat(store); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%s has mode %v, want 0700: %v", store, st.Mode(), err)
	}
}

// TestDirIsFull crashes onto file systems of a few sizes: too small for
// anything, for the core, for the executable.
func TestDirIsFull(t *testing.T) {
	needRoot(t)
	for _, kb := range []int{4, 256, 1024} {
		t.Run(strconv.Itoa(kb)+"K", func(t *testing.T) {
			dir := t.TempDir()
			if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+strconv.Itoa(kb)+"k"); err != nil {
				t.Skipf("no tmpfs can be mounted here: %v", err)
			}
			defer syscall.Unmount(dir, syscall.MNT_DETACH)
			app := build(t, "examples/nilderef")
			d := spec{argv: []string{app}, store: dir, dir: t.TempDir()}.run(t)
			lines := corekitLines(d)
			if len(lines) != 1 || !strings.Contains(lines[0], "no space left on device") {
				t.Fatalf("corekit said %q", lines)
			}
			rest, _ := filepath.Glob(filepath.Join(dir, "*.partial"))
			if len(rest) > 0 {
				t.Errorf("left behind: %v", rest)
			}
			if !strings.HasPrefix(d.stderr, "panic: ") {
				t.Errorf("standard error:\n%s", d.stderr)
			}
			list := bundles(t, dir)
			if kb == 4 {
				if len(list) != 0 {
					t.Errorf("%v on a file system without room", list)
				}
				return
			}
			// The text rung: what the runtime said, and the frame from that.
			if len(list) != 1 {
				t.Fatalf("%d bundles, want the small one; %q", len(list), lines)
			}
			r, status := analyze(t, list[0])
			if status != 3 || r.Capture.Complete || r.Capture.Method != "text" || len(r.Capture.Missing) == 0 {
				t.Errorf("exit status %d, capture %+v", status, r.Capture)
			}
			exampleNamed(t, "nilderef").checkCrash(t, r)
		})
	}
}

// sleeper is a program of corekit's own tests that says "ready" and crashes a
// second later.
const sleeper = "integration/testdata/sleeper"

// children returns the processes whose parent is pid. The kernel lists them by
// the thread that made them.
func children(pid int) (out []int) {
	files, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, file := range files {
		b, _ := os.ReadFile(file)
		for _, f := range strings.Fields(string(b)) {
			n, _ := strconv.Atoi(f)
			out = append(out, n)
		}
	}
	return out
}

// monitors returns the guard and the monitor of pid, waiting for them.
func monitors(t *testing.T, pid int) (guard, monitor int) {
	t.Helper()
	for range 500 {
		if g := children(pid); len(g) == 1 {
			if m := children(g[0]); len(m) == 1 && comm(m[0]) == "corekit-monitor" {
				return g[0], m[0]
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no monitor")
	return 0, 0
}

// comm returns the name of a process, "" if it has ended; one that nobody has
// waited for yet counts as ended.
func comm(pid int) string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(b), "(")
	name, state, _ := strings.Cut(rest, ") ")
	if strings.HasPrefix(state, "Z") {
		return ""
	}
	return name
}

// TestKillMonitor kills the monitor: another one takes over, and says so.
func TestKillMonitor(t *testing.T) {
	store := t.TempDir()
	d := spec{argv: []string{build(t, sleeper)}, store: store, ready: func(pid int) {
		guard, monitor := monitors(t, pid)
		syscall.Kill(monitor, syscall.SIGTERM) // a service manager's: no effect
		syscall.Kill(guard, syscall.SIGTERM)
		time.Sleep(20 * time.Millisecond)
		if g, m := monitors(t, pid); g != guard || m != monitor {
			t.Error("SIGTERM ended the monitor")
		}
		syscall.Kill(monitor, syscall.SIGKILL)
	}}.run(t)
	if d.status != 2 {
		t.Errorf("exit status %d, want 2", d.status)
	}
	lines := corekitLines(d)
	if len(lines) != 2 || !strings.Contains(lines[0], "was killed by signal SIGKILL; another one was started") {
		t.Errorf("corekit said %q", lines)
	}
	oneBundle(t, store, d)
}

// TestKillAllMonitors kills every one: the program dies as it would have.
func TestKillAllMonitors(t *testing.T) {
	store := t.TempDir()
	d := spec{argv: []string{build(t, sleeper)}, store: store, dir: t.TempDir(), ready: func(pid int) {
		last := 0
		for range 3 {
			for {
				_, m := monitors(t, pid)
				if m != last {
					last = m
					break
				}
				time.Sleep(time.Millisecond)
			}
			syscall.Kill(last, syscall.SIGKILL)
		}
	}}.run(t)
	lines := corekitLines(d)
	if len(lines) != 3 || !strings.Contains(lines[2], "crashes are not saved any more") {
		t.Errorf("corekit said %q", lines)
	}
	if !strings.Contains(d.stderr, "panic: that was it") || len(bundles(t, store)) != 0 {
		t.Errorf("bundles %v; standard error:\n%s", bundles(t, store), d.stderr)
	}
}

// TestKillGuard kills the guard: the monitor does its work all the same.
func TestKillGuard(t *testing.T) {
	store := t.TempDir()
	d := spec{argv: []string{build(t, sleeper)}, store: store, ready: func(pid int) {
		guard, _ := monitors(t, pid)
		syscall.Kill(guard, syscall.SIGKILL)
	}}.run(t)
	oneBundle(t, store, d)
}

func TestSecondStart(t *testing.T) {
	store := t.TempDir()
	d := spec{argv: []string{build(t, sleeper), "twice"}, store: store, ready: func(int) {}}.run(t)
	lines := corekitLines(d)
	if len(lines) != 2 || !strings.Contains(lines[0], "Start was called a second time") {
		t.Errorf("corekit said %q", lines)
	}
	oneBundle(t, store, d)
}

// TestMonitorLeaves makes sure that an ordinary end takes the monitor along,
// within a second.
func TestMonitorLeaves(t *testing.T) {
	var pids []int
	d := spec{argv: []string{build(t, sleeper), "exit"}, store: t.TempDir(), ready: func(pid int) {
		g, m := monitors(t, pid)
		pids = []int{g, m}
	}}.run(t)
	if d.status != 0 || d.stderr != "" {
		t.Errorf("exit status %d, standard error %q", d.status, d.stderr)
	}
	deadline := time.Now().Add(time.Second)
	for _, pid := range pids {
		for strings.HasPrefix(comm(pid), "corekit-") {
			if time.Now().After(deadline) {
				t.Fatalf("%s is still there", comm(pid))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}
