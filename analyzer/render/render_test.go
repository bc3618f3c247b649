package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/corekit/corekit/analyzer/report"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update rewrites it), got:\n%s", path, got)
	}
}

func render(t testing.TB, r *report.Report, opts TextOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, r, opts); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTextGolden(t *testing.T) {
	for _, tt := range []struct {
		name   string
		report *report.Report
		opts   TextOptions
	}{
		{"panic", panicReport(), TextOptions{}},
		{"panic-80", panicReport(), TextOptions{Width: 80}},
		{"panic-color", panicReport(), TextOptions{Color: true, Width: 100}},
		{"panic-verbose", panicReport(), TextOptions{Verbose: true}},
		{"deadlock", deadlockReport(), TextOptions{Width: 100}},
		{"signal", signalReport(), TextOptions{Width: 100}},
		{"snapshot", snapshotReport(), TextOptions{Width: 100}},
		{"snapshot-2groups", snapshotReport(), TextOptions{Width: 100, MaxGroups: 2}},
		{"unknown", unknownReport(), TextOptions{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			golden(t, tt.name+".txt", render(t, tt.report, tt.opts))
		})
	}
}

// The crash and the goroutine's stack fit on one screen, however much there
// is to say.
func TestFirstScreen(t *testing.T) {
	r := panicReport()
	c := r.Crash
	c.Message = strings.Repeat("line\n", 50)
	for i := range 50 {
		c.Panics = append(c.Panics, report.Panic{Value: "again"})
		c.Frame.Locals = append(c.Frame.Locals, report.Variable{Name: "x", Type: "int", Value: strings.Repeat("1 ", 200)})
		g := &r.Goroutines[0]
		g.Stack = append(g.Stack, frame("main.recurse", app, i))
	}
	out := render(t, r, TextOptions{Width: 80})
	lines := strings.Split(string(out), "\n")
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "10000 other goroutines") }); i < 0 || i > 41 {
		t.Errorf("the goroutines begin at line %d:\n%s", i, out)
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n > 80 {
			t.Errorf("line of %d columns: %s", n, l)
		}
	}
}

func TestJSONGolden(t *testing.T) {
	r := panicReport()
	r.Groups = r.Groups[:2] // not ten thousand ids
	var b bytes.Buffer
	if err := JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	golden(t, "panic.json", b.Bytes())
	var back report.Report
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	r.Capture.Missing, r.Warnings = []string{}, []string{}
	if !reflect.DeepEqual(&back, r) {
		t.Errorf("got back %+v", back)
	}
}

func TestJSONListsAreNotNull(t *testing.T) {
	var b bytes.Buffer
	r := &report.Report{Goroutines: []report.Goroutine{{ID: 1}}, Groups: []report.Group{{Count: 1}}}
	for _, r := range []*report.Report{{}, r} {
		b.Reset()
		if err := JSON(&b, r); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "null") || !strings.Contains(b.String(), `"schema": 1`) {
			t.Errorf("%s", b.String())
		}
	}
	if r.Goroutines[0].Stack != nil || r.Warnings != nil {
		t.Error("the report was changed")
	}
}

// hostile sets every string within v.
func hostile(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Pointer:
		if !v.IsNil() {
			hostile(v.Elem(), s)
		}
	case reflect.Slice:
		for i := range v.Len() {
			hostile(v.Index(i), s)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				hostile(v.Field(i), s)
			}
		}
	}
}

func checkPrintable(t *testing.T, out []byte) {
	t.Helper()
	if !utf8.Valid(out) {
		t.Errorf("invalid UTF-8: %q", out)
	}
	for i, r := range string(out) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%U in the output, after %q", r, out[max(0, i-40):i])
		}
	}
}

// FuzzText: whatever the strings, the output is printable lines of the width
// asked for, and JSON gives the same strings back.
func FuzzText(f *testing.F) {
	f.Add("a\x1b[31m\x9b2J\u009b\u202e\x00\x7f\u2028", 80)
	f.Add("main.f\r\n\tx\xff\xfe\U000e0001", 1)
	f.Add("日本語 ok", 7)
	f.Fuzz(func(t *testing.T, s string, width int) {
		width = max(0, width%200)
		for _, r := range []*report.Report{panicReport(), deadlockReport(), signalReport(), snapshotReport()} {
			r.Groups = r.Groups[:1]
			kind := r.Crash.Kind
			hostile(reflect.ValueOf(r).Elem(), s)
			for _, r.Crash.Kind = range []report.Kind{kind, report.Kind(s)} {
				for _, verbose := range []bool{false, true} {
					out := render(t, r, TextOptions{Width: width, Verbose: verbose})
					checkPrintable(t, out)
					for l := range strings.Lines(string(out)) {
						if n := utf8.RuneCountInString(l) - 1; width > 0 && n > width {
							t.Fatalf("%d columns of %d: %q", n, width, l)
						}
					}
				}
			}
			var b bytes.Buffer
			if err := JSON(&b, r); err != nil {
				t.Fatal(err)
			}
			checkPrintable(t, b.Bytes())
			var back report.Report
			if err := json.Unmarshal(b.Bytes(), &back); err != nil {
				t.Fatal(err)
			}
			if want := strings.ToValidUTF8(s, "\uFFFD"); utf8.ValidString(s) && back.Target.Exe != want {
				t.Fatalf("%q came back as %q", want, back.Target.Exe)
			}
		}
	})
}

type brokenWriter struct{}

var errBroken = errors.New("disk full")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteErrors(t *testing.T) {
	if err := Text(brokenWriter{}, panicReport(), TextOptions{}); !errors.Is(err, errBroken) {
		t.Errorf("Text: %v", err)
	}
	if err := JSON(brokenWriter{}, panicReport()); !errors.Is(err, errBroken) {
		t.Errorf("JSON: %v", err)
	}
}

func TestWaited(t *testing.T) {
	for seconds, want := range map[float64]string{0: "", -1: "", 0.25: "250ms", 5.2: "5s", 61: "1m1s", 7300: "2h2m", 1e18: "over a year"} {
		if got := waited(seconds); got != want {
			t.Errorf("%g s: %q, want %q", seconds, got, want)
		}
	}
}

// many has n goroutines, each in a group of its own.
func many(n int) *report.Report {
	r := panicReport()
	for i := range n {
		g := workers(1)
		g.IDs[0] = uint64(1000 + i)
		r.Groups = append(r.Groups, g)
		r.Goroutines = append(r.Goroutines, report.Goroutine{ID: g.IDs[0], Status: g.Status, Stack: g.Stack})
	}
	return r
}

func TestManyGoroutinesShort(t *testing.T) {
	out := render(t, many(10000), TextOptions{Width: 100})
	if n := bytes.Count(out, []byte("\n")); n > 80 {
		t.Errorf("%d lines", n)
	}
}

func BenchmarkText10000(b *testing.B) {
	r := many(10000)
	for b.Loop() {
		render(b, r, TextOptions{Width: 100, Verbose: true})
	}
}

func BenchmarkJSON10000(b *testing.B) {
	r := many(10000)
	for b.Loop() {
		var buf bytes.Buffer
		if err := JSON(&buf, r); err != nil {
			b.Fatal(err)
		}
	}
}
