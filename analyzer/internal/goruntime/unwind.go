package goruntime

// The runtime's tracebackInnerFrames and tracebackOuterFrames
// (runtime/traceback.go): how much of a deep stack is kept.
const (
	innerFrames = 50
	outerFrames = 50
)

// maxFrames bounds a walk. A stack of the default maximum size, 1 GB, holds
// at most an eighth as many frames.
const maxFrames = 1 << 27

// start is where a walk begins.
type start struct {
	pc, sp, lr, fp uint64
	// trap means that pc is an instruction that was executing, not a return
	// address.
	trap bool
	// syscall means that pc and sp were saved on entry to a system call, so
	// that what the function does to SP later does not matter.
	syscall bool
	hi      uint64         // end of the stack, 0 if unknown
	all     map[int]uint64 // every register, if known
}

// physFrame is a machine frame: one function's activation, which inlining may
// make several logical frames.
type physFrame struct {
	info   *pcInfo
	pc, sp uint64
	cfa    uint64 // just above the return address
	fp     uint64 // frame pointer register in this frame
	trap   bool
	all    map[int]uint64
}

// walk iterates over the frames of one stack as runtime.unwinder does when it
// prints: it stops at the top frame, at functions that write SP, and at code
// that is not Go. It does not follow switches from one stack to another. It
// stops when yield returns false.
func (p *Process) walk(s start, yield func(physFrame) bool) {
	w := windows.Get().(*window)
	defer windows.Put(w)
	w.mem, w.limit, w.base, w.buf = p.mem, s.hi, 0, w.buf[:0]
	w.deep = false
	pc, sp, lr, fp, trap := s.pc, s.sp, s.lr, s.fp, s.trap
	if pc == 0 && sp != 0 {
		// A call of a nil function: begin in the caller.
		var err error
		if pc, err = w.word(sp); err != nil {
			return
		}
		lr = 0
		if !p.arch.usesLR {
			sp += 8
		}
	}
	all := s.all
	innermost, syscall := true, s.syscall
	// A deep stack is a recursion: the same few PCs again and again.
	var last [4]struct {
		pcKey
		info *pcInfo
	}
	for range maxFrames {
		recent := &last[pc>>2&3]
		if recent.info == nil || recent.pc != pc || recent.trap != trap {
			recent.pcKey, recent.info = pcKey{pc, trap}, p.lookup(pc, trap)
		}
		info := recent.info
		if info.fn == nil || info.fn.pcsp == 0 {
			return
		}
		cfa := sp + uint64(int64(info.delta))
		if !p.arch.usesLR {
			cfa += 8 // the call pushed the return address
		}
		if cfa < sp {
			return
		}
		if !yield(physFrame{info: info, pc: pc, sp: sp, cfa: cfa, fp: fp, trap: trap, all: all}) {
			return
		}
		all = nil
		flag := info.fn.flag
		if info.kind == kindCgocallback || syscall {
			flag &^= flagSPWrite
		}
		if flag&(flagTopFrame|flagSPWrite) != 0 {
			return
		}
		var err error
		if p.arch.usesLR {
			if info.delta > 0 {
				// The frame pointer is saved below the stack pointer.
				if fp, err = w.word(sp - 8); err != nil {
					fp = 0
				}
			}
			if innermost && sp < cfa || lr == 0 {
				lr, err = w.word(sp)
			}
		} else {
			if info.delta >= 8 {
				if fp, err = w.word(cfa - 16); err != nil {
					fp = 0
				}
			}
			lr, err = w.word(cfa - 8)
		}
		if err != nil || lr == 0 || pc == lr && sp == cfa {
			return
		}
		trap = info.kind == kindInjected
		pc, sp, lr = lr, cfa, 0
		innermost, syscall = false, false
		if p.arch.usesLR && trap {
			// The signal handler saved LR on the stack before it faked the call.
			x, err := w.word(sp)
			if err != nil {
				return
			}
			sp += p.arch.lrSlot
			if next := p.lookup(pc, trap); next.fn == nil {
				pc = x
			} else if next.delta == 0 {
				lr = x
			}
		}
	}
}

// builder turns machine frames into a Stack of logical ones, and keeps only
// the ends of a deep one.
type builder struct {
	inner []Frame
	ring  []logical
	n     int // logical frames so far
}

// logical is a logical frame that is not yet spelled out.
type logical struct {
	phys physFrame
	call int
}

// add appends a machine frame's logical frames.
func (b *builder) add(f physFrame) bool {
	for i := range f.info.calls {
		switch k := b.n - innerFrames; {
		case k < 0:
			if b.inner == nil {
				b.inner = make([]Frame, 0, 8) // most goroutines have no more
			}
			b.inner = append(b.inner, f.frame(i))
		case k < outerFrames:
			b.ring = append(b.ring, logical{f, i})
		default:
			b.ring[k%outerFrames] = logical{f, i}
		}
		b.n++
	}
	return true
}

func (b *builder) stack() Stack {
	s := Stack{Frames: b.inner}
	k := b.n - innerFrames
	first := 0
	if k > outerFrames {
		s.Elided, s.ElidedAt = k-outerFrames, innerFrames
		first = k % outerFrames
	}
	for i := range b.ring {
		l := &b.ring[(first+i)%len(b.ring)]
		s.Frames = append(s.Frames, l.phys.frame(l.call))
	}
	return s
}

// frame spells out the i'th logical frame.
func (f *physFrame) frame(i int) Frame {
	c := &f.info.calls[i]
	return Frame{
		Function: c.name,
		File:     c.file,
		Line:     c.line,
		PC:       f.pc,
		Inlined:  c.inlined,
		Entry:    f.info.fn.entry,
		Exact:    f.trap,
		SP:       f.sp,
		CFA:      f.cfa,
		Regs:     Regs{PC: f.pc, SP: f.sp, FP: f.fp, G: f.all},
	}
}

// stackFrom walks and builds.
func (p *Process) stackFrom(s start) Stack {
	var b builder
	p.walk(s, b.add)
	return b.stack()
}
