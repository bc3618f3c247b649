package goruntime

import "strings"

// funcInfo is a function in its module.
type funcInfo struct {
	function
	mod   *module
	entry uint64
	name  string // as in the table
}

// pcKey tells a return address from an instruction that was executing: they
// are symbolized differently.
type pcKey struct {
	pc   uint64
	trap bool
}

// pcInfo is all that unwinding and naming need to know of a PC. One is made
// for each PC that occurs on any stack, and kept.
type pcInfo struct {
	fn    *funcInfo // nil if pc is not in Go code
	delta int32     // of the stack pointer from its value on entry
	kind  funcKind
	calls []call // as printed, innermost first
}

// funcKind marks the functions that unwinding treats specially. The runtime
// knows them by their number (internal/abi.FuncID), which changes from one
// version to the next; their names do not.
type funcKind uint8

const (
	kindNormal funcKind = iota
	kindInjected
	kindCgocallback
	kindMorestack
	kindSystemstack
	kindSigtramp
)

var funcKinds = map[string]funcKind{
	"runtime.sigpanic":     kindInjected,
	"runtime.asyncPreempt": kindInjected,
	"runtime.debugCallV2":  kindInjected,
	"runtime.cgocallback":  kindCgocallback,
	"runtime.morestack":    kindMorestack,
	"runtime.systemstack":  kindSystemstack,
	"runtime.sigtramp":     kindSigtramp,
}

// maxPCs bounds the cache. A real program has far fewer call sites; more come
// from walking garbage.
const maxPCs = 1 << 20

// lookup returns what is known of a PC. It never returns nil.
func (p *Process) lookup(pc uint64, trap bool) *pcInfo {
	key := pcKey{pc, trap}
	p.mu.RLock()
	info := p.pcs[key]
	p.mu.RUnlock()
	if info != nil {
		return info
	}
	info = p.makePC(pc, trap)
	p.mu.Lock()
	for i := range info.calls {
		c := &info.calls[i]
		c.name, c.file = p.intern(c.name), p.intern(c.file)
	}
	if len(p.pcs) < maxPCs {
		p.pcs[key] = info
	}
	p.mu.Unlock()
	return info
}

// intern returns s, the same string for equal ones: a file has many PCs. The
// caller holds mu.
func (p *Process) intern(s string) string {
	if t, ok := p.strings[s]; ok {
		return t
	}
	p.strings[s] = s
	return s
}

func (p *Process) makePC(pc uint64, trap bool) *pcInfo {
	fn := p.findFunc(pc)
	if fn == nil {
		return &pcInfo{}
	}
	info := &pcInfo{fn: fn, kind: funcKinds[strings.TrimSuffix(fn.name, ".abi0")]}
	t := &fn.mod.pclntab
	info.delta = t.value(fn.pcsp, pc-fn.entry)
	sym := pc - fn.entry
	if !trap && sym > 0 {
		sym-- // into the call instruction: unwinder.symPC
	}
	info.calls = t.expand(fn.function, sym)
	for i := range info.calls {
		info.calls[i].name = p.printedName(info.calls[i].name)
	}
	return info
}

// findFunc is runtime.findfunc; nil if pc is not in Go code.
func (p *Process) findFunc(pc uint64) *funcInfo {
	for _, m := range p.modules {
		if !m.contains(pc) {
			continue
		}
		off, ok := m.textOff(pc)
		if !ok {
			return nil
		}
		f, ok := m.find(off)
		if !ok {
			return nil
		}
		entry := m.textAddr(f.entryOff)
		if entry > pc {
			return nil
		}
		return &funcInfo{function: f, mod: m, entry: entry, name: m.name(f.nameOff)}
	}
	return nil
}

// printedName is runtime.printFuncName: the name as it stands in a traceback,
// with the shapes of generic functions left out.
func (p *Process) printedName(name string) string {
	if name == "runtime.gopanic" {
		return "panic"
	}
	i := strings.IndexByte(name, '[')
	j := strings.LastIndexByte(name, ']')
	if i < 0 || j <= i {
		return name
	}
	// Go 1.27 has generic methods: the receiver's type arguments and the
	// method's own are two pairs of brackets.
	if inner := name[i+1 : j]; p.minor >= 27 && strings.IndexByte(inner, '[') >= 0 {
		depth, rbr := 1, -1
		for k := range len(inner) {
			switch inner[k] {
			case '[':
				depth++
				if depth == 1 {
					return name[:i] + "[...]" + inner[rbr+1:k] + "[...]" + name[j+1:]
				}
			case ']':
				depth--
				if depth < 0 {
					return name
				}
				if depth == 0 {
					rbr = k
				}
			}
		}
		if depth != 1 {
			return name // not balanced
		}
	}
	return name[:i] + "[...]" + name[j+1:]
}
