package analyzer

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/corekit/corekit/analyzer/report"
)

// group puts goroutines together that are in the same state at the same place,
// the largest group first.
func (a *analysis) group() {
	byKey := map[string]int{}
	for i := range a.rep.Goroutines {
		g := &a.rep.Goroutines[i]
		key := groupKey(g)
		k, ok := byKey[key]
		if !ok {
			k = len(a.rep.Groups)
			byKey[key] = k
			a.rep.Groups = append(a.rep.Groups, report.Group{
				Status: g.Status, WaitReason: g.WaitReason, System: g.System,
				CreatedBy: g.CreatedBy, Stack: g.Stack, Elided: g.Elided, ElidedAt: g.ElidedAt,
			})
		}
		gr := &a.rep.Groups[k]
		gr.Count++
		gr.IDs = append(gr.IDs, g.ID)
		gr.WaitSeconds = max(gr.WaitSeconds, g.WaitSeconds)
	}
	slices.SortStableFunc(a.rep.Groups, func(x, y report.Group) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.IDs[0], y.IDs[0]))
	})
}

// groupKey is equal for goroutines that belong together. The pc tells the
// place; functions need not be compared.
func groupKey(g *report.Goroutine) string {
	b := make([]byte, 0, 64+8*len(g.Stack))
	b = append(b, g.Status...)
	b = append(b, 0)
	b = append(b, g.WaitReason...)
	b = append(b, 0)
	if g.CreatedBy != nil {
		b = append(b, g.CreatedBy.Function...)
		b = binary.LittleEndian.AppendUint32(b, uint32(g.CreatedBy.Line))
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(g.Elided))
	for _, f := range g.Stack {
		if f.PC == 0 { // from a text, which has no pcs for inlined frames
			b = append(append(b, f.Function...), f.File...)
			b = binary.LittleEndian.AppendUint32(b, uint32(f.Line))
		}
		b = binary.LittleEndian.AppendUint64(b, f.PC)
	}
	return string(b)
}
