//go:build !linux

package dlv

import "os"

func selfPath() (string, error) { return os.Executable() }

// limitResources does nothing: only the garbage collector's limit holds here.
func limitResources(uint64) {}
