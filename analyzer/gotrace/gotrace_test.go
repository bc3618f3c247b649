package gotrace_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/corekit/corekit/analyzer/gotrace"
)

const sample = `panic: boom
	more of it
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48c5a3]

goroutine 1 gp=0xc000002380 m=0 mp=0x5c8d80 [running]:
panic({0x4a5b00?, 0xc0000140b0?})
	/usr/lib/go/src/runtime/panic.go:787 +0x132 fp=0xc00006ef10 sp=0xc00006ee60 pc=0x46d2b2
main.(*T).f(...)
	/home/a b/x:y/main.go:12
main.F[...](0x1, {0x2, ...})
	/home/a/main.go:15 +0x1d fp=0xc00006ef10 sp=0xc00006ee60 pc=0x46d2b2

goroutine 18 gp=0xc000002e00 m=nil [chan receive, 5 minutes, locked to thread]:
main.deep(0x1)
	/home/a/main.go:20 +0x1d
...4902 frames elided...
main.deep(0x2)
	/home/a/main.go:21 +0x1d
created by main.main in goroutine 1
	/home/a/main.go:30 +0x25

goroutine 19 [running]:
	goroutine running on other thread; stack unavailable
created by main.main in goroutine 1
	/home/a/main.go:31 +0x25
exit status 2
`

func TestParse(t *testing.T) {
	got, err := gotrace.Parse(sample)
	if err != nil {
		t.Fatal(err)
	}
	main := func(line int) *gotrace.Frame {
		return &gotrace.Frame{Function: "main.main", File: "/home/a/main.go", Line: line}
	}
	want := &gotrace.Trace{
		Messages: []string{"panic: boom", "\tmore of it", "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48c5a3]"},
		Goroutines: []gotrace.Goroutine{
			{ID: 1, Header: "running", State: "running", Frames: []gotrace.Frame{
				{"panic", "/usr/lib/go/src/runtime/panic.go", 787},
				{"main.(*T).f", "/home/a b/x:y/main.go", 12},
				{"main.F[...]", "/home/a/main.go", 15},
			}},
			{ID: 18, Header: "chan receive, 5 minutes, locked to thread", State: "chan receive", Frames: []gotrace.Frame{
				{"main.deep", "/home/a/main.go", 20},
				{"main.deep", "/home/a/main.go", 21},
			}, Elided: 4902, ElidedAt: 1, CreatedBy: main(30), Parent: 1},
			{ID: 19, Header: "running", State: "running", Unavailable: true, CreatedBy: main(31), Parent: 1},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseNone(t *testing.T) {
	if _, err := gotrace.Parse("hello\n"); err != gotrace.ErrNoTrace {
		t.Errorf("got error %v, want %v", err, gotrace.ErrNoTrace)
	}
}

// FuzzParse checks that no text is invented: whatever is parsed stands in the
// input.
func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("runtime stack:\nruntime.throw({0x1, 0x2})\n\t/x/panic.go:1 +0x1\n")
	f.Add("goroutine 1 [running]:\ncreated by x in goroutine 7")
	f.Fuzz(func(t *testing.T, text string) {
		tr, err := gotrace.Parse(text)
		if (err != nil) != (len(tr.Goroutines) == 0) {
			t.Fatalf("%d goroutines, error %v", len(tr.Goroutines), err)
		}
		for _, g := range tr.Goroutines {
			if g.ElidedAt > len(g.Frames) {
				t.Errorf("elided at %d of %d", g.ElidedAt, len(g.Frames))
			}
			for _, fr := range g.Frames {
				if !strings.Contains(text, fr.Function) || !strings.Contains(text, fr.File) {
					t.Errorf("%+v is not in the text", fr)
				}
			}
		}
	})
}
