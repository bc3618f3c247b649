//go:build linux

// Command burdened panics, or ends if its argument is "exit". One of its
// packages is initialised before sdk is.
package main

import (
	"os"

	_ "github.com/corekit/corekit/integration/testdata/before"
	"github.com/corekit/corekit/sdk"
)

func main() {
	sdk.Start(sdk.Config{})
	if len(os.Args) == 2 && os.Args[1] == "exit" {
		return
	}
	panic("that was it")
}
