//go:build !linux

package monitor

import "github.com/corekit/corekit/platform"

func takeOver() {}

func start(Spec, int) (int, error) {
	return 0, platform.Unsupported("crash monitor", "")
}
