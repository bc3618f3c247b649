package render

import (
	"bytes"
	"strings"
	"testing"

	"github.com/corekit/corekit/analyzer/report"
)

// stackOf makes a stack of functions of main, one for each letter.
func stackOf(letters string) (out []report.Frame) {
	for _, l := range letters {
		out = append(out, frame("main."+string(l), app, int(l)))
	}
	return out
}

// However a stack is folded, its rows stand for all of its frames.
func TestFold(t *testing.T) {
	for letters, want := range map[string]string{
		"abc":             "a b c",
		"aaabc":           "a a a b c",
		"xaaaaam":         "x a *4 m",
		"abababababm":     "a b *4 m",
		"abcabcabcabcabz": "a b c *3 a b z",
		"aaaaabbbbb":      "a *4 b *4",
	} {
		stack := stackOf(letters)
		tr := &textRenderer{r: &report.Report{}}
		rows := tr.fold(stack, elision{})
		var got []string
		n := 0
		for _, r := range rows {
			n += r.frames()
			if r.frame != nil {
				got = append(got, strings.TrimPrefix(r.frame.Function, "main."))
			} else {
				got = append(got, "*"+string(rune('0'+r.repeated)))
			}
		}
		if s := strings.Join(got, " "); s != want || n != len(stack) {
			t.Errorf("%s: %s, of %d frames; want %s, of %d", letters, s, n, want, len(stack))
		}
	}
}

// Frames that were left out in the middle of a recursion are no part of it.
func TestFoldElided(t *testing.T) {
	tr := &textRenderer{r: &report.Report{}}
	rows := tr.fold(stackOf("aaaaaaaaaa"), elision{n: 1000, at: 5})
	if len(rows) != 5 || rows[2].elided != 1000 || rows[1].repeated != 4 || rows[4].repeated != 4 {
		t.Errorf("%+v", rows)
	}
}

// Of a stack that is cut, the end is shown: there is main.
func TestStackEnd(t *testing.T) {
	var b bytes.Buffer
	tr := &textRenderer{printer: newPrinter(&b, TextOptions{}), r: &report.Report{}}
	tr.stack(stackOf("abcdefghijklmnopqrstuvwxyz"), elision{}, "  ", 9)
	tr.w.Flush()
	out := b.String()
	if strings.Count(out, "\n") != 10 || !strings.Contains(out, "… 17 more frames\n") || !strings.HasSuffix(out, "main.z  /src/app/main.go:122\n") {
		t.Errorf("%s", out)
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		text string
		most int
		want string
	}{
		{"short", 3, "short\n"},
		{"one two three four five six", 3, "one two three four\n  five six\n"},
		{"one two three four five six seven eight nine ten", 2, "one two three four\n  five six seven ei…\n"},
		{strings.Repeat("x", 40), 0, strings.Repeat("x", 20) + "\n  " + strings.Repeat("x", 18) + "\n  xx\n"},
	} {
		var b bytes.Buffer
		p := newPrinter(&b, TextOptions{Width: 20})
		p.wrap("  ", tt.most, text(tt.text))
		p.w.Flush()
		if b.String() != tt.want {
			t.Errorf("%q:\n%s", tt.text, b.String())
		}
	}
}
