// Command crash has some threads and known memory, and dies of a nil
// dereference.
package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Marks in data, read-only data, bss and heap that tests look for.
var (
	Data  = [4]uint64{0x1122334455667788, 2, 3, 0x8877665544332211}
	Bss   [1 << 16]byte
	Heap  *[4]uint64
	Holes []byte // pages 0 and 1000 written, the rest never touched

	keep any = &Data
)

type node struct{ value *int }

//go:noinline
func (n *node) get() int { return *n.value }

func main() {
	Heap = &[4]uint64{0xfeedface, 1, 2, 3}
	Holes, _ = syscall.Mmap(-1, 0, 4<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	Holes[0], Holes[1000*4096] = 0xaa, 0xbb
	threads := 4
	if len(os.Args) > 1 {
		threads, _ = strconv.Atoi(os.Args[1])
	}
	for range threads {
		go func() {
			runtime.LockOSThread()
			var ts = syscall.Timespec{Sec: 60}
			syscall.Nanosleep(&ts, nil)
		}()
	}
	time.Sleep(50 * time.Millisecond)
	println((&node{}).get()+int(Bss[0]), keep)
}
