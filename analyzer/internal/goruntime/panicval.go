package goruntime

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxPanics bounds the chain of panics of one goroutine.
const maxPanics = 1 << 10

// describePanic reads the goroutine's chain of panics, and lists what the
// runtime prints of it (runtime.printpanics): a value that was recovered and
// panicked with again is listed once.
func (p *Process) describePanic(c *Crash, gp *g) {
	l := &p.lay
	seen := make(map[uint64]bool)
	var chain []Panic // newest first
	again := false    // the previous one is the same panic once more
	for addr := gp.panics; addr != 0 && !seen[addr] && len(chain) < maxPanics; {
		seen[addr] = true
		b, err := p.mem.read(addr, uint64(l.PanicSize))
		if err != nil {
			p.warnf("goroutine %d: its chain of panics cannot be read: %v", gp.goid, err)
			break
		}
		link := u64(b, l.PanicLink)
		one := Panic{
			Recovered: u8(b, l.PanicRecovered) != 0,
			Goexit:    u8(b, l.PanicGoexit) != 0,
		}
		if !one.Goexit {
			one.Value = p.value(u64(b, l.PanicArg), u64(b, l.PanicArg+8))
		}
		if n := len(chain); again && n > 0 {
			chain = chain[:n-1]
		}
		chain = append(chain, one)
		again = p.repanicked(link)
		addr = link
	}
	if len(chain) > 0 {
		c.Message = chain[0].Value
	}
	slices.Reverse(chain)
	c.Panics = chain
}

func (p *Process) repanicked(addr uint64) bool {
	if addr == 0 || p.lay.PanicRepanicked < 0 {
		return false
	}
	b, err := p.mem.read(addr, uint64(p.lay.PanicSize))
	return err == nil && u8(b, p.lay.PanicRepanicked) != 0
}

// Kinds of internal/abi.Kind that are printed by value.
const (
	kindBool = 1 + iota
	kindInt
	kindInt8
	kindInt16
	kindInt32
	kindInt64
	kindUint
	kindUint8
	kindUint16
	kindUint32
	kindUint64
	kindUintptr
	kindFloat32
	kindFloat64
	kindComplex64
	kindComplex128

	kindString = 24
	kindMask   = 1<<5 - 1
)

// Fields of internal/abi.Type, the same since Go 1.18 at least.
const (
	typeSize   = 48
	typeTFlag  = 20
	typeKind   = 23
	typeStr    = 40
	tflagStar  = 1 << 1 // TFlagExtraStar
	tflagNamed = 1 << 2 // TFlagNamed
)

// value prints the interface value (typ, data) as runtime.printpanicval does.
// By the time of a crash preprintpanics has replaced errors and Stringers by
// their text.
func (p *Process) value(typ, data uint64) string {
	if typ == 0 {
		return "nil"
	}
	t, err := p.mem.read(typ, typeSize)
	if err != nil {
		return fmt.Sprintf("(?) %#x", data)
	}
	kind := u8(t, typeKind) & kindMask
	s, ok := p.basic(kind, data)
	if !ok {
		return fmt.Sprintf("(%s) %#x", p.typeName(typ, t), data)
	}
	if kind == kindString {
		s = strings.ReplaceAll(s, "\n", "\n\t") // printindented
	}
	name := p.typeName(typ, t)
	switch {
	case u8(t, typeTFlag)&tflagNamed == 0 || !strings.Contains(name, "."):
		return s // a predeclared type
	case kind == kindString:
		return name + `("` + s + `")`
	case kind == kindComplex64 || kind == kindComplex128:
		return name + s // it has its own parentheses
	}
	return name + "(" + s + ")"
}

// basic prints the value of a basic kind at addr.
func (p *Process) basic(kind uint8, addr uint64) (string, bool) {
	if kind == kindString {
		h, err := p.mem.read(addr, 16)
		if err != nil {
			return "", false
		}
		s, err := p.mem.str(u64(h, 0), u64(h, 8))
		return s, err == nil
	}
	size := map[uint8]uint64{
		kindBool: 1, kindInt8: 1, kindUint8: 1, kindInt16: 2, kindUint16: 2, kindInt32: 4, kindUint32: 4, kindFloat32: 4,
		kindInt: 8, kindInt64: 8, kindUint: 8, kindUint64: 8, kindUintptr: 8, kindFloat64: 8, kindComplex64: 8,
		kindComplex128: 16,
	}[kind]
	if size == 0 {
		return "", false
	}
	var b [16]byte
	if _, err := p.mem.ReadMemory(b[:size], addr); err != nil {
		return "", false
	}
	v := u64(b[:], 0)
	switch kind {
	case kindBool:
		return strconv.FormatBool(v != 0), true
	case kindInt, kindInt8, kindInt16, kindInt32, kindInt64:
		shift := 64 - 8*size
		return strconv.FormatInt(int64(v<<shift)>>shift, 10), true
	case kindFloat32:
		return p.float(float64(math.Float32frombits(uint32(v)))), true
	case kindFloat64:
		return p.float(math.Float64frombits(v)), true
	case kindComplex64:
		return p.complex(float64(math.Float32frombits(uint32(v))), float64(math.Float32frombits(uint32(v>>32)))), true
	case kindComplex128:
		return p.complex(math.Float64frombits(v), math.Float64frombits(u64(b[:], 8))), true
	}
	return strconv.FormatUint(v, 10), true
}

