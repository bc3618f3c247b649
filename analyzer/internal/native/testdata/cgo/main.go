// Command cgo dies in C code that Go called: by SIGSEGV in the C function
// itself, "raw" without the Go runtime's handler in between.
package main

// #cgo CFLAGS: -O2 -g -fomit-frame-pointer
// #include <signal.h>
// #include <stdlib.h>
//
// #define NOINLINE __attribute__((noinline, noclone))
//
// NOINLINE static int c_inner(volatile int *p, int n) {
//	p[n] = n;
//	return p[0];
// }
//
// NOINLINE static int c_middle(volatile int *p, int n) {
//	char buf[64];
//	buf[n & 63] = 1;
//	return c_inner(p, n) + *(volatile char *)&buf[n & 31];
// }
//
// int c_outer(int n, int raw) {
//	if (raw)
//		signal(SIGSEGV, SIG_DFL);
//	return c_middle(0, n) + 1;
// }
import "C"

import "os"

func main() {
	raw := 0
	if len(os.Args) > 1 && os.Args[1] == "raw" {
		raw = 1
	}
	println(C.c_outer(3, C.int(raw)))
}
