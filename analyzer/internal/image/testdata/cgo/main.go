// Command cgo dies of a fault in C, with libraries in its address space.
package main

// #include <stdio.h>
// #include <stdlib.h>
// int mark = 0x5eed;
// static void die(void) { snprintf(malloc(100), 100, "%p", &mark); *(volatile int *)8 = 1; }
import "C"

import "fmt"

// Table is known memory in the data segment.
var Table = [3]uint64{0xdeadbeef, uint64(len(fmt.Sprint(C.mark))), 1 << 63}

func main() { C.die() }
