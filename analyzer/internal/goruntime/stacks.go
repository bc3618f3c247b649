package goruntime

import "strings"

func trimABI(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, ".abi0"), ".abiinternal")
}

// maxSegment bounds the frames of one stack that are searched for the crash
// machinery, which is innermost.
const maxSegment = 256

// segment is the innermost part of one stack: the frames from the registers
// that a thread had, up to where the stack ends or a signal handler began.
type segment struct {
	frames []physFrame
	sig    sigcontext // what the handler interrupted, if it was one
}

// index returns the position of a function in the segment, -1 if it is not
// there.
func (s *segment) index(name string) int {
	for i := range s.frames {
		if trimABI(s.frames[i].info.fn.name) == name {
			return i
		}
	}
	return -1
}

// segments follows a thread from its registers through signal handlers to
// what they interrupted; the first is the innermost. A handler can itself be
// interrupted: dying, the runtime raises SIGABRT and catches it once more.
func (p *Process) segments(regs Regs) []segment {
	const maxNested = 8
	var list []segment
	for range maxNested {
		s := p.segment(regs.start())
		list = append(list, s)
		if !s.sig.valid {
			break
		}
		regs = s.sig.regs
	}
	return list
}

func (p *Process) segment(at start) segment {
	var s segment
	p.walk(at, func(f physFrame) bool {
		s.frames = append(s.frames, f)
		if f.info.kind == kindSigtramp {
			s.sig = p.sigcontextAt(f.cfa)
		}
		return len(s.frames) < maxSegment
	})
	return s
}

// Stack returns a goroutine's stack as the runtime prints it with
// GOTRACEBACK=crash: with the runtime's own frames, but without those that
// print the traceback. A goroutine that was running is unwound from its
// thread's registers, for which the runtime itself has to give up. At worst
// the stack is empty, with a warning.
func (p *Process) Stack(gr Goroutine) (Stack, error) {
	if c, err := p.Crash(); err == nil && c.Kind != "" && c.Goroutine == gr.ID && gr.ID != 0 {
		return c.Stack, nil
	}
	gp, ok := p.readG(gr.Addr)
	if !ok {
		p.warnf("goroutine %d at %#x cannot be read", gr.ID, gr.Addr)
		return Stack{}, nil
	}
	s := p.stackFrom(p.begin(&gp))
	if len(s.Frames) == 0 {
		p.warnf("goroutine %d (%s): no stack", gr.ID, gr.Status)
	}
	return s, nil
}

// begin returns where a goroutine's stack begins.
func (p *Process) begin(gp *g) start {
	if gp.m == 0 {
		return gp.saved()
	}
	m := p.mAt(gp.m)
	if m == nil || m.curg != gp.addr {
		return gp.saved()
	}
	if gp.status == gRunning && gp.syssp == 0 && m.vdsoSP == 0 {
		if t, ok := p.threads[m.tid]; ok {
			segs := p.segments(t.Regs)
			if m.dying > 0 {
				// It died too. Printing, it would begin with its panic.
				if at, ok := p.afterFatal(gp, segs); ok {
					return at
				}
			}
			for _, s := range segs {
				if len(s.frames) > 0 && gp.onStack(s.frames[0].sp) {
					f := &s.frames[0]
					return start{pc: f.pc, sp: f.sp, fp: f.fp, trap: true, hi: gp.hi, all: f.all, lr: t.Regs.LR}
				}
			}
		}
	}
	return p.override(gp, m, gp.saved())
}

// afterFatal returns where the traceback of a goroutine that died begins: at
// the caller of fatalpanic or fatalthrow.
func (p *Process) afterFatal(gp *g, segs []segment) (start, bool) {
	for _, s := range append(segs, p.segment(gp.saved())) {
		k := max(s.index(fnFatalpanic), s.index(fnFatalthrow))
		if k >= 0 && k+1 < len(s.frames) && gp.onStack(s.frames[k].sp) {
			f := &s.frames[k+1]
			return start{pc: f.pc, sp: f.sp, fp: f.fp, hi: gp.hi}, true
		}
	}
	return start{}, false
}

// override is traceback1's: what was saved on the way into a system call or
// the vDSO goes before any other idea of where the goroutine is.
func (p *Process) override(gp *g, m *m, at start) start {
	if gp.status == gSyscall {
		at = start{pc: gp.syspc, sp: gp.syssp, fp: gp.sysbp, syscall: true, hi: gp.hi}
	}
	if m != nil && m.vdsoSP != 0 {
		at = start{pc: m.vdsoPC, sp: m.vdsoSP, hi: gp.hi}
	}
	return at
}

// ThreadStack returns the stack of a kernel thread from its registers, across
// the switches between a goroutine's stack, the thread's own and the signal
// stack. It has the frames of C code if [Input.Native] can step through them.
func (p *Process) ThreadStack(tid int) (Stack, error) {
	t, ok := p.threads[tid]
	if !ok {
		return Stack{}, errNoThread(tid)
	}
	var b builder
	regs, call := p.native(t.Regs, false, &b)
	at := regs.start()
	at.trap = !call
	switched := false
	const maxSwitches = 16
	for range maxSwitches {
		s := p.segmentInto(at, &b)
		switch {
		case s.sig.valid:
			regs, _ := p.native(s.sig.regs, false, &b)
			at = regs.start()
			continue
		case len(s.frames) == 0 || switched:
			return b.stack(), nil
		}
		last := &s.frames[len(s.frames)-1]
		m := p.byTID[tid]
		if m == nil || last.info.kind != kindSystemstack && last.info.kind != kindMorestack && trimABI(last.info.fn.name) != "runtime.asmcgocall" {
			return b.stack(), nil
		}
		gp, ok := p.readG(m.curg)
		if !ok || gp.onStack(last.sp) {
			return b.stack(), nil
		}
		at, switched = start{pc: gp.pc, sp: gp.sp, lr: gp.lr, fp: gp.bp, hi: gp.hi}, true
	}
	return b.stack(), nil
}

// segmentInto walks one stack to its end or to the signal that it handles.
func (p *Process) segmentInto(at start, b *builder) segment {
	var s segment
	p.walk(at, func(f physFrame) bool {
		b.add(f)
		s.frames = append(s.frames[:0], f)
		if f.info.kind == kindSigtramp {
			s.sig = p.sigcontextAt(f.cfa)
		}
		return true
	})
	return s
}

// maxNative bounds the frames of C code.
const maxNative = 256

// native adds frames of C code until Go code is reached, and returns the
// registers there; call is false if not a single step was made.
func (p *Process) native(regs Regs, call bool, b *builder) (Regs, bool) {
	for range maxNative {
		if p.findFunc(regs.PC) != nil || regs.PC == 0 {
			break
		}
		b.inner = append(b.inner, p.nativeFrame(regs, call))
		b.n++
		if p.in.Native == nil || b.n >= innerFrames {
			break
		}
		next, err := p.in.Native.Step(regs, call)
		if err != nil || next.SP <= regs.SP {
			break
		}
		b.inner[len(b.inner)-1].CFA = next.SP
		regs, call = next, true
	}
	return regs, call
}

func (p *Process) nativeFrame(regs Regs, call bool) Frame {
	f := Frame{Function: "non-Go function", PC: regs.PC, Exact: !call, Native: true, SP: regs.SP, Regs: regs}
	if p.in.Native != nil {
		if fn, file, line, ok := p.in.Native.Lookup(regs.PC, call); ok {
			f.Function, f.File, f.Line = fn, file, line
		}
	}
	return f
}
