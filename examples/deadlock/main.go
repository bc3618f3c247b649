// Command deadlock has a producer, consumers and a mutex that wait for each
// other: all goroutines are asleep.
//
// Expect no faulting goroutine, and for every goroutine what it waits for.
//
// CRASH: none
// KIND: fatal
// MESSAGE: all goroutines are asleep - deadlock!
package main

import (
	"sync"

	"github.com/corekit/corekit/sdk"
)

type queue struct {
	mu    sync.Mutex
	total int // guarded by mu
	jobs  chan int
	done  chan bool
}

func main() {
	sdk.Start(sdk.Config{})
	q := &queue{jobs: make(chan int), done: make(chan bool)}
	go q.produce()
	for range 3 {
		go q.consume()
	}
	<-q.done
}

// produce holds the lock while it waits for somebody to take a job.
func (q *queue) produce() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range 10 {
		q.jobs <- i
	}
	close(q.done)
}

// consume takes the lock for every job that it has received: too late.
func (q *queue) consume() {
	for n := range q.jobs {
		q.mu.Lock()
		q.total += n
		q.mu.Unlock()
	}
}
