package goruntime

import (
	"cmp"
	"slices"
)

// Goroutine states of runtime/runtime2.go.
const (
	gIdle      = 0
	gRunning   = 2
	gSyscall   = 3
	gWaiting   = 4
	gDead      = 6
	gLeaked    = 10
	gDeadextra = 11
	gScan      = 0x1000
)

// statusNames is the runtime's gStatusStrings (runtime/traceback.go).
var statusNames = [...]string{
	1: "runnable", gRunning: "running", gSyscall: "syscall", gWaiting: "waiting",
	8: "copystack", 9: "preempted", gLeaked: "leaked", gDeadextra: "",
}

// g is what the engine needs of one runtime.g.
type g struct {
	addr                   uint64
	lo, hi                 uint64
	panics, m              uint64
	pc, sp, lr, bp         uint64 // sched
	syspc, syssp, sysbp    uint64
	status                 uint32
	goid                   uint64
	waitsince              int64
	waitreason             uint8
	sig                    uint32
	sigcode0, sigcode1     uint64
	parent, gopc, startpc  uint64
	labels                 uint64
	runningCleanups, valid bool
}

func (p *Process) decodeG(addr uint64, b []byte) g {
	l := &p.lay
	return g{
		addr:   addr,
		lo:     u64(b, l.GStackLo),
		hi:     u64(b, l.GStackHi),
		panics: u64(b, l.GPanic), m: u64(b, l.GM),
		pc: u64(b, l.GSchedPC), sp: u64(b, l.GSchedSP), lr: u64(b, l.GSchedLR), bp: u64(b, l.GSchedBP),
		syspc: u64(b, l.GSyscallPC), syssp: u64(b, l.GSyscallSP), sysbp: u64(b, l.GSyscallBP),
		status:     u32(b, l.GAtomicStatus) &^ gScan,
		goid:       u64(b, l.GGoid),
		waitsince:  int64(u64(b, l.GWaitSince)),
		waitreason: u8(b, l.GWaitReason),
		sig:        u32(b, l.GSig),
		sigcode0:   u64(b, l.GSigcode0), sigcode1: u64(b, l.GSigcode1),
		parent: u64(b, l.GParentGoid), gopc: u64(b, l.GGopc), startpc: u64(b, l.GStartpc),
		labels:          u64(b, l.GLabels),
		runningCleanups: u8(b, l.GCleanups) != 0,
		valid:           true,
	}
}

func (p *Process) readG(addr uint64) (g, bool) {
	if addr == 0 {
		return g{}, false
	}
	b := p.gbufs.Get().(*[]byte)
	defer p.gbufs.Put(b)
	if _, err := p.mem.ReadMemory(*b, addr); err != nil {
		return g{}, false
	}
	return p.decodeG(addr, *b), true
}

// onStack reports whether sp is within the goroutine's stack.
func (gp *g) onStack(sp uint64) bool { return gp.lo < gp.hi && gp.lo <= sp && sp < gp.hi }

// plausible reports whether the structure can be a goroutine at all. It is
// what tells runtime.allgs from any other slice.
func (gp *g) plausible() bool {
	if gp.status > gDeadextra || gp.goid >= 1<<48 || gp.addr%8 != 0 || gp.m%8 != 0 {
		return false
	}
	if gp.status == gDead || gp.status == gIdle || gp.status == gDeadextra {
		return gp.lo <= gp.hi
	}
	const maxStack = 1 << 40 // debug.SetMaxStack may exceed the default 1 GB
	return gp.goid != 0 && gp.lo != 0 && gp.lo < gp.hi && gp.hi-gp.lo < maxStack
}

// saved returns where the runtime would begin to trace the goroutine: what it
// saved when it entered a system call, or else when it was last switched away
// from (unwinder.initAt).
func (gp *g) saved() start {
	if gp.syssp != 0 {
		return start{pc: gp.syspc, sp: gp.syssp, fp: gp.sysbp, syscall: true, hi: gp.hi}
	}
	return start{pc: gp.pc, sp: gp.sp, lr: gp.lr, fp: gp.bp, hi: gp.hi}
}

// maxGs bounds runtime.allgs.
const maxGs = 1 << 28

