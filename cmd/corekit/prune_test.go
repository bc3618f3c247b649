package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/corekit/corekit/sdk/bundle"
	"github.com/google/go-cmp/cmp"
)

func files(list []bundle.Entry) (names []string) {
	for _, e := range list {
		names = append(names, e.File)
	}
	return names
}

// What a dry run announces is what happens.
func TestPlanIsPrune(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	good := newBundle(t, t.TempDir(), bundle.Options{}, nil)
	head, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		dir := t.TempDir()
		for i := range rnd.IntN(14) {
			name := fmt.Sprintf("app-%s-%d.tar.gz", crashTime.Add(time.Duration(i)*time.Hour).Format("20060102T150405Z"), i+1)
			data := slices.Concat(head[:len(head):len(head)], make([]byte, rnd.IntN(4000)))
			switch rnd.IntN(8) {
			case 0:
				data = []byte("text, and long enough to look like something")
			case 1:
				data = nil
			case 2:
				data = []byte("\x1f\x8b\x08\x00 ordinary gzip, not of a bundle")
			case 3:
				data = []byte("\x28\xb5\x2f\xfd zstd")
			case 4:
				data = head[:rnd.IntN(20)]
			}
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		store := bundle.Store{Dir: dir, MaxCount: rnd.IntN(14) - 1, MaxBytes: int64(rnd.IntN(20)-1) * 1000, MinFree: -1}
		if rnd.IntN(10) == 0 {
			store.MinFree = 1 << 60 // never met
		}
		before, err := store.List()
		if err != nil {
			t.Fatal(err)
		}
		want := files(plan(store, before))
		if err := store.Prune(""); err != nil {
			t.Fatal(err)
		}
		after, err := store.List()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(files(after), want); diff != "" {
			t.Fatalf("%+v: %v: pruned - planned +:\n%s", store, files(before), diff)
		}
	}
}

// The plan counts what it frees.
func TestPlanFree(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		newBundle(t, dir, bundle.Options{Time: crashTime.Add(time.Duration(i) * time.Hour)}, nil)
	}
	store := bundle.Store{Dir: dir, MinFree: 10_000}
	list, err := store.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		free int64
		left int
	}{{10_000, 5}, {9_999, 4}, {10_000 - list[4].Size - 1, 3}, {-1 << 40, 1}} {
		if got := planWith(store, list, tt.free, 1<<40); len(got) != tt.left {
			t.Errorf("%d free: %d left, want %d", tt.free, len(got), tt.left)
		}
	}
	// By default 5 % stay free; where it is not known what is free, there is no bound.
	store.MinFree = 0
	if got := planWith(store, list, 4<<20, 100<<20); len(got) >= 5 {
		t.Error("the default bound does nothing")
	}
	if got := planWith(store, list, 0, 0); len(got) != 5 {
		t.Errorf("%d left", len(got))
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1": 1, "1k": 1024, "1K": 1024, "2KiB": 2048, "2KB": 2048, "1.5M": 3 << 19,
		"10GiB": 10 << 30, "10 GiB": 10 << 30, "1T": 1 << 40, "7B": 7,
	} {
		if got, err := parseSize(s); got != want || err != nil {
			t.Errorf("%q: %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "k", "-1", "1x", "1kk", "1iB", "1Mi Bx", "nan", "inf", "1e99", "9000000T", "GiB10"} {
		if got, err := parseSize(s); err == nil {
			t.Errorf("%q: %d", s, got)
		}
	}
}

// Whatever is typed, a bound is none, at least 1, or an error that leaves it.
func FuzzBound(f *testing.F) {
	for _, s := range []string{"", "0", "-1", "none", "12", "1.5G", "10GiB", "1e30", "0x10", "NaN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, b := range []bound{{}, {size: true}, {size: true, zero: true}} {
			before := b.n
			err := b.Set(s)
			switch {
			case err != nil && b.n != before:
				t.Errorf("%q: %v, and %d", s, err, b.n)
			case err == nil && b.n == 0 || b.n < -1:
				t.Errorf("%q: %d", s, b.n)
			}
			again := bound{size: b.size, zero: b.zero}
			if err == nil && (again.Set(b.String()) != nil || again.n != b.n) {
				t.Errorf("%q: %d reads back from %q as %d", s, b.n, b.String(), again.n)
			}
		}
	})
}

// Many candidates do not make an endless line.
func TestAmbiguous(t *testing.T) {
	dir := t.TempDir()
	for i := range 8 {
		newBundle(t, dir, bundle.Options{Name: "app", Time: crashTime, PID: i + 1}, nil)
	}
	status, _, said := corekit("show", "--dir", dir, "app-")
	if status != exitUsage || strings.Count(said, "app-2026") != maxCandidates+1 || !strings.Contains(said, " and 3 more\n") {
		t.Errorf("exit status %d: %s", status, said)
	}
}
