package goruntime

// maxMs bounds the list of threads that the runtime knows: its own default
// limit (debug.SetMaxThreads) is 10 000.
const maxMs = 1 << 17

// maxCands bounds the globals that may point to an m.
const maxCands = 1 << 12

// m is what the engine needs of one runtime.m.
type m struct {
	addr            uint64
	g0, gsignal     uint64
	curg, caughtsig uint64
	tid             int
	throwing, dying int32
	incgo           bool
	alllink         uint64
	vdsoSP, vdsoPC  uint64
}

func (p *Process) readM(addr uint64) (*m, bool) {
	if addr == 0 || addr%8 != 0 {
		return nil, false
	}
	l := &p.lay
	b := make([]byte, l.MSize)
	if _, err := p.mem.ReadMemory(b, addr); err != nil {
		return nil, false
	}
	m := &m{
		addr:      addr,
		g0:        u64(b, l.MG0),
		gsignal:   u64(b, l.MGsignal),
		curg:      u64(b, l.MCurg),
		caughtsig: u64(b, l.MCaughtsig),
		tid:       int(u64(b, l.MProcid)),
		throwing:  int32(u32(b, l.MThrowing)),
		dying:     int32(u32(b, l.MDying)),
		incgo:     u8(b, l.MIncgo) != 0,
		alllink:   u64(b, l.MAlllink),
		vdsoSP:    u64(b, l.MVdsoSP),
		vdsoPC:    u64(b, l.MVdsoPC),
	}
	// Its g0 points back: that is how an m is told from anything else.
	back, err := p.mem.word(m.g0 + uint64(l.GM))
	return m, err == nil && m.g0 != 0 && back == addr
}

// findMs sets p.ms and p.byTID.
func (p *Process) findMs() {
	if addr, ok := p.symbols["runtime.allm"]; ok {
		if head, err := p.mem.word(addr); err == nil {
			p.ms = p.chain(head)
		}
	}
	if len(p.ms) == 0 {
		p.searchMs()
	}
	for _, m := range p.ms {
		if m.tid != 0 && p.byTID[m.tid] == nil {
			p.byTID[m.tid] = m
		}
	}
	if len(p.ms) == 0 {
		p.warnf("the runtime's threads cannot be found")
	}
}

// chain follows m.alllink.
func (p *Process) chain(head uint64) []*m {
	var list []*m
	seen := make(map[uint64]bool)
	for head != 0 && !seen[head] && len(list) < maxMs {
		seen[head] = true
		m, ok := p.readM(head)
		if !ok {
			break
		}
		list = append(list, m)
		head = m.alllink
	}
	return list
}

// searchMs finds runtime.allm without its symbol: among the pointers in bss
// it is the one to the m that begins the longest list.
func (p *Process) searchMs() {
	var cands []uint64
	tried := make(map[uint64]bool)
	for _, s := range p.modules[0].data {
		p.eachWord(s, 1, func(_ uint64, b []byte) {
			v := u64(b, 0)
			if v < 1<<16 || v%8 != 0 || tried[v] || len(cands) >= maxCands {
				return
			}
			tried[v] = true
			// Cheap test first: most words lead nowhere.
			g0, err := p.mem.word(v + uint64(p.lay.MG0))
			if err != nil || g0 < 1<<16 || g0%8 != 0 {
				return
			}
			if back, err := p.mem.word(g0 + uint64(p.lay.GM)); err == nil && back == v {
				cands = append(cands, v)
			}
		})
	}
	listed := make(map[uint64]bool) // what follows from one of these is shorter
	for _, c := range cands {
		if listed[c] {
			continue
		}
		list := p.chain(c)
		for _, m := range list {
			listed[m.addr] = true
		}
		if len(list) > len(p.ms) {
			p.ms = list
		}
	}
}

// mAt returns the m at addr, nil if there is none.
func (p *Process) mAt(addr uint64) *m {
	p.mu.RLock()
	found, ok := p.mCache[addr]
	p.mu.RUnlock()
	if ok {
		return found
	}
	for _, m := range p.ms {
		if m.addr == addr {
			found = m
		}
	}
	if found == nil {
		if m, ok := p.readM(addr); ok {
			found = m
		}
	}
	p.mu.Lock()
	p.mCache[addr] = found
	p.mu.Unlock()
	return found
}
