package native

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// buildCgo builds testdata/cgo.
func buildCgo(t *testing.T, flags ...string) string {
	t.Helper()
	requireTool(t, "gcc")
	exe := filepath.Join(t.TempDir(), "cgo")
	cmd := exec.Command(requireTool(t, "go"), append(append([]string{"build", "-o", exe}, flags...), "./testdata/cgo")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
}

// TestCgo unwinds from the fault to the Go code that called C.
func TestCgo(t *testing.T) {
	requireCores(t)
	for _, ldflags := range []string{"", "-s -w"} {
		exe := buildCgo(t, "-ldflags="+ldflags)
		path := crash(t, exe, "raw")
		core := openCore(t, path)
		u := New(core, core, elf.EM_X86_64)
		got, err := unwind(t, u, core.threads[0])
		t.Logf("ended with %v: %v", err, got)
		if len(got) < 5 {
			t.Fatalf("%d frames: %v", len(got), got)
		}
		compare(t, got[:4], gdbFrames(t, exe, path)[:4])
		if ldflags == "" {
			for i, want := range []frame{{name: "c_inner", line: 12}, {name: "c_middle", line: 19}, {name: "c_outer", line: 25}} {
				if got[i].name != want.name || got[i].line != want.line {
					t.Errorf("frame %d: %s:%d, want %s:%d", i, got[i].name, got[i].line, want.name, want.line)
				}
			}
			if !strings.HasPrefix(got[4].name, "runtime.asmcgocall") {
				t.Errorf("frame 4: %s, want runtime.asmcgocall", got[4].name)
			}
		}
	}
}

// TestCgoSignal unwinds through the Go runtime's signal handler, whose frames
// only .debug_frame describes, to the fault in C.
func TestCgoSignal(t *testing.T) {
	requireCores(t)
	exe := buildCgo(t)
	t.Setenv("GOTRACEBACK", "crash")
	core := openCore(t, crash(t, exe))
	u := New(core, core, elf.EM_X86_64)
	got, err := unwind(t, u, core.threads[0])
	t.Logf("ended with %v: %v", err, got)
	if !containsAll(got, "runtime.sighandler", "c_inner", "c_middle", "c_outer") {
		t.Errorf("the C functions are missing: %v", got)
	}
}
