// Command waiter panics while a goroutine with a label has waited for more than
// a second.
package main

import (
	"context"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/corekit/corekit/sdk"
)

func main() {
	sdk.Start(sdk.Config{})
	go pprof.Do(context.Background(), pprof.Labels("tenant", "acme"), wait)
	time.Sleep(50 * time.Millisecond)
	// The runtime stamps a wait when a collection sees it, with the time of the
	// collection before.
	runtime.GC()
	runtime.GC()
	time.Sleep(1200 * time.Millisecond)
	panic("tired")
}

func wait(context.Context) { <-make(chan int) }
