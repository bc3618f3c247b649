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

// variables shows arguments, then locals, within one limit.
func (t *textRenderer) variables(f *report.Frame) {
	n := t.limit(len(f.Args)+len(f.Locals), maxVariables)
	left := n
	for _, l := range []struct {
		word string
		vars []report.Variable
	}{{"args    ", f.Args}, {"locals  ", f.Locals}} {
		word := l.word
		for _, v := range l.vars[:min(len(l.vars), left)] {
			t.variable(word, v)
			word = strings.Repeat(" ", len(word))
			left--
		}
	}
	t.rest(len(f.Args)+len(f.Locals)-n, "          ", "more variable")
}

func (t *textRenderer) variable(word string, v report.Variable) {
	spans := []span{text("  " + word).in(dim), text(v.Name).in(cyan)}
	if v.Value == "" {
		t.line(append(spans, text(" "+v.Type), text(" ("+v.Unreadable+")").in(dim))...)
		return
	}
	// Composite values begin with their type.
	if rest, ok := strings.CutPrefix(v.Value, v.Type); !ok || rest == "" || rest[0] != ' ' && rest[0] != '(' && rest[0] != '{' {
		spans = append(spans, text(" "+v.Type))
	}
	t.line(append(spans, text(" = "+v.Value))...)
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

// elision says that n frames are missing after the first at frames.
type elision struct{ n, at int }

// row is a line of a stack: a frame, or a number of frames not shown.
type row struct {
	frame  *report.Frame
	folded int // frames of the runtime
	elided int
}

// frames is how many frames of the stack the row stands for.
func (r row) frames() int {
	if r.frame != nil {
		return 1
	}
	return r.folded + r.elided
}

// fold makes rows of a stack.
func (t *textRenderer) fold(stack []report.Frame, e elision) []row {
	var rows []row
	hide := !t.opts.Verbose && hasUser(stack)
	for i := range stack {
		if e.n > 0 && e.at == i {
			rows = append(rows, row{elided: e.n})
		}
		switch f := &stack[i]; {
		case !hide || !isRuntime(f.Function) || t.isFault(f):
			rows = append(rows, row{frame: f})
		case len(rows) > 0 && rows[len(rows)-1].folded > 0:
			rows[len(rows)-1].folded++
		default:
			rows = append(rows, row{folded: 1})
		}
	}
	if e.n > 0 && e.at >= len(stack) {
		rows = append(rows, row{elided: e.n})
	}
	return rows
}

// stack shows at most most rows of a stack.
func (t *textRenderer) stack(stack []report.Frame, e elision, indent string, most int) {
	rows := t.fold(stack, e)
	n := t.limit(len(rows), most)
	for _, r := range rows[:n] {
		switch {
		case r.frame == nil && r.elided > 0:
			t.rest(r.elided, indent+"  ", "elided frame")
		case r.frame == nil:
			t.rest(r.folded, indent+"  ", "runtime frame")
		case t.isFault(r.frame):
			t.frame(indent[:len(indent)-2]+"> ", *r.frame, yellow)
		default:
			t.frame(indent, *r.frame, plain)
		}
	}
	hidden := 0
	for _, r := range rows[n:] {
		hidden += r.frames()
	}
	t.rest(hidden, indent+"  ", "more frame")
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
