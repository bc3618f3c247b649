package goruntime

import (
	"fmt"
	"slices"
	"strings"
)

type errNoThread int

func (e errNoThread) Error() string { return fmt.Sprintf("goruntime: no thread %d", int(e)) }

// The functions that a dying thread passes through (runtime/panic.go,
// runtime/signal_unix.go). None of them is ever inlined.
const (
	fnFatalpanic  = "runtime.fatalpanic"
	fnFatalthrow  = "runtime.fatalthrow"
	fnSighandler  = "runtime.sighandler"
	fnStartpanicM = "runtime.startpanic_m"
)

// Crash says why the process died; its Kind is empty if it did not. The
// result is computed once.
func (p *Process) Crash() (*Crash, error) {
	p.crashOnce.Do(func() { p.crash = p.findCrash() })
	return p.crash, p.crashErr
}

func (p *Process) findCrash() *Crash {
	m, t, segs := p.dying()
	if m == nil {
		return p.external()
	}
	c := &Crash{TID: t.TID, Fault: -1}
	for i := range segs {
		s := &segs[i]
		if k := s.index(fnFatalpanic); k >= 0 {
			c.Kind = "panic"
			return p.panicked(c, m, s, k)
		}
		if k := s.index(fnFatalthrow); k >= 0 {
			c.Kind = "fatal"
			return p.panicked(c, m, s, k)
		}
		if s.index(fnSighandler) >= 0 && s.sig.valid {
			c.Kind = "signal"
			return p.signaled(c, m, s.sig)
		}
	}
	// The thread is on the system stack, called from the goroutine's.
	if gp, ok := p.readG(m.curg); ok {
		s := p.segment(start{pc: gp.pc, sp: gp.sp, lr: gp.lr, fp: gp.bp, hi: gp.hi})
		if k := s.index(fnFatalpanic); k >= 0 {
			c.Kind = "panic"
			return p.panicked(c, m, &s, k)
		}
		if k := s.index(fnFatalthrow); k >= 0 {
			c.Kind = "fatal"
			return p.panicked(c, m, &s, k)
		}
		c.Goroutine = gp.goid
		c.Stack = p.stackFrom(p.override(&gp, m, gp.saved()))
		c.Fault = faultIn(c.Stack.Frames, 0)
		c.Kind = "fatal"
		if gp.panics != 0 && m.throwing == 0 {
			c.Kind = "panic"
			p.describePanic(c, &gp)
			return c
		}
	}
	c.Kind = "fatal"
	c.Message = p.fatalText(0)
	p.warnf("thread %d was dying, but its stack does not tell of what", t.TID)
	return c
}

// dying returns the thread that died first. Others that died too wait for
// their turn to print, unless it has done so and waits for them.
func (p *Process) dying() (*m, Thread, []segment) {
	var ms []*m
	for _, m := range p.ms {
		if m.dying > 0 {
			ms = append(ms, m)
		}
	}
	first := 0
	if len(p.in.Threads) > 0 {
		first = p.in.Threads[0].TID
	}
	slices.SortStableFunc(ms, func(a, b *m) int { return rank(a, first) - rank(b, first) })
	var (
		found *m
		segs  []segment
		// active is set once found is not one that waits for its turn.
		active bool
	)
	for _, m := range ms {
		s := p.segments(p.threads[m.tid].Regs)
		if slices.ContainsFunc(s, printed) {
			found, segs = m, s
			break
		}
		waiting := slices.ContainsFunc(s, func(s segment) bool { return s.index(fnStartpanicM) >= 0 })
		if found == nil || !waiting && !active {
			found, segs, active = m, s, !waiting
		}
	}
	if found == nil {
		return nil, Thread{}, nil
	}
	t, ok := p.threads[found.tid]
	if !ok {
		t.TID = found.tid
		p.warnf("the dying thread %d is not in the core", found.tid)
	}
	return found, t, segs
}

// printed reports whether the thread has printed its traceback and waits
// forever while another one that died too prints its own: the end of
// dopanic_m.
func printed(s segment) bool {
	k := s.index("runtime.dopanic_m")
	return k > 0 && strings.HasPrefix(s.frames[k-1].info.fn.name, "runtime.lock")
}

func rank(m *m, first int) int {
	switch {
	case m.tid == first:
		return 0
	case m.dying == 1:
		return 1
	}
	return 2
}

