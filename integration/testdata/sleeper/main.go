//go:build linux

// Command sleeper says that it is ready, and panics a second later; unless its
// argument says otherwise.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/corekit/corekit/sdk"
	"golang.org/x/sys/unix"
)

func main() {
	sdk.Start(sdk.Config{})
	arg := ""
	if len(os.Args) > 1 {
		arg = os.Args[1]
	}
	switch arg {
	case "twice":
		sdk.Start(sdk.Config{Dir: "/elsewhere"})
	case "undumpable":
		// As a program with file capabilities or a changed user is.
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	}
	fmt.Println("ready")
	time.Sleep(time.Second)
	if arg == "exit" {
		return
	}
	panic("that was it")
}
