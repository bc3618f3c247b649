package platform

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestUnsupportedError(t *testing.T) {
	err := Unsupported("some feature", "do without")
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v is no errors.ErrUnsupported", err)
	}
	if errors.Is(err, errors.New("another")) {
		t.Errorf("%v is everything", err)
	}
	var u *UnsupportedError
	if !errors.As(err, &u) || u.Hint != "do without" {
		t.Errorf("%#v", err)
	}
	for _, part := range []string{"some feature", runtime.GOOS, runtime.GOARCH} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
}

// TestSupportedOrTyped calls everything that is harmless: what does not work
// here must say so by its type.
func TestSupportedOrTyped(t *testing.T) {
	for name, call := range map[string]func() error{
		"CoreLimit":      func() error { _, _, err := CoreLimit(); return err },
		"RaiseCoreLimit": RaiseCoreLimit,
		"GetCoreFilter":  func() error { _, err := GetCoreFilter(); return err },
		"AddCoreFilter":  func() error { return AddCoreFilter(0) },
		"AllowTracer":    func() error { return AllowTracer(1) },
	} {
		err := call()
		if runtime.GOOS == "linux" && err != nil || err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
