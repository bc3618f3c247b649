package monitor

import (
	"encoding/json"
	"testing"
	"time"
)

func TestSpecRoundTrip(t *testing.T) {
	want := Spec{PID: 1, Prefill: 4032, Dir: "/var/crash \"x\"", MaxBundles: 3, MaxBytes: 1 << 40, MaxHold: time.Minute, WithEnv: true, Traceback: "all", Attempt: 2}
	var got Spec
	if err := json.Unmarshal([]byte(want.encode()), &got); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

func TestShown(t *testing.T) {
	const one = "panic: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/x.go:1 +0x1\n"
	for _, c := range []struct {
		name, text, next, level string
		want                    bool
	}{
		{"in the middle", one, "main.init()", "", false},
		{"at its end", one, "\n", "", true},
		{"before its line", one + "main.f()", "\n", "", false},
		{"before the stack", "panic: x\n", "\n", "", false},
		{"all wanted", one, "\n", "all", false},
		{"single by name", one, "\n", "single", true},
		{"fatal shows all", one[len("panic: x\n"):], "\n", "", false},
	} {
		text := crashText{buf: []byte(c.text)}
		if got := text.shown(c.level, []byte(c.next)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
