// Command started is the service bare with corekit in it. Without an address
// it prints what Start costs, in nanoseconds, and waits for its standard input
// to end.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/corekit/corekit/sdk"
)

func main() {
	begin := time.Now()
	rec := sdk.Start(sdk.Config{})
	took := time.Since(begin)
	if rec.Err() != nil {
		fmt.Fprintln(os.Stderr, rec.Err())
	}
	if len(os.Args) < 2 {
		fmt.Println(took.Nanoseconds())
		io.Copy(io.Discard, os.Stdin)
		return
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"path": r.URL.Path})
	})
	if err := http.ListenAndServe(os.Args[1], nil); err != nil {
		os.Exit(1)
	}
}
