// Command repanic panics while it cleans up after a panic, as a deferred
// function does that relies on what was never set up.
//
// Expect both panics, oldest first, and the faulting line in the deferred
// function; the first panic's line is further down the same stack.
//
// CRASH: main.(*transaction).rollback
// KIND: panic
// MESSAGE: rollback of 42: no connection
package main

import (
	"errors"
	"fmt"

	"github.com/corekit/corekit/sdk"
)

type transaction struct {
	id   int
	conn func() error
}

func main() {
	sdk.Start(sdk.Config{})
	transfer(42, -5)
}

func transfer(id, amount int) {
	tx := &transaction{id: id, conn: func() error { return errors.New("no connection") }}
	defer tx.rollback()
	tx.debit(amount)
}

//go:noinline
func (tx *transaction) debit(amount int) {
	if amount < 0 {
		panic(fmt.Sprintf("transaction %d: negative amount %d", tx.id, amount))
	}
}

//go:noinline
func (tx *transaction) rollback() {
	if err := tx.conn(); err != nil {
		panic(fmt.Errorf("rollback of %d: %w", tx.id, err))
	}
}