// panicked fills in a panic or a throw. k is the frame of fatalpanic or
// fatalthrow in s; the runtime prints from its caller on.
func (p *Process) panicked(c *Crash, m *m, s *segment, k int) *Crash {
	gp, ok := p.readG(m.curg)
	onG := ok && gp.onStack(s.frames[k].sp)
	var from start
	if k+1 < len(s.frames) {
		f := &s.frames[k+1]
		from = start{pc: f.pc, sp: f.sp, fp: f.fp}
		if c.Kind == "fatal" {
			c.Message = p.fatalText(f.cfa)
		}
	}
	switch {
	case onG:
		from.hi = gp.hi
		from = p.override(&gp, m, from)
	case ok:
		// Thrown on the system stack on behalf of the goroutine, which the
		// runtime prints as "goroutine N" after the "runtime stack".
		from = p.override(&gp, m, gp.saved())
	default:
		c.Stack = p.stackFrom(from)
		return c
	}
	c.Goroutine = gp.goid
	var b builder
	sigpanic := uint64(0) // its CFA, once it was seen
	fault := -1
	p.walk(from, func(f physFrame) bool {
		if sigpanic != 0 && fault < 0 {
			f.all = p.faultRegs(m, f.pc, sigpanic)
			fault = b.n
		}
		if sigpanic == 0 && f.info.kind == kindInjected && trimABI(f.info.fn.name) == "runtime.sigpanic" {
			sigpanic = f.cfa
		}
		return b.add(f)
	})
	c.Stack = b.stack()
	c.Fault = faultIn(c.Stack.Frames, max(fault, 0))
	if gp.sig != 0 {
		c.Signal = signalName(gp.sig)
		if hasAddress(gp.sig) {
			c.Address, c.HasAddr = gp.sigcode1, true
		}
	}
	if c.Kind == "panic" {
		p.describePanic(c, &gp)
	} else if c.Message == "" {
		c.Message = p.fatalText(0)
	}
	return c
}

// faultIn returns the index of the innermost frame that is not the runtime's:
// the panic or throw itself, the helper that raised it (panicIndex, mapassign
// and their like), and the wrappers that the compiler made have no line that
// anybody wrote. If there are only such, it is the first at or after min.
func faultIn(frames []Frame, min int) int {
	for i := range frames {
		if f := &frames[i]; !inRuntime(f.Function) && f.File != "<autogenerated>" {
			return i
		}
	}
	if min < len(frames) {
		return min
	}
	return -1
}

func inRuntime(name string) bool {
	return name == "panic" || strings.HasPrefix(name, "runtime.") ||
		strings.HasPrefix(name, "internal/runtime/") || strings.HasPrefix(name, "runtime/internal/") ||
		name == "internal/sync.fatal" || name == "internal/sync.throw" || name == "sync.fatal" || name == "sync.throw"
}

// signaled fills in a death by signal: sig is what the handler interrupted.
func (p *Process) signaled(c *Crash, m *m, sig sigcontext) *Crash {
	p.describeSignal(c, sig.sig, sig.addr)
	gp, ok := p.readG(m.caughtsig)
	if !ok {
		gp, ok = p.readG(m.curg)
	}
	at := sig.regs.start()
	var b builder
	if p.findFunc(at.pc) == nil && at.pc != 0 && m.vdsoSP == 0 {
		p.native(sig.regs, false, &b)
	}
	inC := b.n > 0
	user := ok && gp.addr == m.curg
	if !user {
		// On the thread's own stack: in C called by a goroutine, in the
		// runtime working for one, or idle.
		if cur, ok := p.readG(m.curg); ok {
			gp, user = cur, true
			at = cur.saved()
		}
	}
	if ok || user {
		at = p.override(&gp, m, at)
	}
	if user {
		at.hi = gp.hi
		c.Goroutine = gp.goid
	}
	interrupted := at.trap
	p.walk(at, b.add)
	c.Stack = b.stack()
	switch {
	case inC || user && interrupted && len(c.Stack.Frames) > 0:
		c.Fault = 0
	case user:
		c.Fault = faultIn(c.Stack.Frames, 0)
	}
	return c
}

// external is a death that the runtime had no part in, such as by a signal
// that it does not handle.
func (p *Process) external() *Crash {
	c := &Crash{Fault: -1}
	if len(p.in.Threads) == 0 || p.in.Threads[0].Signal == 0 {
		return c
	}
	t := p.in.Threads[0]
	c.Kind, c.TID = "signal", t.TID
	sig, _, addr := decodeSiginfo(p.in.Siginfo)
	if sig == 0 || int(sig) != t.Signal {
		sig, addr = uint32(t.Signal), 0
	}
	p.describeSignal(c, sig, addr)
	m := p.byTID[t.TID]
	var b builder
	if m == nil {
		p.native(t.Regs, false, &b)
		c.Stack = b.stack()
		c.Fault = min(len(c.Stack.Frames), 1) - 1
		return c
	}
	return p.signaled(c, m, sigcontext{regs: t.Regs, sig: sig, addr: addr, valid: true})
}

func (p *Process) describeSignal(c *Crash, sig uint32, addr uint64) {
	c.Signal = signalName(sig)
	c.Message = signalText(sig)
	if hasAddress(sig) {
		c.Address, c.HasAddr = addr, true
	}
}
