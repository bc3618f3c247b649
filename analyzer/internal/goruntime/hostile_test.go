//go:build linux && amd64

package goruntime_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// damaged is memory in which some reads return garbage and some fail.
type damaged struct {
	goruntime.Memory
	rnd   *rand.Rand
	every int // one read in so many is damaged
	fail  bool
}

func (d *damaged) ReadMemory(p []byte, addr uint64) (int, error) {
	n, err := d.Memory.ReadMemory(p, addr)
	if err == nil && d.rnd.IntN(d.every) == 0 {
		if d.fail {
			return 0, errors.New("damaged")
		}
		for range 1 + len(p)/64 {
			i := d.rnd.IntN(len(p))
			p[i] = byte(d.rnd.Uint32())
			if len(p)-i >= 8 && d.rnd.IntN(4) == 0 {
				binary.LittleEndian.PutUint64(p[i:], d.rnd.Uint64()>>d.rnd.IntN(64))
			}
		}
	}
	return n, err
}

// TestDamaged reads damaged cores: the result may be anything, but it comes,
// and soon.
func TestDamaged(t *testing.T) {
	for _, name := range []string{"mixed", "deep", "spin"} {
		t.Run(name, func(t *testing.T) {
			exe := buildProgram(t, "crash", "-ldflags=-s -w")
			sc := scenario{name: name}
			for _, s := range scenarios {
				if s.name == name && !s.cgo {
					sc = s
				}
			}
			_, core := dieWithCore(t, exe, sc)
			defer os.Remove(core)
			whole := openCore(t, core, exe)
			begin := time.Now()
			for seed := range uint64(60) {
				in := whole
				in.Mem = &damaged{Memory: whole.Mem, rnd: rand.New(rand.NewPCG(seed, 1)), every: 1 << (1 + seed%10), fail: seed%3 == 0}
				exercise(in)
				if d := time.Since(begin); d > time.Minute {
					t.Fatalf("%v for %d runs", d, seed+1)
				}
			}
		})
	}
}

// exercise calls everything there is.
func exercise(in goruntime.Input) {
	p, err := goruntime.Open(in)
	if err != nil {
		return
	}
	gs, _ := p.Goroutines()
	for _, g := range gs {
		p.Stack(g)
	}
	p.Crash()
	for _, th := range in.Threads {
		p.ThreadStack(th.TID)
	}
	p.Warnings()
}

// TestOpenRefuses checks that what is no Go program is an error.
func TestOpenRefuses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	empty, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	for name, in := range map[string]goruntime.Input{
		"zero":             {},
		"no memory":        {Machine: 62, Exe: f},
		"no executable":    {Machine: 62, Mem: nothing{}},
		"not ELF":          {Machine: 62, Mem: nothing{}, Exe: empty},
		"other machine":    {Machine: 8, Mem: nothing{}, Exe: f},
		"mismatch":         {Machine: 183, Mem: nothing{}, Exe: f},
		"unmapped program": {Machine: 62, Mem: nothing{}, Exe: f},
	} {
		if p, err := goruntime.Open(in); err == nil {
			t.Errorf("%s: no error, %v", name, p)
		}
	}
}

// nothing is an empty address space.
type nothing struct{}

func (nothing) ReadMemory([]byte, uint64) (int, error) { return 0, errors.New("nothing there") }
