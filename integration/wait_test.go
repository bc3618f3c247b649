//go:build linux && amd64

package integration

import (
	"slices"
	"testing"

	"github.com/corekit/corekit/analyzer/report"
)

// TestWait checks how long a goroutine waits, for what, and its labels.
func TestWait(t *testing.T) {
	store := t.TempDir()
	d := spec{argv: []string{build(t, "integration/testdata/waiter")}, store: store}.run(t)
	r, _ := analyze(t, oneBundle(t, store, d))
	i := slices.IndexFunc(r.Goroutines, func(g report.Goroutine) bool {
		return slices.ContainsFunc(g.Stack, func(f report.Frame) bool { return f.Function == "main.wait" })
	})
	if i < 0 {
		t.Fatalf("no goroutine in main.wait: %+v", r.Goroutines)
	}
	g := r.Goroutines[i]
	if g.Status != "waiting" || g.WaitReason != "chan receive" || g.WaitSeconds < 1.1 || g.WaitSeconds > 30 {
		t.Errorf("%s (%s) for %.2f s, want more than 1.1 s in a chan receive", g.Status, g.WaitReason, g.WaitSeconds)
	}
	if g.Labels["tenant"] != "acme" {
		t.Errorf("labels %v, want tenant=acme", g.Labels)
	}
}
