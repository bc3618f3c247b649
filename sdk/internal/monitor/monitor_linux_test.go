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
		name, text, level string
		want              bool
	}{
		{"one goroutine", one, "", false},
		{"two goroutines", one + "\ngoroutine 2 [select]:\n", "", true},
		{"two wanted", one + "\ngoroutine 2 [select]:\n", "all", false},
		{"single by name", one + "\ngoroutine 2 [select]:\n", "single", true},
		{"fatal shows all", "goroutine 1 [select]:\n\ngoroutine 2 [select]:\n\ngoroutine 3 [select]:\n", "", false},
	} {
		text := crashText{buf: []byte(c.text)}
		if got := text.shown(c.level); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
