package analyzer

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func crashHere(p *int) error {
	*p = 1
	return nil
}

// A bug costs no more than what it is in, and says where it is.
func TestGuard(t *testing.T) {
	for _, f := range []func() error{
		func() error { return crashHere(nil) },
		func() error { panic("no") },
		func() error { var s []int; return errors.New(string(rune(s[len(os.Args)]))) },
	} {
		err := guard("test", f)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint, "report") || !strings.Contains(err.Error(), "test: a bug in corekit: ") ||
			!strings.Contains(err.Error(), "guard_test.go:") {
			t.Errorf("%v", err)
		}
	}
	if err := guard("test", func() error { return fs.ErrNotExist }); err != fs.ErrNotExist {
		t.Error(err)
	}
	if err := guard("test", func() error { return nil }); err != nil {
		t.Error(err)
	}
}

// What a hint says can be pasted into a shell.
func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"/var/lib/corekit/app-1.tar.gz": "/var/lib/corekit/app-1.tar.gz",
		"":                              "''",
		"my bundle":                     "'my bundle'",
		"it's":                          `'it'\''s'`,
		"résumé":                        "'résumé'",
		"a;rm -rf ~":                    "'a;rm -rf ~'",
		"$(reboot)":                     "'$(reboot)'",
	} {
		if got := quote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
		sh, err := exec.LookPath("sh")
		if err != nil {
			continue
		}
		if out, err := exec.Command(sh, "-c", "printf %s "+quote(in)).Output(); err != nil || string(out) != in {
			t.Errorf("%q: the shell makes %q of it: %v", in, out, err)
		}
	}
}

// Every error comes with a hint.
func TestHints(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{
		"empty": "", "text": "hello\n", "zip": "PK\x03\x04", "zst": "\x28\xb5\x2f\xfd", "gz": "\x1f\x8b", "elf": "\x7fELF", "exe": "MZ",
		"core": "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x04\x00\x3e\x00" + strings.Repeat("\x00", 100),
		"dmp":  "MDMP", "binary": "\x00\x01\x02",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"empty", "text", "zip", "zst", "gz", "elf", "exe", "core", "dmp", "binary", ".", "none", "none/none"} {
		path := filepath.Join(dir, name)
		rep, err := Analyze(t.Context(), path, Options{})
		var e *Error
		if rep != nil || !errors.As(err, &e) || e.Hint == "" || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, fs.ErrNotExist) != strings.HasPrefix(name, "none") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
