// Command cgofault calls a C library that writes through a null pointer.
//
// Expect the faulting line in the C function, below it the C function that
// called it, and then the Go functions that called C.
//
// CRASH: crash_in_c
// KIND: signal
// MESSAGE: SIGSEGV: segmentation violation
// SIGNAL: SIGSEGV
// CGO: yes
package main

// #define NOINLINE __attribute__((noinline))
//
// NOINLINE static void crash_in_c(volatile int *cells, int n) {
//	cells[n] = n;
// }
//
// NOINLINE static int fill(volatile int *cells, int n) {
//	for (int i = 0; i < n; i++)
//		crash_in_c(cells, i);
//	return n;
// }
import "C"

import (
	"fmt"

	"github.com/corekit/corekit/sdk"
)

func main() {
	sdk.Start(sdk.Config{})
	fmt.Println(draw(8))
}

//go:noinline
func draw(width int) int {
	var screen *C.int // somebody forgot to allocate it
	return int(C.fill(screen, C.int(width)))
}
