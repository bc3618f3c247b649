// Values panics in a function with arguments and locals of many types.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"
)

type Status int

const (
	StatusOpen Status = iota + 1
	StatusPaid
)

type Item struct {
	Name string
	Qty  uint8
}

type Order struct {
	ID     int
	Items  []Item
	Owner  *Person
	Status Status
}

type Person struct {
	Name string
	Age  int
	Next *Person
}

type MyErr struct{ Code int }

func (e *MyErr) Error() string { return fmt.Sprint("code ", e.Code) }

type Pair[K comparable, V any] struct {
	Key K
	Val V
}

var sink []any

func keep(a ...any) { sink = append(sink, a...) }

//go:noinline
func show(n int, name string, order *Order, err error) (result int) {
	small := int8(-5)
	flag := len(name) > 2
	ratio := 2.5
	cplx := complex(1, -2)
	long := strings.Repeat("x", 1000)
	ints := make([]int, 3, 4)
	copy(ints, []int{1, 2, 3})
	var nilSlice []string
	raw := []byte("hello")
	arr := [3]int16{7, 8, 9}
	m := map[string]int{"one": 1}
	var nilMap map[string]bool
	many := map[int]int{}
	for i := range 100 {
		many[i] = i * i
	}
	ch := make(chan int, 5)
	ch <- 1
	var nilChan chan string
	fn := strings.ToUpper
	var nilFn func()
	var nilErr error
	var nilPtr *Order
	iface := any(Item{"pen", 3})
	wrapped := fmt.Errorf("wrap: %w", err)
	dur := 1500 * time.Millisecond
	when := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	pair := Pair[string, int]{"k", 42}
	ptrptr := &order
	up := unsafe.Pointer(&n)
	weird := "a\x1b[31m\nb"
	person := Person{"Ann", 30, &Person{"Bob", 31, &Person{"Cid", 32, nil}}}
	closure := func() int { n++; return n }
	if n > 1000 {
		later := n
		keep(later)
	}
	name2 := name
	{
		name2 := 17
		keep(&name2)
		if n == 7 {
			panic(errors.New("boom")) // CRASH
		}
	}
	after := n
	keep(small, flag, ratio, cplx, long, ints, nilSlice, raw, arr, m, nilMap, many, ch, nilChan, fn, nilFn,
		nilErr, nilPtr, iface, wrapped, dur, when, pair, ptrptr, up, weird, person, closure, name2, after)
	return n
}

//go:noinline
func generic[T any](x T, list []T) int {
	n := len(list)
	if n > 1 {
		return show(7, "gopher", &Order{42, []Item{{"pen", 3}, {"ink", 1}}, &Person{"Ann", 30, nil}, StatusPaid}, &MyErr{5}) + n
	}
	keep(x, list)
	return n
}

func main() {
	total := generic("elem", os.Args[:1:1]) + generic(3, []int{4, 5})
	keep(total, StatusOpen)
}
