package monitor

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/corekit/corekit/sdk/internal/standby"
)

// hookFD is the hook's reading end.
const hookFD = standby.HookFD

// self is the running executable, even if its file was replaced or deleted.
const self = standby.Self

func start(s Spec, hook int) (int, error) {
	return standby.Spawn(standby.Order{
		PID: s.PID, Prefill: s.Prefill, MaxHold: s.MaxHold,
		Image: standby.ImageOf(s.PID), Spec: s.encode(),
	}, hook)
}

func takeOver() {
	o := standby.Crashed()
	if o == nil {
		return
	}
	m := &monitor{begun: time.Now(), stderr: -1}
	if err := json.Unmarshal([]byte(o.Spec), &m.Spec); err != nil {
		standby.Say(o.PID, fmt.Sprintf("the crash was not saved: monitor's orders: %v", err))
		os.Exit(standby.ExitGave)
	}
	os.Exit(m.save())
}
