// Command nilderef is a shop that bills its orders and dies at the first one
// without a coupon: a nil pointer is dereferenced three calls deep.
//
// Expect the faulting line in apply, with the order, c nil and the total that
// was to be reduced.
//
// CRASH: main.apply
// KIND: panic
// MESSAGE: invalid memory address or nil pointer dereference
// SIGNAL: SIGSEGV
package main

import (
	"fmt"

	"github.com/corekit/corekit/sdk"
)

type coupon struct {
	code    string
	percent int
}

type order struct {
	customer string
	cents    []int
	coupon   *coupon
	paid     int
}

func main() {
	sdk.Start(sdk.Config{})
	bill([]order{
		{"ada", []int{1999, 500}, &coupon{"WELCOME", 10}, 0},
		{"grace", []int{4200, 350, 99}, nil, 0},
	})
}

func bill(orders []order) {
	for i := range orders {
		fmt.Println(orders[i].customer, "pays", checkout(&orders[i]))
	}
}

//go:noinline
func checkout(o *order) int {
	shipping := 490 / len(o.cents)
	return apply(o, o.coupon) + shipping
}

//go:noinline
func apply(o *order, c *coupon) int {
	total := 0
	for _, n := range o.cents {
		total += n
	}
	o.paid = total - total*c.percent/100
	return o.paid
}
