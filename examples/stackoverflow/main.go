// Command stackoverflow measures a linked list that is a ring: the recursion
// ends when the stack is full.
//
// Expect a great many equal frames, most of them elided, and main at the bottom.
//
// CRASH: main.(*node).length
// KIND: fatal
// MESSAGE: stack overflow
package main

import (
	"fmt"
	"runtime/debug"

	"github.com/corekit/corekit/sdk"
)

type node struct {
	value int
	next  *node
}

func main() {
	sdk.Start(sdk.Config{})
	debug.SetMaxStack(64 << 20) // of 1 GiB by default; this is quicker
	fmt.Println(ring(5).length(0))
}

// ring returns the first of n nodes, to which the last one leads back.
func ring(n int) *node {
	first := &node{value: 1}
	last := first
	for i := 2; i <= n; i++ {
		last.next = &node{value: i}
		last = last.next
	}
	last.next = first
	return first
}

//go:noinline
func (n *node) length(before int) int {
	if n == nil {
		return before
	}
	return n.next.length(before + 1)
}
