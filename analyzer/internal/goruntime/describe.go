package goruntime

import (
	"strings"

	"github.com/corekit/corekit/analyzer/internal/goruntime/internal/layout"
)

// createdBy is runtime.printcreatedby1: the function with the go statement,
// and the statement's line. Inlining is not undone for the name.
func (p *Process) createdBy(gopc uint64) *Frame {
	p.mu.RLock()
	f, ok := p.creators[gopc]
	p.mu.RUnlock()
	if ok {
		return f
	}
	if fn := p.findFunc(gopc); fn != nil {
		delta := gopc - fn.entry
		if delta >= p.arch.quantum {
			delta -= p.arch.quantum // back into the call instruction
		}
		file, line := fn.mod.fileLine(fn.function, delta)
		f = &Frame{Function: p.printedName(fn.name), File: file, Line: line, PC: gopc, Entry: fn.entry}
	}
	p.mu.Lock()
	if len(p.creators) < maxPCs {
		p.creators[gopc] = f
	}
	p.mu.Unlock()
	return f
}

// isSystem is runtime.isSystemGoroutine: one that starts in the runtime,
// except those that run the program's code.
func (p *Process) isSystem(gp *g) bool {
	p.mu.RLock()
	system, ok := p.system[gp.startpc]
	p.mu.RUnlock()
	if !ok {
		name := ""
		if fn := p.findFunc(gp.startpc); fn != nil {
			name = fn.name
		}
		switch name {
		case "runtime.main", "runtime.corostart", "runtime.handleAsyncEvent":
		default:
			system = strings.HasPrefix(name, "runtime.")
		}
		p.mu.Lock()
		if len(p.system) < maxPCs {
			p.system[gp.startpc] = system
		}
		p.mu.Unlock()
	}
	if !system || gp.startpc == 0 {
		return system
	}
	if gp.runningCleanups {
		return false
	}
	return !p.runningFinalizer(gp)
}

// fingRunningFinalizer of runtime/mfinal.go.
const fingRunningFinalizer = 1 << 1

// runningFinalizer reports whether gp is the finalizer goroutine and calls
// back into the program.
func (p *Process) runningFinalizer(gp *g) bool {
	fn := p.findFunc(gp.startpc)
	if fn == nil || fn.name != "runtime.runFinalizers" && fn.name != "runtime.runfinq" {
		return false
	}
	if addr, ok := p.symbols["runtime.fingStatus"]; ok {
		var b [4]byte
		if _, err := p.mem.ReadMemory(b[:], addr); err == nil {
			return u32(b[:], 0)&fingRunningFinalizer != 0
		}
	}
	// Without the symbol its stack tells: idle, it waits in the loop itself.
	return gp.status != gWaiting || p.waitReason(gp.waitreason) != "finalizer wait"
}

// maxWaitReasons bounds the array, which has some 50 entries.
const maxWaitReasons = 256

// waitReason returns the text of a wait reason, from the target itself if it
// has symbols.
func (p *Process) waitReason(r uint8) string {
	p.reasonsOnce.Do(func() {
		p.reasons = layout.WaitReasons(p.version)
		addr, ok := p.symbols["runtime.waitReasonStrings"]
		if !ok {
			return
		}
		var own []string
		for i := range maxWaitReasons {
			b, err := p.mem.read(addr+uint64(i)*16, 16)
			if err != nil || u64(b, 8) > 64 || (i > 0 && u64(b, 0) == 0) {
				break
			}
			s, err := p.mem.str(u64(b, 0), u64(b, 8))
			if err != nil {
				break
			}
			own = append(own, s)
		}
		// The array's length is not known: past its end may be anything. The
		// known version's table says where that is.
		if _, exact, _ := layout.Lookup(p.version, p.in.Machine); exact {
			own = own[:min(len(own), len(p.reasons))]
		}
		if len(own) >= len(p.reasons) || !p.knownVersion() {
			p.reasons = own
		}
	})
	if int(r) < len(p.reasons) {
		return p.reasons[r]
	}
	return ""
}

func (p *Process) knownVersion() bool {
	_, exact, ok := layout.Lookup(p.version, p.in.Machine)
	return exact && ok
}

// maxLabels bounds the labels of one goroutine.
const maxLabels = 1 << 10

// labels reads a profiler label set, which since Go 1.24 is a slice of
// pairs of strings (runtime/pprof/label.go; internal/runtime/pprof/label).
// Before that it was a map, which is not read.
func (p *Process) labels(addr uint64) map[string]string {
	if p.minor < 24 {
		return nil
	}
	b, err := p.mem.read(addr, 16)
	if err != nil {
		return nil
	}
	n := u64(b, 8)
	if n == 0 || n > maxLabels {
		return nil
	}
	if b, err = p.mem.read(u64(b, 0), n*32); err != nil {
		return nil
	}
	set := make(map[string]string, n)
	for ; len(b) >= 32; b = b[32:] {
		k, err := p.mem.str(u64(b, 0), u64(b, 8))
		if err != nil {
			return nil
		}
		v, err := p.mem.str(u64(b, 16), u64(b, 24))
		if err != nil {
			return nil
		}
		set[k] = v
	}
	return set
}
