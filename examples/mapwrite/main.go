// Command mapwrite counts votes from several goroutines in one map without a
// lock.
//
// Expect the runtime to notice the concurrent write in count, and the other
// writers, running or runnable, in the same function.
//
// CRASH: main.count
// KIND: fatal
// MESSAGE: concurrent map writes
package main

import (
	"runtime"
	"sync"

	"github.com/corekit/corekit/sdk"
)

func main() {
	sdk.Start(sdk.Config{})
	// Threads enough that one is interrupted within a write even if there is
	// only one processor.
	runtime.GOMAXPROCS(4)
	names := []string{"red", "green", "blue", "white"}
	votes := make(map[string]int)
	for _, name := range names {
		votes[name] = 0
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { count(votes, names) })
	}
	wg.Wait()
}

//go:noinline
func count(votes map[string]int, names []string) {
	for i := 0; ; i++ {
		votes[names[i%len(names)]]++
	}
}
