// Command manygoroutines has 10 000 goroutines waiting for work, one of which
// panics with an error of its own type.
//
// Expect the one goroutine that died, and the others in a single group.
//
// CRASH: main.(*account).charge
// KIND: panic
// MESSAGE: account 7777: quota of 100 exceeded by 23
package main

import (
	"fmt"
	"sync"

	"github.com/corekit/corekit/sdk"
)

type quotaError struct {
	account, quota, used int
}

func (e *quotaError) Error() string {
	return fmt.Sprintf("account %d: quota of %d exceeded by %d", e.account, e.quota, e.used-e.quota)
}

type account struct {
	id, used int
	work     chan int
}

func main() {
	sdk.Start(sdk.Config{})
	var ready sync.WaitGroup
	accounts := make([]*account, 10_000)
	for i := range accounts {
		accounts[i] = &account{id: i, used: i % 100, work: make(chan int)}
		ready.Add(1)
		go accounts[i].serve(&ready)
	}
	ready.Wait()
	accounts[7777].work <- 46
	select {} // the panic ends the program
}

func (a *account) serve(ready *sync.WaitGroup) {
	ready.Done()
	for units := range a.work {
		a.charge(units)
	}
}

//go:noinline
func (a *account) charge(units int) {
	a.used += units
	if quota := 100; a.used > quota {
		panic(&quotaError{a.id, quota, a.used})
	}
}
