package native

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var gdbFrame = regexp.MustCompile(`(?m)^#\d+ +(?:0x([0-9a-f]+) in )?(<signal handler called>|\S+)(?: \(.*\) at \S+:(\d+))?`)

// gdbFrames is gdb's view of the thread that dumped core.
func gdbFrames(t *testing.T, exe, core string) []frame {
	t.Helper()
	gdb := requireTool(t, "gdb")
	// Separate debug files would add frames that gdb makes up for inlined
	// and tail calls.
	cmd := exec.Command(gdb, "-batch", "-nx", "-iex", "set debug-file-directory /nonexistent",
		"-ex", "set width 0", "-ex", "set print frame-arguments none",
		"-ex", "set print frame-info location-and-address",
		"-ex", "set backtrace past-main on", "-ex", "echo ===\\n", "-ex", "bt 200", exe, core)
	cmd.Env = append(os.Environ(), "DEBUGINFOD_URLS=", "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gdb: %v", err)
	}
	_, bt, _ := strings.Cut(string(out), "===") // without the greeting
	var frames []frame
	for _, m := range gdbFrame.FindAllStringSubmatch(bt, -1) {
		pc, _ := strconv.ParseUint(m[1], 16, 64)
		line, _ := strconv.Atoi(m[3])
		frames = append(frames, frame{pc, m[2], line})
	}
	if len(frames) < 3 {
		t.Fatalf("gdb says:\n%s", out)
	}
	t.Logf("gdb says:\n%s", out)
	return frames
}

// plain removes from a name what distinguishes aliases and partial copies, of
// which gdb may choose another.
func plain(name string) string {
	name, _, _ = strings.Cut(strings.TrimLeft(name, "_"), ".")
	return strings.TrimSuffix(name, "_impl")
}

// compare checks that got begins with what gdb found. gdb gives no address
// for a signal trampoline.
func compare(t *testing.T, got, want []frame) {
	t.Helper()
	if len(got) > len(want) {
		t.Errorf("%d frames more than gdb: %v", len(got)-len(want), got[len(want):])
	}
	for i, w := range want {
		if i >= len(got) {
			t.Errorf("frame %d: missing, gdb has %#x %s", i, w.pc, w.name)
			continue
		}
		g := got[i]
		if w.pc != 0 && g.pc != w.pc {
			t.Errorf("frame %d: pc %#x %s, gdb has %#x %s", i, g.pc, g.name, w.pc, w.name)
		}
		if w.pc != 0 && w.name != "??" && plain(g.name) != plain(w.name) {
			t.Errorf("frame %d: %s, gdb has %s", i, g.name, w.name)
		}
		if w.line != 0 && g.line != w.line {
			t.Errorf("frame %d: %s: line %d, gdb has %d", i, g.name, g.line, w.line)
		}
	}
}

func TestAgainstGDB(t *testing.T) {
	requireCores(t)
	builds := map[string][]string{
		"eh_frame":      {"-O2", "-fomit-frame-pointer", "-g"},
		"debug_frame":   {"-O2", "-fomit-frame-pointer", "-g", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"},
		"dwarf4":        {"-O1", "-gdwarf-4"},
		"frame_pointer": {"-O1", "-fno-omit-frame-pointer", "-g", "-no-pie", "-Wl,-z,now"},
		"static":        {"-O2", "-g", "-static"},
	}
	runs := [][]string{
		{"abort"}, {"store"}, {"jump"}, {"store", "thread"},
		{"store", "handler"}, {"jump", "handler"},
	}
	for name, flags := range builds {
		t.Run(name, func(t *testing.T) {
			exe := build(t, "crash", append(flags, "-pthread", "testdata/crash.c")...)
			for _, run := range runs {
				t.Run(strings.Join(run, "_"), func(t *testing.T) {
					path := crash(t, exe, run...)
					core := openCore(t, path)
					u := New(core, core, elf.EM_X86_64)
					got, err := unwind(t, u, core.threads[0])
					if !errors.Is(err, ErrOutermost) {
						t.Errorf("unwinding ended with %v", err)
					}
					want := gdbFrames(t, exe, path)
					compare(t, got, want)
					if !containsAll(got, "descend", "sort", "compare", "run") {
						t.Errorf("incomplete: %v", got)
					}
				})
			}
		})
	}
}

func containsAll(frames []frame, names ...string) bool {
	for _, n := range names {
		found := false
		for _, f := range frames {
			found = found || f.name == n
		}
		if !found {
			return false
		}
	}
	return true
}
