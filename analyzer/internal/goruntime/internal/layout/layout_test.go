package layout_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/corekit/corekit/analyzer/internal/goruntime/internal/layout"
)

func TestMinor(t *testing.T) {
	for version, want := range map[string]int{
		"go1.26.8": 26, "go1.27": 27, "go1.27rc1": 27, "go1.26.0 X:nodwarf5": 26,
		"devel go1.28-0123456789 Mon": 28, "": 0, "go2.1": 0, "unknown": 0,
	} {
		if got := layout.Minor(version); got != want {
			t.Errorf("Minor(%q) = %d, want %d", version, got, want)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, tt := range []struct {
		version   string
		machine   elf.Machine
		exact, ok bool
	}{
		{"go1.26.8", elf.EM_X86_64, true, true},
		{"go1.27.0", elf.EM_AARCH64, true, true},
		{"go1.26.8 X:staticlockranking", elf.EM_X86_64, false, true},
		{"go1.99.0", elf.EM_X86_64, false, true},
		{"", elf.EM_X86_64, false, true},
		{"go1.26.8", elf.EM_RISCV, true, false},
	} {
		_, exact, ok := layout.Lookup(tt.version, tt.machine)
		if exact != tt.exact || ok != tt.ok {
			t.Errorf("Lookup(%q, %v): exact %v, ok %v; want %v, %v", tt.version, tt.machine, exact, ok, tt.exact, tt.ok)
		}
	}
}

// TestTable compares the table with what the toolchain that runs the test
// makes.
func TestTable(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
			t.Fatal("no go command")
		}
		t.Skip("no go command")
	}
	dir := t.TempDir()
	src := filepath.Join(dir, "main.go")
	if err := os.WriteFile(src, []byte("package main\n\nfunc main() { println() }\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for goarch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		exe := filepath.Join(dir, goarch)
		cmd := exec.Command("go", "build", "-o", exe, src)
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+goarch, "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		f, err := elf.Open(exe)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		d, err := f.DWARF()
		if err != nil {
			t.Fatal(err)
		}
		fromExe, err := layout.FromDWARF(d)
		if err != nil {
			t.Fatal(err)
		}
		table, exact, ok := layout.Lookup(runtime.Version(), machine)
		if !ok || !exact {
			t.Skipf("the table does not have %s", runtime.Version())
		}
		if table != fromExe {
			t.Errorf("%s: the table says\n%+v\nDWARF says\n%+v", goarch, table, fromExe)
		}
	}
}
