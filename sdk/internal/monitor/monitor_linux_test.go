package monitor

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/corekit/corekit/platform/process"
)

func TestSpecRoundTrip(t *testing.T) {
	want := Spec{PID: 1, Prefill: 4032, Dir: "/var/crash \"x\"", MaxBundles: 3, MaxBytes: 1 << 40, MaxHold: time.Minute, WithEnv: true, Traceback: "all"}
	var got Spec
	if err := json.Unmarshal([]byte(want.encode()), &got); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

func TestShown(t *testing.T) {
	const one = "panic: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/x.go:1 +0x1\n"
	for _, c := range []struct {
		name, text, next, level string
		want                    process.Verdict
	}{
		{"in the middle", one, "main.init()", "", process.Go},
		{"at its end", one, "\n", "", process.Stop},
		{"before its line", one + "main.f()", "\n", "", process.Go},
		{"before the stack", "panic: x\n", "\n", "", process.Go},
		{"all wanted", one, "\n", "all", process.GoOnward},
		{"single by name", one, "\n", "single", process.Stop},
		{"fatal shows all", one[len("panic: x\n"):], "\n", "", process.GoOnward},
	} {
		text := crashText{buf: []byte(c.text), last: c.text[len(c.text)-1]}
		if got := text.shown(c.level, []byte(c.next)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