// findGoroutines sets p.allgs.
func (p *Process) findGoroutines() {
	if addr, ok := p.symbols["runtime.allgs"]; ok {
		if b, err := p.mem.read(addr, 24); err == nil {
			if list, ok := p.readAllgs(u64(b, 0), u64(b, 8), u64(b, 16)); ok {
				p.allgs = list
				return
			}
		}
		p.warnf("runtime.allgs cannot be read")
	}
	for _, s := range p.modules[0].data {
		p.eachWord(s, 3, func(_ uint64, b []byte) {
			n := u64(b, 8)
			if n <= uint64(len(p.allgs)) {
				return
			}
			if list, ok := p.readAllgs(u64(b, 0), n, u64(b, 16)); ok {
				p.allgs = list
			}
		})
	}
	if len(p.allgs) == 0 {
		p.warnf("no list of goroutines in the memory of the process")
	}
}

// readAllgs reads a slice header as runtime.allgs; ok is false if that is not
// what it is.
func (p *Process) readAllgs(ptr, n, capacity uint64) (list []uint64, ok bool) {
	if ptr == 0 || ptr%8 != 0 || n == 0 || capacity < n || n > maxGs || capacity > 4*n+1024 {
		return nil, false
	}
	head, err := p.mem.word(ptr)
	if err != nil || !p.isG(head) {
		return nil, false
	}
	b, err := p.table(ptr, n*8)
	if err != nil {
		return nil, false
	}
	list = make([]uint64, n)
	for i := range list {
		list[i] = u64(b, int32(i*8))
	}
	// A sample will do: the caller checks each one that it uses.
	step := max(len(list)/64, 1)
	for i := 0; i < len(list); i += step {
		if !p.isG(list[i]) {
			return nil, false
		}
	}
	return list, true
}

func (p *Process) isG(addr uint64) bool {
	if addr == 0 || addr%8 != 0 {
		return false
	}
	gp, ok := p.readG(addr)
	return ok && gp.plausible()
}

// eachWord calls f for every word-aligned place in s with the n words there.
func (p *Process) eachWord(s span, n int, f func(addr uint64, words []byte)) {
	const piece = 1 << 20
	overlap := uint64(n-1) * 8
	for lo := (s.lo + 7) &^ 7; lo < s.hi; lo += piece {
		size := min(s.hi-lo, piece+overlap)
		b, err := p.mem.read(lo, size)
		if err != nil {
			continue
		}
		for i := 0; i+n*8 <= len(b) && i < piece; i += 8 {
			if u64(b, int32(i)) != 0 {
				f(lo+uint64(i), b[i:i+n*8])
			}
		}
	}
}

// Goroutines returns every goroutine that is not dead, by ascending id. If
// some could not be read there is a warning.
func (p *Process) Goroutines() ([]Goroutine, error) {
	list := make([]Goroutine, 0, len(p.allgs))
	b := make([]byte, p.lay.GSize)
	bad := 0
	for _, addr := range p.allgs {
		if _, err := p.mem.ReadMemory(b, addr); err != nil {
			bad++
			continue
		}
		gp := p.decodeG(addr, b)
		if gp.status == gIdle || gp.status == gDead || gp.status == gDeadextra {
			continue
		}
		if !gp.plausible() {
			bad++
			continue
		}
		list = append(list, p.describe(&gp))
	}
	if bad > 0 {
		p.warnf("%d of %d goroutines cannot be read", bad, len(p.allgs))
	}
	slices.SortFunc(list, func(a, b Goroutine) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

func (p *Process) describe(gp *g) Goroutine {
	d := Goroutine{ID: gp.goid, Addr: gp.addr, ParentID: gp.parent}
	if int(gp.status) < len(statusNames) {
		d.Status = statusNames[gp.status]
	}
	if gp.status == gWaiting || gp.status == gLeaked {
		d.WaitReason = p.waitReason(gp.waitreason)
	}
	if (gp.status == gWaiting || gp.status == gSyscall) && gp.waitsince != 0 && p.in.Now > gp.waitsince {
		d.Wait = p.in.Now - gp.waitsince
	}
	if gp.m != 0 {
		if m := p.mAt(gp.m); m != nil && m.curg == gp.addr {
			d.TID = m.tid
		}
	}
	d.System = p.isSystem(gp)
	if gp.goid != 1 {
		d.CreatedBy = p.createdBy(gp.gopc)
	}
	if gp.labels != 0 {
		d.Labels = p.labels(gp.labels)
	}
	return d
}
