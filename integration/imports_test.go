package integration

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/corekit/corekit/"

// deps returns everything that a package links, besides the standard library.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", module+pkg).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Fields(string(out))
}

// TestImports keeps the layers of ARCHITECTURE.md: what each package may reach,
// directly or not. The sdk is in other people's programs, where every
// dependency is theirs too; elfcore and report are for any system and any
// tool; nobody but the analyzer may draw in Delve.
func TestImports(t *testing.T) {
	const (
		xsys     = "golang.org/x/sys/"
		compress = "github.com/klauspost/compress/"
		xarch    = "golang.org/x/arch/"
	)
	platform, elfcore, process, coredump := module+"platform", module+"platform/elfcore", module+"platform/process", module+"platform/coredump"
	bgzf, tarfmt, bundle, engine := module+"sdk/internal/bgzf", module+"sdk/internal/tarfmt", module+"sdk/bundle", module+"analyzer/internal/goruntime"
	for pkg, allowed := range map[string][]string{
		"platform":          {xsys},
		"platform/elfcore":  {},
		"platform/process":  {xsys, platform},
		"platform/coredump": {xsys, platform, elfcore, process},
		"sdk/internal/bgzf": {compress},
		"sdk/bundle":        {xsys, compress, bgzf, tarfmt},
		"sdk/auto": {xsys, compress, platform, elfcore, process, coredump, bgzf, tarfmt, bundle,
			module + "sdk", module + "sdk/internal/monitor", module + "sdk/internal/standby"},
		"sdk/internal/standby":        {},
		"analyzer/report":             {},
		"analyzer/gotrace":            {},
		"analyzer/render":             {module + "analyzer/report"},
		"analyzer/internal/image":     {elfcore},
		"analyzer/internal/goruntime": {xarch, engine},
		"analyzer/internal/native":    {xarch, engine},
	} {
		self := module + pkg
		for _, dep := range deps(t, pkg) {
			ok := dep == self
			for _, a := range allowed {
				// A name that ends in a slash, and the engine, stand for all below.
				ok = ok || dep == a || strings.HasPrefix(dep, strings.TrimSuffix(a, "/")+"/") && (strings.HasSuffix(a, "/") || a == engine)
			}
			if !ok {
				t.Errorf("%s must not reach %s", pkg, dep)
			}
		}
	}
}

// TestNoCgo makes sure that the sdk does not turn its program into one with
// cgo, by way of os/user or net: that would link it dynamically, and the
// runtime's deadlock detector does not work with cgo.
func TestNoCgo(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"sdk/auto").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, dep := range strings.Fields(string(out)) {
		switch dep {
		case "os/user", "net", "runtime/cgo", "plugin":
			t.Errorf("the sdk must not reach %s", dep)
		}
	}
}

// TestOneImporterOfDelve makes sure that Delve's ways are known in one place.
func TestOneImporterOfDelve(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}: {{join .Imports \" \"}} {{join .TestImports \" \"}}", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(line, ": ")
		if strings.Contains(imports, "github.com/go-delve/delve/") && pkg != module+"analyzer/internal/dlv" {
			t.Errorf("%s imports Delve", pkg)
		}
	}
}
