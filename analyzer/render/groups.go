package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/corekit/corekit/analyzer/report"
)

// groups shows what all goroutines were doing, the largest group first.
func (t *textRenderer) groups() {
	if len(t.r.Groups) == 0 {
		return
	}
	var users, system []report.Group
	total, inSystem, others := 0, 0, 0
	for _, g := range t.r.Groups {
		total += g.Count
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
	slices.SortStableFunc(users, func(a, b report.Group) int { return cmp.Compare(b.Count, a.Count) })
	t.section(text(plural(total, "goroutine")).in(bold), text(" in "+plural(len(t.r.Groups), "group")))
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

// onlyCrashed tells that g is nothing but the goroutine that crashed, which
// has been shown.
func (t *textRenderer) onlyCrashed(g report.Group) bool {
	return g.Count == 1 && len(g.IDs) == 1 && t.crashed() != nil && g.IDs[0] == t.r.Crash.Goroutine
}

// group shows a group by its innermost frame outside the runtime and what
// called it.
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
	for _, f := range callers[:n] {
		t.frame(indent, f, plain)
	}
	t.rest(len(callers)-n+g.Elided, indent, "more frame")
}

// userFrame returns the index of the innermost frame outside the runtime, of
// the first frame if there is none, -1 if there is no frame.
func userFrame(stack []report.Frame) int {
	for i, f := range stack {
		if !isRuntime(f.Function) {
			return i
		}
	}
	return min(0, len(stack)-1)
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
