package dlv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHostileCores(t *testing.T) {
	exe := build(t, "fault.go")
	corePath := crash(t, exe)
	frame := frameOf(t, delveFrames(t, corePath, exe, "main.deposit"), "main.caller")
	good, err := os.ReadFile(corePath)
	if err != nil {
		t.Fatal(err)
	}
	noNote := bytes.Clone(good)
	phoff := binary.LittleEndian.Uint64(noNote[32:]) // e_phoff; the first header is the PT_NOTE
	if typ := binary.LittleEndian.Uint32(noNote[phoff:]); typ != 4 {
		t.Fatalf("the first program header is of type %d", typ)
	}
	binary.LittleEndian.PutUint32(noNote[phoff:], 0) // PT_NULL
	hugeNote := bytes.Clone(good)
	noteOff := binary.LittleEndian.Uint64(hugeNote[phoff+8:])
	binary.LittleEndian.PutUint32(hugeNote[noteOff+4:], 0xfffffff0) // n_descsz
	for name, data := range map[string][]byte{
		"empty":     {},
		"text":      []byte("this is not a core file\n"),
		"minidump":  append([]byte("MDMP\x93\xa7\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f"), bytes.Repeat([]byte{0xff}, 4096)...),
		"no note":   noNote,
		"huge note": hugeNote,
		"header":    good[:64],
		"zeros":     append(bytes.Clone(good[:64]), make([]byte, 1<<20)...),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "core")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			wantTypedError(t, Request{Core: path, Exe: exe, Frames: []Frame{frame}})
		})
	}
	t.Run("missing core", func(t *testing.T) {
		wantTypedError(t, Request{Core: filepath.Join(t.TempDir(), "core"), Exe: exe, Frames: []Frame{frame}})
	})
	t.Run("missing exe", func(t *testing.T) {
		wantTypedError(t, Request{Core: corePath, Exe: filepath.Join(t.TempDir(), "exe"), Frames: []Frame{frame}})
	})
	t.Run("stripped exe", func(t *testing.T) {
		stripped := build(t, "fault.go", "-ldflags=-s -w")
		vals, err := Evaluate(t.Context(), Request{Core: corePath, Exe: stripped, Frames: []Frame{frame}})
		if err == nil && vals[0].Err == "" {
			t.Errorf("values without debug information: %+v", vals)
		}
		t.Log(vals, err)
	})
	// These two open. Whatever comes of it, it comes in time.
	t.Run("truncated", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "core")
		if err := os.WriteFile(path, good[:len(good)/3], 0o600); err != nil {
			t.Fatal(err)
		}
		vals, err := Evaluate(t.Context(), Request{Core: path, Exe: exe, Frames: []Frame{frame}, Timeout: 5 * time.Second})
		t.Logf("%+v %v", vals, err)
	})
	t.Run("wrong exe", func(t *testing.T) {
		other, err := exec.LookPath("go")
		needTool(t, err == nil, "the go command")
		start := time.Now()
		vals, err := Evaluate(t.Context(), Request{Core: corePath, Exe: other, Frames: []Frame{frame}, Timeout: 5 * time.Second})
		if d := time.Since(start); d > 8*time.Second {
			t.Errorf("took %v", d)
		}
		if err == nil && vals[0].Err == "" {
			t.Errorf("values from the wrong executable: %+v", vals)
		}
		t.Logf("%+v %v", vals, err)
	})
}

func wantTypedError(t *testing.T, req Request) {
	t.Helper()
	req.Timeout = 5 * time.Second
	start := time.Now()
	vals, err := Evaluate(t.Context(), req)
	var ce *ChildError
	var oe *OpenError
	if !errors.Is(err, ErrTimeout) && !errors.As(err, &ce) && !errors.As(err, &oe) {
		t.Errorf("got %v, %v, want a typed error", vals, err)
	}
	if d := time.Since(start); d > 8*time.Second {
		t.Errorf("took %v", d)
	}
	t.Log(err)
}

func TestTimeoutAndCancel(t *testing.T) {
	exe := build(t, "fault.go")
	corePath := crash(t, exe)
	_, err := Evaluate(t.Context(), Request{Core: corePath, Exe: exe, Frames: []Frame{{}}, Timeout: time.Nanosecond})
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("timeout: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Evaluate(ctx, Request{Core: corePath, Exe: exe, Frames: []Frame{{}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancel: %v", err)
	}
	// A fifo never ends: the child hangs in open.
	fifo := filepath.Join(t.TempDir(), "fifo")
	if out, err := exec.Command("mkfifo", fifo).CombinedOutput(); err != nil {
		t.Skipf("mkfifo: %v %s", err, out)
	}
	start := time.Now()
	_, err = Evaluate(t.Context(), Request{Core: fifo, Exe: exe, Frames: []Frame{{}}, Timeout: time.Second})
	if !errors.Is(err, ErrTimeout) || time.Since(start) > 4*time.Second {
		t.Errorf("hang: %v after %v", err, time.Since(start))
	}
}

// A child that dies is a typed error with the first line of its panic.
func TestChildDies(t *testing.T) {
	out := []byte("some log\npanic: boom [recovered]\n\tpanic: again\n\ngoroutine 1 [running]:\n")
	if got := firstPanicLine(out); got != "boom [recovered]" {
		t.Errorf("first panic line %q", got)
	}
	if got := firstPanicLine([]byte("fatal error: out of memory\n")); got != "fatal error: out of memory" {
		t.Errorf("first fatal line %q", got)
	}
	if vals, err := readAnswers(strings.NewReader(`{"Panic":"nil map"}`), 1); err == nil || len(vals) != 0 || err.Error() != "delve crashed: nil map" {
		t.Errorf("panic answer: %v %v", vals, err)
	}
	if vals, err := readAnswers(strings.NewReader(`{"Values":{}}{"Val`), 2); err == nil || len(vals) != 1 {
		t.Errorf("cut answer: %v %v", vals, err)
	}
}

// The marker alone, or the name alone, makes no child of a process, and the
// child sees neither PATH nor debuginfod.
func TestChildIsNotStartedByAccident(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childMarker+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("with the marker alone: %v\n%s", err, out)
	}
	cmd = exec.Command(os.Args[0])
	cmd.Args = []string{childName}
	cmd.Env = append(os.Environ(), childMarker+"=1")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "read request") {
		t.Errorf("with both: %v\n%s", err, out)
	}
	env := childEnv([]string{"PATH=/bin", "DEBUGINFOD_URLS=http://x", "HOME=/root", "SystemRoot=C:\\Windows"})
	if got := strings.Join(env, " "); strings.Contains(got, "/bin") || strings.Contains(got, "DEBUGINFOD") || !strings.Contains(got, "SystemRoot") {
		t.Errorf("child's environment: %s", got)
	}
}
