// Command sleeper says that it is ready, and panics a second later.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/corekit/corekit/sdk"
)

func main() {
	sdk.Start(sdk.Config{})
	arg := ""
	if len(os.Args) > 1 {
		arg = os.Args[1]
	}
	if arg == "twice" {
		sdk.Start(sdk.Config{Dir: "/elsewhere"})
	}
	fmt.Println("ready")
	time.Sleep(time.Second)
	if arg == "exit" {
		return
	}
	panic("that was it")
}
