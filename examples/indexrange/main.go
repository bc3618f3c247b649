// Command indexrange computes percentiles and forgets that the hundredth one
// of n values is not at index n: a slice index is out of range.
//
// Expect the faulting line in percentile, with p, the index and the slice.
//
// CRASH: main.percentile
// KIND: panic
// MESSAGE: index out of range [8] with length 8
package main

import (
	"fmt"
	"slices"

	"github.com/corekit/corekit/sdk"
)

func main() {
	sdk.Start(sdk.Config{})
	latencies := []int{12, 7, 31, 9, 14, 8, 250, 11}
	report(latencies, 50, 90, 100)
}

func report(values []int, percentiles ...int) {
	slices.Sort(values)
	for _, p := range percentiles {
		fmt.Printf("p%d = %d ms\n", p, percentile(values, p))
	}
}

//go:noinline
func percentile(sorted []int, p int) int {
	i := len(sorted) * p / 100
	return sorted[i]
}
