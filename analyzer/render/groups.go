package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/corekit/corekit/analyzer/report"
)

// groups shows what the other goroutines were doing, the largest group first.
// Of groups of the same size, those that run code of the program come first.
func (t *textRenderer) groups() {
	if len(t.r.Groups) == 0 {
		return
	}
	var users, system []report.Group
	inSystem, others := 0, 0
	for _, g := range t.r.Groups {
		switch {
		case g.System && !t.opts.Verbose:
			system = append(system, g)
			inSystem += g.Count
		case t.onlyCrashed(g):
		default:
			users = append(users, g)
			others += g.Count
		}
	}
	slices.SortStableFunc(users, func(a, b report.Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(t.ownFrame(b.Stack), t.ownFrame(a.Stack)))
	})
	t.section(t.groupsTitle(others, len(users))...)
	most := t.opts.MaxGroups
	if most <= 0 {
		most = maxGroups
		if t.opts.Verbose {
			most = len(users)
		}
	}
	n := len(users)
	if n > most+1 {
		n = most
	}
	for _, g := range users[:n] {
		t.group(g)
		others -= g.Count
	}
	if n < len(users) {
		t.line(text("  … " + plural(others, "more goroutine") + " in " + plural(len(users)-n, "group")).in(dim))
	}
	if inSystem > 0 {
		t.line(text("  " + plural(inSystem, "goroutine") + " of the runtime: " + systemNames(system)).in(dim))
	}
}

func (t *textRenderer) groupsTitle(goroutines, groups int) []span {
	what := "goroutine"
	if t.crashed() != nil {
		what = "other goroutine"
	}
	if goroutines == 0 {
		return []span{text("no " + what + "s").in(bold)}
	}
	return []span{text(plural(goroutines, what)).in(bold), text(" in " + plural(groups, "group"))}
}

// ownFrame returns 1 if a frame of the program itself is in the stack, else 0.
func (t *textRenderer) ownFrame(stack []report.Frame) int {
	if slices.ContainsFunc(stack, t.isOwn) {
		return 1
	}
	return 0
}

// isOwn reports whether a frame is of the program's main package or module,
// and not of a library.
func (t *textRenderer) isOwn(f report.Frame) bool {
	if strings.HasPrefix(f.Function, "main.") {
		return true
	}
	rest, ok := strings.CutPrefix(f.Function, t.r.Target.MainModule)
	return ok && t.r.Target.MainModule != "" && rest != "" && (rest[0] == '.' || rest[0] == '/')
}

// onlyCrashed tells that g is nothing but the goroutine that crashed, which
// has been shown.
func (t *textRenderer) onlyCrashed(g report.Group) bool {
	return g.Count == 1 && len(g.IDs) == 1 && t.crashed() != nil && g.IDs[0] == t.r.Crash.Goroutine
}

// group shows a group by the innermost frame that tells something and by what
// called it, down to the program's own code.
func (t *textRenderer) group(g report.Group) {
	spans := []span{textf("%7d ", g.Count).in(bold), text(state(g.Status, g.WaitReason, g.WaitSeconds)).in(cyan)}
	top := userFrame(g.Stack)
	if top >= 0 {
		f := g.Stack[top]
		spans = append(spans, text("  "+f.Function).in(bold), text(" "+place(f.Location)))
	}
	if g.CreatedBy != nil {
		spans = append(spans, text("  created by "+g.CreatedBy.Function))
	}
	t.line(spans...)
	const indent = "          "
	if t.opts.Verbose {
		t.line(span{indent + "goroutines " + idList(g.IDs), dim})
		t.stack(g.Stack, elision{g.Elided, g.ElidedAt}, indent, 0)
		return
	}
	// The caller's side of the frame that is in the line above.
	callers := g.Stack[min(top+1, len(g.Stack)):]
	callers = slices.DeleteFunc(slices.Clone(callers), func(f report.Frame) bool { return isRuntime(f.Function) })
	n := t.limit(len(callers), maxGroupFrames)
	// Libraries may call each other for longer than that.
	own := slices.IndexFunc(callers, t.isOwn)
	if own >= n && (top < 0 || !t.isOwn(g.Stack[top])) {
		n--
	} else {
		own = -1
	}
	for _, f := range callers[:n] {
		t.frame(indent, f, plain)
	}
	if own >= 0 {
		t.rest(own-n, indent, "frame")
		t.frame(indent, callers[own], plain)
		n = own + 1
	}
	t.rest(len(callers)-n+g.Elided, indent, "more frame")
}

// userFrame returns the index of the innermost frame that is not the means of
// waiting; if all are, of the innermost outside the runtime; else of the first
// frame, -1 if there is none.
func userFrame(stack []report.Frame) int {
	for _, skip := range []func(string) bool{isWaiting, isRuntime} {
		for i, f := range stack {
			if !skip(f.Function) {
				return i
			}
		}
	}
	return min(0, len(stack)-1)
}

// isWaiting reports whether a function is of a package that others wait in:
// the state of the goroutine says as much.
func isWaiting(fn string) bool {
	for _, p := range []string{"sync.", "internal/", "syscall.", "golang.org/x/sys/", "vendor/"} {
		if strings.HasPrefix(fn, p) {
			return true
		}
	}
	return isRuntime(fn)
}

// idList lists ids, with runs as "3-7".
func idList(ids []uint64) string {
	ids = slices.Sorted(slices.Values(ids))
	var parts []string
	for i := 0; i < len(ids); {
		if len(parts) == 10 {
			parts = append(parts, "…")
			break
		}
		j := i
		for j+1 < len(ids) && ids[j+1] == ids[j]+1 {
			j++
		}
		part := fmt.Sprint(ids[i])
		if j > i {
			part += fmt.Sprintf("-%d", ids[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// systemNames names what the runtime's goroutines run, each once.
func systemNames(groups []report.Group) string {
	var names []string
	for _, g := range groups {
		name := g.Status
		for _, f := range slices.Backward(g.Stack) {
			if f.Function != "runtime.goexit" {
				name = strings.TrimPrefix(f.Function, "runtime.")
				break
			}
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 6 {
		names = append(names[:6], "…")
	}
	return strings.Join(names, ", ")
}
