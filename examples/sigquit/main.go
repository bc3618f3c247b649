// Command sigquit computes until somebody sends it SIGQUIT, as Ctrl-\ in a terminal does.
//
// Expect the frame that the signal interrupted: spin. Asynchronous preemption
// is off so that it is not the scheduler that is interrupted, now and then.
//
// CRASH: main.spin
// KIND: signal
// MESSAGE: SIGQUIT: quit
// SIGNAL: SIGQUIT
// SEND: SIGQUIT
// ENV: GODEBUG=asyncpreemptoff=1
package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/corekit/corekit/sdk"
)

var spinning atomic.Bool

// The kernel gives a signal for the process to its first thread, so that is
// where the main goroutine has to stay.
func init() { runtime.LockOSThread() }

func main() {
	sdk.Start(sdk.Config{})
	runtime.GOMAXPROCS(2) // one for spin, which does not let go of it
	go announce()
	fmt.Println(spin(7))
}

func announce() {
	for !spinning.Load() {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("ready")
}

//go:noinline
func spin(seed uint64) (rounds int) {
	spinning.Store(true)
	// A generator of full period, which comes back to its seed in due time.
	for x := seed + 1; x != seed; x = x*6364136223846793005 + 1442695040888963407 {
		rounds++
	}
	return rounds
}
