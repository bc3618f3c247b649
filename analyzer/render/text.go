package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/corekit/corekit/analyzer/report"
)

// TextOptions say how [Text] shows a report. The zero value is plain text
// without limits on the length of a line.
type TextOptions struct {
	Color bool // use escape sequences for colors
	Width int  // columns of the terminal; longer lines are cut; 0: never
	// Verbose shows all frames, variables and goroutine groups.
	Verbose bool
	// MaxGroups bounds the goroutine groups shown; 0 means 8, or all of
	// them if Verbose.
	MaxGroups int
}

// Limits of what is not verbose. The crash with its frame and stack must fit
// on a first screen of 40 lines.
const (
	screen          = 40
	maxMessageLines = 3
	maxChain        = 2
	maxVariables    = 9
	maxValueLines   = 3
	minFrames       = 5 // of the crashed goroutine; more if there is room
	maxGroups       = 8
	maxGroupFrames  = 3
	maxWarnings     = 10
)

// Text writes r for a person at a terminal: first why and where the program
// died, then what all the goroutines were doing, then what to distrust.
func Text(w io.Writer, r *report.Report, opts TextOptions) error {
	t := &textRenderer{printer: newPrinter(w, opts), r: r, opts: opts}
	t.headline()
	t.target()
	t.fault()
	t.crashStack()
	t.groups()
	t.caveats()
	if err := t.w.Flush(); err != nil {
		return fmt.Errorf("render: write text: %w", err)
	}
	return nil
}

type textRenderer struct {
	*printer
	r    *report.Report
	opts TextOptions
}

// limit returns how many of n to show if most is the limit. It never hides a
// single one: saying so takes a line as well.
func (t *textRenderer) limit(n, most int) int {
	if t.opts.Verbose || n <= most+1 {
		return n
	}
	return most
}

// headline says what killed the program.
func (t *textRenderer) headline() {
	c := t.r.Crash
	if c == nil {
		t.line(text("no crash: it is not known why the program stopped").in(red))
		return
	}
	// A message may have several lines; the runtime indents them, too.
	lines := strings.Split(strings.TrimRight(headlineText(c), "\n"), "\n")
	n := t.limit(len(lines), maxMessageLines)
	for i, l := range lines[:n] {
		indent := ""
		if i > 0 {
			indent = "    "
		}
		t.line(span{indent + clean(l), red})
	}
	t.rest(len(lines)-n, "    ", "more line")
	var facts []string
	switch {
	case c.Signal != "" && c.Address != "":
		facts = append(facts, fmt.Sprintf("[%s at %s]", c.Signal, c.Address))
	case c.Signal != "":
		facts = append(facts, "["+c.Signal+"]")
	}
	var who []string
	if c.Goroutine != 0 {
		who = append(who, fmt.Sprintf("goroutine %d", c.Goroutine))
	}
	if c.Thread != 0 {
		who = append(who, fmt.Sprintf("thread %d", c.Thread))
	}
	if len(who) > 0 {
		facts = append(facts, strings.Join(who, ", "))
	}
	if len(facts) > 0 {
		t.line(text(strings.Join(facts, " ")))
	}
	t.chain(c.Panics)
}

func headlineText(c *report.Crash) string {
	switch c.Kind {
	case report.KindPanic:
		return "panic: " + c.Message
	case report.KindFatal:
		return "fatal error: " + c.Message
	case report.KindSignal:
		switch {
		case c.Message == "":
			return "signal: " + c.Signal
		case strings.HasPrefix(c.Message, "SIG"), strings.HasPrefix(c.Message, "signal"):
			return c.Message
		default:
			return "signal: " + c.Message
		}
	case report.KindSnapshot:
		if c.Message == "" {
			return "snapshot of a running program"
		}
		return "snapshot of a running program: " + c.Message
	}
	return string(c.Kind) + ": " + c.Message
}

// chain shows the panics before the last one, latest first.
func (t *textRenderer) chain(panics []report.Panic) {
	if len(panics) < 2 {
		return
	}
	older := panics[:len(panics)-1]
	n := t.limit(len(older), maxChain)
	for i := range n {
		p := older[len(older)-1-i]
		what := "panic: " + p.Value
		if p.Goexit {
			what = "runtime.Goexit"
		}
		if p.Recovered {
			what += " [recovered]"
		}
		t.line(text("  after " + what))
	}
	t.rest(len(older)-n, "  ", "more panic")
}

// rest says that n things are not shown.
func (t *textRenderer) rest(n int, indent, what string) {
	if n > 0 {
		t.line(text(indent + "… " + plural(n, what)).in(dim))
	}
}

// target says what died.
func (t *textRenderer) target() {
	tg := t.r.Target
	t.line()
	exe := tg.Exe
	if exe == "" {
		exe = "(unknown)"
	}
	if tg.PID != 0 {
		exe += fmt.Sprintf("  pid %d", tg.PID)
	}
	t.line(text("program   ").in(dim), text(exe))
	build := joined("  ", tg.GoVersion, joined("/", tg.OS, tg.Arch), joined(" at ", tg.MainModule, short(tg.VCSRevision, 12)))
	if tg.BuildID != "" {
		build = joined("  ", build, "build ID "+short(tg.BuildID, 20))
	}
	if build != "" {
		t.line(text("built     ").in(dim), text(build))
	}
	how := t.r.Capture.Method
	if how != "" {
		how = "by " + how
		if !t.r.Capture.Complete {
			how += ", incomplete"
		}
	}
	when := ""
	if !tg.Time.IsZero() {
		when = tg.Time.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	if s := joined("  ", when, how); s != "" {
		t.line(text("captured  ").in(dim), text(s))
	}
}

// joined joins the parts that are not empty.
func joined(sep string, parts ...string) string {
	var full []string
	for _, p := range parts {
		if p != "" {
			full = append(full, p)
		}
	}
	return strings.Join(full, sep)
}

func short(s string, n int) string {
	if len(s) > n {
		return head(s, n)
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// caveats say what is missing and what not to trust.
func (t *textRenderer) caveats() {
	missing, warnings := t.r.Capture.Missing, t.r.Warnings
	if len(missing)+len(warnings) == 0 {
		return
	}
	t.line()
	for _, l := range []struct {
		word  string
		items []string
	}{{"warning: ", warnings}, {"missing: ", missing}} {
		n := t.limit(len(l.items), maxWarnings)
		for _, s := range l.items[:n] {
			t.line(text(l.word).in(yellow), text(s))
		}
		t.rest(len(l.items)-n, l.word, "more item")
	}
}

// waited formats a wait, "" if it is too short to matter.
func waited(seconds float64) string {
	const year = 365 * 24 * 3600
	switch {
	case !(seconds >= 0.001): // NaN as well
		return ""
	case seconds > year:
		return "over a year"
	}
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	default:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
}