// float is runtime.printfloat64, which before Go 1.26 knew one format only.
func (p *Process) float(v float64) string {
	switch {
	case p.minor >= 26:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return fmt.Sprintf("%+v", v)
	}
	// Always a sign, and three digits of exponent.
	s := fmt.Sprintf("%+e", v)
	if i := strings.IndexByte(s, 'e'); i >= 0 && len(s)-i == 4 {
		s = s[:i+2] + "0" + s[i+2:]
	}
	return s
}

func (p *Process) complex(re, im float64) string {
	i := p.float(im)
	if i[0] != '-' && i[0] != '+' {
		i = "+" + i
	}
	return "(" + p.float(re) + i + "i)"
}

// typeName is the type's string form (runtime.rtype.string).
func (p *Process) typeName(typ uint64, t []byte) string {
	off := uint64(u32(t, typeStr))
	for _, m := range p.modules {
		if typ < m.types || typ >= m.etypes || off >= m.etypes-m.types {
			continue
		}
		// A flag byte, the length as a varint, the bytes (internal/abi.Name).
		var b [4]byte
		if _, err := p.mem.ReadMemory(b[:], m.types+off); err != nil {
			break
		}
		n, k := uvarint(b[1:])
		if k == 0 {
			break
		}
		s, err := p.mem.str(m.types+off+1+uint64(k), uint64(n))
		if err != nil {
			break
		}
		if u8(t, typeTFlag)&tflagStar != 0 {
			s = strings.TrimPrefix(s, "*")
		}
		return s
	}
	return "?"
}

const (
	backlogSize = 512 // len(runtime.printBacklog)
	fatalPrefix = "fatal error: "
)

// fatalText returns the text of the last "fatal error: ". The runtime keeps
// what it printed before it began to die in a ring, runtime.printBacklog.
// cfa is where the frame of throw or fatal ends, 0 if unknown: the compiler
// spills the argument, the text, there.
func (p *Process) fatalText(cfa uint64) string {
	arg := p.throwArg(cfa)
	ring := p.backlog()
	// The argument's slot may hold anything by now; the ring may have been
	// overwritten in part. What both say is true.
	if i := bytes.LastIndex(ring, []byte(fatalPrefix)); i >= 0 {
		text := string(ring[i+len(fatalPrefix):])
		if printed := strings.ReplaceAll(arg, "\n", "\n\t"); arg != "" && strings.HasPrefix(text, printed+"\n") {
			return printed
		}
		text, _, _ = strings.Cut(text, "\n")
		if text != "" {
			return text
		}
	}
	return arg
}

// throwArg reads the spilled argument of throw(s string).
func (p *Process) throwArg(cfa uint64) string {
	if cfa == 0 || p.arch.usesLR {
		return ""
	}
	b, err := p.mem.read(cfa, 16)
	if err != nil || u64(b, 8) == 0 || u64(b, 8) > 4<<10 {
		return ""
	}
	s, err := p.mem.str(u64(b, 0), u64(b, 8))
	if err != nil || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == '\uFFFD' }) {
		return ""
	}
	return s
}

// backlog returns what is in the ring, oldest first; nil if it is not found.
func (p *Process) backlog() []byte {
	addr, ok := p.symbols["runtime.printBacklog"]
	if !ok {
		// Zeroed data without pointers: a constant with this text would be
		// elsewhere.
		for _, s := range p.modules[0].data[1:] {
			if found, ok := p.find(s, []byte(fatalPrefix)); ok {
				b, err := p.mem.read(found, min(backlogSize, s.hi-found))
				if err != nil {
					return nil
				}
				b, _, _ = bytes.Cut(b, []byte{0})
				return b
			}
		}
		return nil
	}
	b, err := p.mem.read(addr, backlogSize)
	if err != nil {
		return nil
	}
	if at, ok := p.symbols["runtime.printBacklogIndex"]; ok {
		if i, err := p.mem.word(at); err == nil && i < backlogSize {
			b = append(b[i:len(b):len(b)], b[:i]...)
		}
	}
	return bytes.Trim(b, "\x00")
}
