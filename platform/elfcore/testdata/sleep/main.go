// Command sleep says that it is there, and stays.
package main

import (
	"os"
	"time"
)

func main() {
	os.Stdout.WriteString("x")
	time.Sleep(time.Minute)
}
