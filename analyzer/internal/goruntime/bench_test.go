//go:build linux && amd64

package goruntime_test

import (
	"os"
	"testing"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// BenchmarkStacks lists and unwinds all goroutines of a core of 100 000.
func BenchmarkStacks(b *testing.B) {
	exe := buildProgram(b, "crash", "-ldflags=-s -w")
	// Level "crash" would print them all first.
	in, release := dieHeld(b, exe, "crowd")
	defer release()
	b.ResetTimer()
	for b.Loop() {
		p, err := goruntime.Open(in)
		if err != nil {
			b.Fatal(err)
		}
		gs, err := p.Goroutines()
		if err != nil {
			b.Fatal(err)
		}
		frames := 0
		for _, g := range gs {
			s, err := p.Stack(g)
			if err != nil {
				b.Fatal(err)
			}
			frames += len(s.Frames)
		}
		b.ReportMetric(float64(len(gs)), "goroutines")
		b.ReportMetric(float64(frames)/float64(len(gs)), "frames/goroutine")
	}
}

// BenchmarkDeep unwinds a stack that overflowed, of some millions of frames.
func BenchmarkDeep(b *testing.B) {
	exe := buildProgram(b, "crash", "-ldflags=-s -w")
	in, release := dieHeld(b, exe, "overflow-small")
	defer release()
	b.ResetTimer()
	for b.Loop() {
		p, err := goruntime.Open(in)
		if err != nil {
			b.Fatal(err)
		}
		c, err := p.Crash()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(c.Stack.Elided), "frames")
	}
}

// BenchmarkOpen opens a process of few goroutines, stripped: everything has
// to be searched.
func BenchmarkOpen(b *testing.B) {
	exe := buildProgram(b, "crash", "-ldflags=-s -w")
	_, core := dieWithCore(b, exe, scenario{name: "mixed"})
	defer os.Remove(core)
	in := openCore(b, core, exe)
	for b.Loop() {
		if _, err := goruntime.Open(in); err != nil {
			b.Fatal(err)
		}
	}
}
