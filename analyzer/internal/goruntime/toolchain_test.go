//go:build linux && amd64

package goruntime_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// TestToolchains runs the scenarios in programs that other Go versions built.
// They have to be downloaded, so it happens only if COREKIT_TOOLCHAINS lists
// some: "go1.24.5,go1.27.0".
func TestToolchains(t *testing.T) {
	list := os.Getenv("COREKIT_TOOLCHAINS")
	if list == "" {
		t.Skip("COREKIT_TOOLCHAINS is not set")
	}
	for toolchain := range strings.SplitSeq(list, ",") {
		t.Run(toolchain, func(t *testing.T) {
			// Outside of this module, which asks for a newer Go.
			dir := t.TempDir()
			src, err := os.ReadFile(filepath.Join("testdata", "crash", "main.go"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "main.go"), src, 0o666); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module crash\n\ngo 1.23\n"), 0o666); err != nil {
				t.Fatal(err)
			}
			exe := filepath.Join(dir, "crash")
			cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", exe, ".")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+toolchain, "GOWORK=off")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("go build: %v\n%s", err, out)
			}
			var sum score
			for _, sc := range scenarios {
				if sc.cgo {
					continue
				}
				if (sc.name == "type-float" || sc.name == "complex") && toolchain < "go1.26" {
					sc.message = "" // printed in another format
				}
				if toolchain < "go1.24" {
					sc.fault = strings.TrimPrefix(sc.fault, "internal/") // internal/sync came then
				}
				t.Run(sc.name, func(t *testing.T) {
					text, core := dieWithCore(t, exe, sc)
					p, err := goruntime.Open(openCore(t, core, exe))
					os.Remove(core)
					if err != nil {
						t.Fatal(err)
					}
					if p.GoVersion() != toolchain {
						t.Errorf("Go version is %q", p.GoVersion())
					}
					check(t, p, sc, text, &sum)
				})
			}
			t.Logf("%d of %d goroutines agree with the runtime's text", sum.agreed, sum.total)
		})
	}
}
