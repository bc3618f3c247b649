// Crash dies in the manner that its argument names.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

var crashes = map[string]func(){
	"nil-leaf":      func() { callLeaf(nil) },
	"nil-inline":    func() { callInline(nil) },
	"nil-inline2":   func() { callInline2(nil) },
	"nil-func":      func() { callNil(nil) },
	"nil-method":    nilMethod,
	"nil-wrapper":   nilWrapper,
	"nil-iface":     nilInterface,
	"nil-map":       nilMap,
	"memmove":       badCopy,
	"index":         func() { index([]int{1, 2}, 5) },
	"divide":        func() { divide(1, zero) },
	"error":         func() { panic(&codeError{42, "no\nsuch thing"}) },
	"stringer":      func() { panic(level(3)) },
	"string":        func() { panic("two\nlines") },
	"type-string":   func() { panic(plain("x")) },
	"type-int":      func() { panic(number(-7)) },
	"type-float":    func() { panic(ratio(1.5)) },
	"complex":       func() { panic(complex(1, -2)) },
	"bool":          func() { panic(true) },
	"uint8":         func() { panic(uint8(200)) },
	"struct":        func() { panic(point{1, 2}) },
	"pointer":       func() { panic(&point{1, 2}) },
	"goroutine":     func() { many(1000, func() { panic("one of many") }) },
	"repanic":       repanic,
	"repanic-other": repanicOther,
	"recovered":     recovered,
	"defer":         inDefer,
	"goexit":        goexitPanic,
	"map-write":     mapWrite,
	"unlock":        func() { var mu sync.Mutex; mu.Unlock() },
	"deadlock":      deadlock,
	"deadlock-exit": func() { runtime.Goexit() },
	"overflow":      func() { overflow(0) },
	"deep":          func() { deep(1000) },
	"fault":         fault,
	"closed":        closed,
	"assertion":     assertion,
	"mixed":         mixed,
	"finalizer":     finalizer,
	"sort":          inSort,
	"reflect":       func() { reflect.ValueOf(index).Call([]reflect.Value{reflect.ValueOf([]int(nil)), reflect.ValueOf(3)}) },
	"spin":          func() { spinners(3); spinMain() },
	"spin-systems":  func() { go gcLoop(); spinMain() },
	"idle":          func() { ready(); <-signals() },
	"idle-timer":    func() { ready(); time.Sleep(time.Hour) },
	"clock":         func() { ready(); clockLoop() },
	"syscall":       func() { ready(); readPipe() },
	"self-abort":    func() { syscall.Kill(os.Getpid(), syscall.SIGABRT); spinMain() },
	"two":           twoAtOnce,
	"array":         bigFrame,
	"labels":        labelled,

	// Without a scenario: for benchmarks.
	"crowd":          func() { many(100_000, func() { panic("one of many") }) },
	"overflow-small": func() { overflowSmall(0) },
}

func main() {
	if f := os.Getenv("CRASH_OUTPUT_FD"); f != "" {
		debug.SetCrashOutput(os.NewFile(3, "crash"), debug.CrashOptions{})
	}
	crashes[os.Args[1]]()
}

// signals keeps the deadlock detector away without being what it is for.
func signals() chan int {
	ch := make(chan int)
	time.AfterFunc(time.Hour, func() { close(ch) })
	return ch
}

func ready() { fmt.Println("ready") }

type point struct{ x, y int }

type node struct {
	pad  [64]byte
	next *node
	n    int
}

//go:noinline
func leaf(p *node) int { return p.n }

//go:noinline
func callLeaf(p *node) int {
	x := leaf(p)
	return x + 1
}

func inlined(p *node) int { return p.n + 1 }

func inlined2(p *node) int {
	if p == (*node)(unsafe.Pointer(&sink)) {
		return 1
	}
	return inlined(p) * 2
}

//go:noinline
func callInline(p *node) int {
	sink++
	return inlined(p)
}

//go:noinline
func callInline2(p *node) int {
	sink++
	return inlined2(p)
}

var sink, zero int

//go:noinline
func callNil(f func(int) int) int { return f(3) + 1 }

type val struct{ a, b int }

func (v val) get() int { return v.a + v.b }

type getter interface{ get() int }

func nilMethod() {
	var v *val
	var g getter = v
	sink = g.get()
}

// Called through the interface's method table: the wrapper panics.
//
//go:noinline
func nilWrapper() { callGetter((*val)(nil)) }

//go:noinline
func callGetter(g getter) { sink = g.get() }

func nilInterface() {
	var g getter
	sink = g.get()
}

//go:noinline
func nilMap() {
	var m map[string]int
	m["x"] = 1
}

//go:noinline
func badCopy() {
	p := (*[1 << 20]byte)(nil)
	b := make([]byte, 1<<20)
	copy(b, p[:4096])
}

//go:noinline
func index(s []int, i int) int { return s[i] }

//go:noinline
func divide(a, b int) int { return a / b }

type codeError struct {
	code int
	text string
}

func (e *codeError) Error() string { return fmt.Sprintf("code %d: %s", e.code, e.text) }

type level int

func (l level) String() string { return "level " + strings.Repeat("*", int(l)) }

type (
	plain  string
	number int
	ratio  float64
)

func many(n int, f func()) {
	var wg sync.WaitGroup
	block := make(chan int)
	for i := range n {
		wg.Add(1)
		go func() {
			wg.Done()
			if i == n/2 {
				time.Sleep(50 * time.Millisecond)
				f()
			}
			<-block
		}()
	}
	wg.Wait()
	<-block
}

