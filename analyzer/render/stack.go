package render

import (
	"fmt"
	"path"
	"strings"

	"github.com/corekit/corekit/analyzer/report"
)

// fault shows the faulting frame: source, arguments and locals.
func (t *textRenderer) fault() {
	if t.r.Crash == nil || t.r.Crash.Frame == nil {
		return
	}
	f := t.r.Crash.Frame
	t.line()
	t.frame("", *f, bold)
	last := 0
	for _, s := range f.Source {
		last = max(last, s.Line)
	}
	digits := len(fmt.Sprint(last))
	for _, s := range f.Source {
		code := strings.ReplaceAll(strings.TrimRight(s.Text, " \t\r\n"), "\t", "    ")
		mark, st := " ", plain
		if s.Current {
			mark, st = ">", yellow
		}
		number := fmt.Sprintf("  %s %*d", mark, digits, s.Line)
		if code != "" {
			number += "  "
		}
		t.line(text(number).in(st), text(code).in(st))
	}
	t.variables(f)
}

// variables shows arguments, then locals, within one limit of lines.
func (t *textRenderer) variables(f *report.Frame) {
	n := t.limit(len(f.Args)+len(f.Locals), maxVariables)
	left := n
	spare := maxVariables + 1 - n // lines for values that do not fit on one
	for _, l := range []struct {
		word string
		vars []report.Variable
	}{{"args    ", f.Args}, {"locals  ", f.Locals}} {
		word := l.word
		for _, v := range l.vars[:min(len(l.vars), left)] {
			begin := t.lines
			t.variable(word, v, 1+min(spare, maxValueLines-1))
			spare -= t.lines - begin - 1
			word = strings.Repeat(" ", len(word))
			left--
		}
	}
	t.rest(len(f.Args)+len(f.Locals)-n, "          ", "more variable")
}

// variable shows a variable on at most most lines.
func (t *textRenderer) variable(word string, v report.Variable, most int) {
	spans := []span{text("  " + word).in(dim), text(v.Name).in(cyan)}
	indent := strings.Repeat(" ", columns(spans[:1])+2)
	if v.Value == "" {
		t.wrap(indent, 1, append(spans, text(" "+v.Type), text(" ("+v.Unreadable+")").in(dim))...)
		return
	}
	// Composite values begin with their type.
	if rest, ok := strings.CutPrefix(v.Value, v.Type); !ok || rest == "" || rest[0] != ' ' && rest[0] != '(' && rest[0] != '{' {
		spans = append(spans, text(" "+v.Type))
	}
	if t.opts.Verbose {
		most = 0
	}
	t.wrap(indent, most, append(spans, text(" = "+v.Value))...)
}

// crashStack shows the stack of the goroutine that crashed.
func (t *textRenderer) crashStack() {
	g := t.crashed()
	if g == nil {
		return
	}
	title := []span{textf("goroutine %d", g.ID).in(bold), text(" [" + state(g.Status, g.WaitReason, g.WaitSeconds) + "]")}
	if g.CreatedBy != nil {
		by := "  created by " + g.CreatedBy.Function + " " + place(*g.CreatedBy)
		if g.Parent != 0 {
			by += fmt.Sprintf(" in goroutine %d", g.Parent)
		}
		title = append(title, text(by))
	}
	t.section(title...)
	most := max(minFrames, screen-t.lines-2) // for the last line and what follows
	t.stack(g.Stack, elision{g.Elided, g.ElidedAt}, "  ", most)
}

// crashed returns the goroutine that crashed, nil if there is none.
func (t *textRenderer) crashed() *report.Goroutine {
	if t.r.Crash == nil || t.r.Crash.Goroutine == 0 {
		return nil
	}
	for i := range t.r.Goroutines {
		if g := &t.r.Goroutines[i]; g.ID == t.r.Crash.Goroutine {
			return g
		}
	}
	return nil
}

// stack shows at most most rows of a stack. What does not fit is left out
// above the last rows: how it began to call is worth more than the middle.
func (t *textRenderer) stack(stack []report.Frame, e elision, indent string, most int) {
	rows := t.fold(stack, e)
	n := t.limit(len(rows), most)
	tail := 0
	if n < len(rows) {
		tail = min(2, n/3)
	}
	for _, r := range rows[:n-tail] {
		t.row(r, indent)
	}
	hidden := 0
	for _, r := range rows[n-tail : len(rows)-tail] {
		hidden += r.frames()
	}
	t.rest(hidden, indent+"  ", "more frame")
	for _, r := range rows[len(rows)-tail:] {
		t.row(r, indent)
	}
}

func (t *textRenderer) row(r row, indent string) {
	switch {
	case r.elided > 0:
		t.rest(r.elided, indent+"  ", "elided frame")
	case r.repeated > 0 && r.period == 1:
		t.line(textf("%s  … the same %s more", indent, times(r.repeated)).in(dim))
	case r.repeated > 0:
		t.line(textf("%s  … these %d frames %s more", indent, r.period, times(r.repeated)).in(dim))
	case r.frame == nil:
		t.rest(r.folded, indent+"  ", "runtime frame")
	case t.isFault(r.frame):
		t.frame(indent[:len(indent)-2]+"> ", *r.frame, yellow)
	default:
		t.frame(indent, *r.frame, plain)
	}
}

// isFault tells whether f, in the crashed goroutine's stack, is the faulting
// frame.
func (t *textRenderer) isFault(f *report.Frame) bool {
	c := t.r.Crash
	return c != nil && c.Frame != nil && f.PC == c.Frame.PC && f.Location == c.Frame.Location
}

// frame shows one frame on a line, and of a path that does not fit the end.
func (t *textRenderer) frame(indent string, f report.Frame, st style) {
	spans := []span{span{indent, plain}, text(f.Function).in(st)}
	if f.Function == "" {
		spans[1] = textf("%#x", f.PC).in(st)
	}
	if f.Inlined {
		spans = append(spans, text(" (inlined)").in(dim))
	}
	if f.Native {
		spans = append(spans, text(" (C)").in(dim))
	}
	if f.File == "" {
		t.line(spans...)
		return
	}
	file := []rune(clean(f.File))
	line := fmt.Sprintf(":%d", f.Line)
	if room := t.width - columns(spans) - 2 - len(line); t.width > 0 && len(file) > room {
		base := len([]rune(clean(path.Base(f.File))))
		if keep := room - 1; keep >= base && keep > 0 {
			file = append([]rune("…"), file[len(file)-keep:]...)
		}
	}
	t.line(append(spans, span{"  " + string(file) + line, plain})...)
}

// place names the file of a location without its directory.
func place(l report.Location) string {
	if l.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", path.Base(strings.ReplaceAll(l.File, `\`, "/")), l.Line)
}

// state describes what a goroutine is doing: "waiting (chan receive, 5s)".
func state(status, reason string, seconds float64) string {
	if why := joined(", ", reason, waited(seconds)); why != "" {
		return status + " (" + why + ")"
	}
	return status
}

// isRuntime reports whether a function belongs to the runtime, as those do
// that other packages link to: sync.runtime_Semacquire.
func isRuntime(fn string) bool {
	return fn == "panic" || strings.HasPrefix(fn, "runtime.") || strings.HasPrefix(fn, "internal/runtime/") ||
		strings.HasPrefix(fn, "sync.runtime_") || strings.HasPrefix(fn, "internal/poll.runtime_")
}

func hasUser(stack []report.Frame) bool {
	for _, f := range stack {
		if !isRuntime(f.Function) {
			return true
		}
	}
	return false
}
