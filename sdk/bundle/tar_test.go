package bundle

import (
	"os/exec"
	"strings"
	"testing"
)

// archive/tar would bring os/user, and that cgo: the program that imports sdk
// would need a C library to start.
func TestNoCgo(t *testing.T) {
	out, err := exec.Command(tool(t, "go"), "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		switch dep {
		case "archive/tar", "os/user", "runtime/cgo", "net":
			t.Errorf("imports %s", dep)
		}
	}
}
