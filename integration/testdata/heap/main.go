// Command heap fills as many MiB of heap as its argument says with what
// services keep in memory: records with strings, numbers, times, pointers and
// maps. It then prints the time in nanoseconds and panics.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/corekit/corekit/sdk"
)

type session struct {
	ID      uint64
	User    string
	Email   string
	Created time.Time
	Seen    time.Time
	Token   [16]byte
	Labels  map[string]string
	Items   []*item
	Next    *session
}

type item struct {
	SKU   string
	Cents int
	Count int
	Note  []byte
}

var sessions []*session

func main() {
	sdk.Start(sdk.Config{})
	mib, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fill(uint64(mib) << 20)
	fmt.Println("ready")
	fmt.Println(time.Now().UnixNano())
	panic(fmt.Sprintf("with %d sessions", len(sessions)))
}

func fill(bytes uint64) {
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1_800_000_000, 0)
	var m runtime.MemStats
	for m.HeapAlloc < bytes {
		for range 2000 {
			sessions = append(sessions, newSession(r, now))
		}
		runtime.ReadMemStats(&m)
	}
}

func newSession(r *rand.Rand, now time.Time) *session {
	s := &session{
		ID:      r.Uint64(),
		User:    fmt.Sprintf("user-%d", r.IntN(1_000_000)),
		Created: now.Add(-time.Duration(r.IntN(1e9)) * time.Microsecond),
		Seen:    now,
		Labels:  map[string]string{"region": [...]string{"eu-west-1", "us-east-2", "ap-south-1"}[r.IntN(3)], "tier": "standard"},
	}
	s.Email = s.User + "@example.com"
	for i := range s.Token {
		s.Token[i] = byte(r.Uint32())
	}
	for range 1 + r.IntN(8) {
		s.Items = append(s.Items, &item{
			SKU: fmt.Sprintf("sku-%06d", r.IntN(100_000)), Cents: r.IntN(100_000), Count: 1 + r.IntN(5),
			Note: fmt.Appendf(nil, `{"gift":%t,"wrap":"none","weight_g":%d}`, r.IntN(2) == 0, r.IntN(5000)),
		})
	}
	if n := len(sessions); n > 0 {
		s.Next = sessions[r.IntN(n)]
	}
	return s
}
