//go:build !linux

package sdk

import (
	"errors"
	"runtime/debug"

	"github.com/corekit/corekit/platform"
)

// arm prepares the operating system's own core file; there is no monitor here
// yet.
func (r *Recorder) arm(Config) {
	debug.SetTraceback("crash")
	r.mode = "kernel"
	if err := platform.RaiseCoreLimit(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		r.fail("core limit", err, "")
	}
	r.fail("monitor", platform.Unsupported("crash monitor", ""), "crashes are left to the operating system's own core files")
}
