package render

import "github.com/corekit/corekit/analyzer/report"

// elision says that n frames are missing after the first at frames.
type elision struct{ n, at int }

// row is a line of a stack: a frame, or a number of frames not shown.
type row struct {
	frame  *report.Frame
	folded int // frames of the runtime
	elided int
	// The period rows above come another repeated times.
	period, repeated int
}

// frames is how many frames of the stack the row stands for.
func (r row) frames() int {
	if r.frame != nil {
		return 1
	}
	return r.folded + r.elided + r.period*r.repeated
}

// fold makes rows of a stack.
func (t *textRenderer) fold(stack []report.Frame, e elision) []row {
	var rows []row
	hide := !t.opts.Verbose && hasUser(stack)
	for i := 0; i < len(stack); {
		if e.n > 0 && e.at == i {
			rows = append(rows, row{elided: e.n})
		}
		end := len(stack)
		if e.at > i && e.n > 0 {
			end = min(e.at, end)
		}
		if period, times := repeats(stack[i:end]); times > 0 && !t.opts.Verbose {
			for k := range period {
				rows = append(rows, row{frame: &stack[i+k]})
			}
			rows = append(rows, row{period: period, repeated: times})
			i += period * (times + 1)
			continue
		}
		switch f := &stack[i]; {
		case !hide || !isRuntime(f.Function) || t.isFault(f):
			rows = append(rows, row{frame: f})
		case len(rows) > 0 && rows[len(rows)-1].folded > 0:
			rows[len(rows)-1].folded++
		default:
			rows = append(rows, row{folded: 1})
		}
		i++
	}
	if e.n > 0 && e.at >= len(stack) {
		rows = append(rows, row{elided: e.n})
	}
	return rows
}

const (
	maxPeriod  = 8 // functions that call each other in turn
	minRepeats = 3 // fewer are shown as they are
)

// repeats tells that a stack begins with period frames that come again at once
// another times times. times is 0 if that is too seldom to matter.
func repeats(stack []report.Frame) (period, times int) {
	for period = 1; period <= maxPeriod; period++ {
		n := period
		for n < len(stack) && stack[n].Location == stack[n-period].Location {
			n++
		}
		if times = n/period - 1; times >= minRepeats {
			return period, times
		}
	}
	return 0, 0
}