func repanic() {
	defer func() {
		r := recover()
		panic(r)
	}()
	panic(errors.New("again"))
}

func repanicOther() {
	defer func() {
		panic(fmt.Sprint("second after ", recover()))
	}()
	index(nil, 1)
}

func recovered() {
	func() {
		defer func() { recover() }()
		callLeaf(nil)
	}()
	panic(fmt.Errorf("wrapped: %w", io.EOF))
}

func inDefer() {
	defer func() { index(nil, 7) }()
	panic("first")
}

func goexitPanic() {
	done := make(chan int)
	go func() {
		defer func() { panic("in goexit") }()
		runtime.Goexit()
	}()
	<-done
}

func mapWrite() {
	m := make(map[int]int)
	go func() {
		for i := 0; ; i++ {
			writeMap(m, i)
		}
	}()
	for i := 0; ; i++ {
		writeMap(m, i)
	}
}

//go:noinline
func writeMap(m map[int]int, i int) { m[i&1023] = i }

func deadlock() {
	ch := make(chan int)
	go func() { ch <- 1 }()
	var mu sync.Mutex
	mu.Lock()
	mu.Lock()
}

//go:noinline
func overflow(n int) int {
	var pad [100]int
	pad[n%100] = n
	return overflow(n+1) + pad[n%50]
}

//go:noinline
func overflowSmall(n int) int { return overflowSmall(n+1) + 1 }

//go:noinline
func deep(n int) int {
	if n == 0 {
		panic("bottom")
	}
	return deep(n-1) + 1
}

//go:noinline
func fault() {
	p := (*int)(unsafe.Pointer(uintptr(0xdeadbeef0000)))
	*p = 1
}

func closed() {
	ch := make(chan int)
	close(ch)
	close(ch)
}

//go:noinline
func assertion() {
	var x any = "text"
	sink = x.(int)
}

type counter[T any] struct{ v T }

//go:noinline
func (c *counter[T]) wait(ch chan T) { c.v = <-ch }

//go:noinline
func generic[K comparable, V any](m map[K]V, k K, wait chan V) V {
	m[k] = <-wait
	return m[k]
}

type server struct{ mu, rw *sync.RWMutex }

func (s *server) lock() { s.mu.Lock() }

func (s server) value(ch chan int) { <-ch }

func mixed() {
	s := server{new(sync.RWMutex), new(sync.RWMutex)}
	s.mu.Lock()
	s.rw.Lock()
	ch := make(chan int)
	str := make(chan string)
	go s.lock()
	f := s.lock
	go f()
	go func() { f() }()
	go (&s).value(ch)
	go func() { s.rw.RLock() }()
	go generic(map[string]int{}, "a", ch)
	go (&counter[string]{}).wait(str)
	go func() {
		select {
		case <-ch:
		case ch <- 1:
		case <-str:
		}
	}()
	go func() {
		select {
		case <-ch:
		case <-time.After(time.Hour):
		}
	}()
	go func() { var c chan int; <-c }()
	go func() { select {} }()
	go func() { time.Sleep(time.Hour) }()
	go func() {
		c := sync.NewCond(&sync.Mutex{})
		c.L.Lock()
		c.Wait()
	}()
	go func() { var wg sync.WaitGroup; wg.Add(1); wg.Wait() }()
	go readPipe()
	go func() { <-context.Background().Done() }()
	go func() {
		defer func() {
			recover()
			<-ch
		}()
		callLeaf(nil)
	}()
	go func() {
		defer func() { <-ch }()
		index(nil, 1)
	}()
	go func() { sort.Slice([]int{1, 2}, func(i, j int) bool { <-ch; return false }) }()
	go func() { runtime.LockOSThread(); <-ch }()
	runtime.GC()
	time.Sleep(100 * time.Millisecond)
	panic("mixed")
}

func readPipe() {
	var fds [2]int
	syscall.Pipe(fds[:])
	var b [1]byte
	syscall.Read(fds[0], b[:])
}

func finalizer() {
	p := &node{}
	runtime.SetFinalizer(p, func(*node) { panic("in finalizer") })
	p = nil
	for {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}

func inSort() {
	s := []int{3, 2, 1}
	sort.Slice(s, func(i, j int) bool { return s[i+10] < s[j] })
}

func spinners(n int) {
	for range n {
		go spin(&sink)
	}
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
}

//go:noinline
func spin(p *int) {
	for i := 0; ; i++ {
		if i < 0 {
			*p++
		}
	}
}

//go:noinline
func spinMain() {
	ready()
	spin(&zero)
}

func gcLoop() {
	for {
		keep = make([]byte, 1<<16)
	}
}

var keep []byte

func clockLoop() {
	for {
		if time.Now().IsZero() {
			sink++
		}
	}
}

func twoAtOnce() {
	start := make(chan int)
	for range 4 {
		go func() {
			<-start
			index(nil, 2)
		}()
	}
	time.Sleep(10 * time.Millisecond)
	close(start)
	select {}
}

//go:noinline
func bigFrame() {
	var a [1 << 14]int
	fill(&a)
	index(a[:10], 11)
}

//go:noinline
func fill(a *[1 << 14]int) {
	for i := range a {
		a[i] = int(uintptr(unsafe.Pointer(a))) + i
	}
}

func labelled() {
	pprof.Do(context.Background(), pprof.Labels("job", "nightly", "part", "2"), func(context.Context) { panic("labelled") })
}
