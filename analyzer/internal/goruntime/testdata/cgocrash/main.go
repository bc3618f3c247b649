// Cgocrash dies in the manner that its argument names, with C on the stack.
package main

/*
#include <stdlib.h>
#include <unistd.h>
#include <pthread.h>
#include <string.h>

extern void goCallback(int);

static __attribute__((noinline)) int c_leaf(int *p) { return *p; }
static __attribute__((noinline)) int c_fault(int *p) { return c_leaf(p) + 1; }
static void c_abort(void) { abort(); }
static void c_call(int n) { goCallback(n); }
static void c_sleep(void) { for (;;) pause(); }
static void *c_thread(void *arg) { goCallback(*(int *)arg); return 0; }
static int c_thread_call(int n) {
	pthread_t t;
	static int arg;
	arg = n;
	if (pthread_create(&t, 0, c_thread, &arg)) return 1;
	return pthread_join(t, 0);
}
static volatile int spinning = 1;
static void c_spin(void) { while (spinning) {} }
*/
import "C"

import (
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

var crashes = map[string]func(){
	"fault":    func() { C.c_fault(nil) },
	"abort":    func() { C.c_abort() },
	"callback": func() { C.c_call(1) },
	"nested":   func() { C.c_call(3) },
	"thread":   func() { C.c_thread_call(1) },
	"sleep":    func() { go C.c_sleep(); time.Sleep(50 * time.Millisecond); panic("others sleep in C") },
	"spin":     func() { fmt.Println("ready"); C.c_spin() },
	"nil":      func() { leaf(nil) },
}

//export goCallback
func goCallback(n C.int) {
	if n > 1 {
		C.c_call(n - 1)
	}
	leaf(nil)
}

//go:noinline
func leaf(p *int) int { return *p }

func main() {
	if f := os.Getenv("CRASH_OUTPUT_FD"); f != "" {
		debug.SetCrashOutput(os.NewFile(3, "crash"), debug.CrashOptions{})
	}
	crashes[os.Args[1]]()
}
