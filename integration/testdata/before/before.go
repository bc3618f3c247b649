// Package before is initialised before package sdk, as its path is less. It
// writes down each time that happens; in a monitor it does as told.
package before

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Set when it is linked; a monitor does not have its program's environment.
var (
	log string // file to write to
	act string // what to do in a monitor: "exit", "forever", or nothing
)

func init() {
	f, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	name, _, _ := strings.Cut(os.Args[0], ":")
	fmt.Fprintf(f, "%s NEEDED=%s\n", name[strings.LastIndex(name, "/")+1:], os.Getenv("NEEDED"))
	if !strings.HasPrefix(name, "corekit-") {
		return
	}
	switch act {
	case "exit":
		os.Exit(0)
	case "forever":
		time.Sleep(time.Hour)
	}
}
