// Command httpserver answers a request, made by itself, and starts a goroutine
// that dies after the handler has returned. net/http recovers panics of
// handlers, but not of their goroutines.
//
// Expect the faulting line in record, a write to a nil map, and as the place
// where the goroutine was created the handler.
//
// CRASH: main.(*audit).record
// KIND: panic
// MESSAGE: assignment to entry in nil map
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/corekit/corekit/sdk"
)

type audit struct {
	seen map[string]int // somebody forgot to make it
}

func main() {
	sdk.Start(sdk.Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(l, &audit{})

	resp, err := http.Get(fmt.Sprintf("http://%s/orders/17", l.Addr()))
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	select {} // the panic ends the program
}

func (a *audit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	done := make(chan struct{})
	defer close(done)
	go a.record(r.URL.Path, done)
	fmt.Fprintln(w, "accepted")
}

func (a *audit) record(path string, done <-chan struct{}) {
	<-done
	a.seen[path]++
}
