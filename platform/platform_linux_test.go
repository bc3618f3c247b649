package platform

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func coreLimits(t *testing.T, pid int) unix.Rlimit {
	t.Helper()
	var lim unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &lim); err != nil {
		t.Fatal(err)
	}
	return lim
}

func TestRaiseCoreLimit(t *testing.T) {
	was := coreLimits(t, 0)
	defer unix.Setrlimit(unix.RLIMIT_CORE, &was)
	low := was
	low.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &low); err != nil {
		t.Fatal(err)
	}
	if soft, hard, err := CoreLimit(); soft != 0 || hard != was.Max || err != nil {
		t.Errorf("CoreLimit() = %d, %d, %v", soft, hard, err)
	}
	for range 2 {
		if err := RaiseCoreLimit(); err != nil {
			t.Fatal(err)
		}
		if got := coreLimits(t, 0); got.Cur != was.Max || got.Max != was.Max {
			t.Errorf("raised to %+v, want %d", got, was.Max)
		}
	}
	if soft, hard, err := CoreLimit(); soft != was.Max || hard != was.Max || err != nil {
		t.Errorf("CoreLimit() = %d, %d, %v; want %d", soft, hard, err, was.Max)
	}
	if was.Max == unix.RLIM_INFINITY && Unlimited != was.Max {
		t.Errorf("Unlimited is %#x, the kernel's is %#x", Unlimited, was.Max)
	}
}

func TestDisableCore(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	was := coreLimits(t, cmd.Process.Pid)
	lim := was
	lim.Cur = lim.Max
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_CORE, &lim, nil); err != nil {
		t.Fatal(err)
	}
	if err := DisableCore(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if got := coreLimits(t, cmd.Process.Pid); got.Cur != 0 || got.Max != was.Max {
		t.Errorf("%+v, want 0 of %d", got, was.Max)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if err := DisableCore(cmd.Process.Pid); !errors.Is(err, unix.ESRCH) {
		t.Errorf("of the dead: %v", err)
	}
}

func TestCoreFilter(t *testing.T) {
	was, err := GetCoreFilter()
	if err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(filterFile, fmt.Appendf(nil, "%#x", uint32(was)), 0)
	if err := os.WriteFile(filterFile, []byte("0x1"), 0); err != nil {
		t.Skip(err) // gVisor
	}
	if got, err := GetCoreFilter(); got != FilterAnonPrivate || err != nil {
		t.Errorf("filter %#x, %v", got, err)
	}
	if err := AddCoreFilter(FilterAnonShared | FilterELFHeaders | FilterHugePrivate); err != nil {
		t.Fatal(err)
	}
	if got, err := GetCoreFilter(); got != 0x33 || err != nil {
		t.Errorf("filter %#x, %v; want 0x33", got, err)
	}
	// The highest one there is (Documentation/filesystems/proc.rst).
	if FilterDAXShared != 1<<8 {
		t.Errorf("FilterDAXShared is %#x", FilterDAXShared)
	}
}

func TestSetName(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	comm := fmt.Sprintf("/proc/self/task/%d/comm", unix.Gettid())
	was, err := os.ReadFile(comm)
	if err != nil {
		t.Fatal(err)
	}
	defer SetName(strings.TrimSpace(string(was)))
	if err := SetName("a name that is too long"); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(comm); string(got) != "a name that is \n" {
		t.Errorf("named %q", got)
	}
	if err := SetName("a\x00b"); err == nil {
		t.Error("a name with a zero byte")
	}
}

func TestMonotonic(t *testing.T) {
	a := Monotonic()
	time.Sleep(2 * time.Millisecond)
	if b := Monotonic(); a <= 0 || b-a < 2e6 || b-a > 1e10 {
		t.Errorf("%d, then %d", a, b)
	}
}

func TestKernelRelease(t *testing.T) {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Skip(err)
	}
	if got := KernelRelease(); got != strings.TrimSpace(string(b)) {
		t.Errorf("%q, want %q", got, b)
	}
}
