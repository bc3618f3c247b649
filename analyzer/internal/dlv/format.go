package dlv

import (
	"fmt"
	"go/constant"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-delve/delve/pkg/proc"
)

// format renders the value of a loaded variable on one line, in the notation
// of Go's composite literals as far as that goes.
func format(v *proc.Variable, lost losses, lim Limits) string {
	p := &printer{lost: lost, lim: lim}
	p.value(v, true, 0)
	return clip(p.b.String(), lim.MaxText)
}

// maxNesting bounds the recursion, whatever Delve loaded.
const maxNesting = 20

type printer struct {
	b    strings.Builder
	lost losses
	lim  Limits
}

func (p *printer) str(s string)              { p.b.WriteString(s) }
func (p *printer) printf(f string, a ...any) { fmt.Fprintf(&p.b, f, a...) }
func (p *printer) full() bool                { return p.b.Len() > p.lim.MaxText }
func (p *printer) unreadable(why string)     { p.printf("(%s)", why) }
func (p *printer) typed(t string, with bool) {
	if with {
		p.str(t)
		p.str(" ")
	}
}

// value renders v. Where the context already says the type, withType is
// false.
func (p *printer) value(v *proc.Variable, withType bool, depth int) {
	if p.full() {
		return
	}
	if depth > maxNesting {
		p.str("…")
		return
	}
	if v.Unreadable != nil && p.lost.at(v.Addr, size(v)) == "" {
		p.unreadable(friendly(v.Unreadable))
		return
	}
	switch v.Kind {
	case reflect.Struct:
		p.structure(v, withType, depth)
	case reflect.Array:
		p.typed(typeName(v), withType)
		p.elements(v, depth)
	case reflect.Slice:
		p.slice(v, withType, depth)
	case reflect.String:
		p.text(v)
	default:
		if why := p.lost.at(v.Addr, size(v)); why != "" {
			p.unreadable(why)
			return
		}
		p.single(v, withType, depth)
	}
}

// single renders a value that is there either wholly or not at all.
func (p *printer) single(v *proc.Variable, withType bool, depth int) {
	switch v.Kind {
	case reflect.Ptr:
		p.pointer(v, withType, depth)
	case reflect.UnsafePointer:
		if len(v.Children) == 0 {
			p.str("nil")
			return
		}
		p.printf("unsafe.Pointer(%#x)", v.Children[0].Addr)
	case reflect.Interface:
		p.iface(v, withType, depth)
	case reflect.Map:
		p.mapping(v, withType, depth)
	case reflect.Chan:
		p.channel(v)
	case reflect.Func:
		if s := stringValue(v); s != "" {
			p.str(s)
			return
		}
		p.str("nil")
	default:
		p.number(v)
	}
}

func (p *printer) number(v *proc.Variable) {
	if v.Value == nil {
		p.unreadable("no value")
		return
	}
	switch v.Kind {
	case reflect.Float32:
		p.str(float(v, 32))
	case reflect.Float64:
		p.str(float(v, 64))
	case reflect.Complex64, reflect.Complex128:
		re, _ := constant.Float64Val(constant.Real(v.Value))
		im, _ := constant.Float64Val(constant.Imag(v.Value))
		p.printf("%v", complex(re, im))
	case reflect.Uintptr:
		n, _ := constant.Uint64Val(v.Value)
		p.printf("%#x", n)
	default:
		if v.Value.Kind() == constant.Int && typeName(v) == "time.Duration" {
			n, _ := constant.Int64Val(v.Value)
			p.str(time.Duration(n).String())
			return
		}
		if name := v.ConstDescr(); name != "" {
			p.printf("%s (%s)", name, v.Value)
			return
		}
		p.str(v.Value.String())
	}
}

func float(v *proc.Variable, bits int) string {
	switch v.FloatSpecial {
	case proc.FloatIsPosInf:
		return "+Inf"
	case proc.FloatIsNegInf:
		return "-Inf"
	case proc.FloatIsNaN:
		return "NaN"
	}
	f, _ := constant.Float64Val(v.Value)
	return strconv.FormatFloat(f, 'g', -1, bits)
}

// text renders a string: two words, of which one may be lost.
func (p *printer) text(v *proc.Variable) {
	word := size(v) / 2
	if why := p.lost.at(v.Addr+uint64(word), word); why != "" {
		p.unreadable(why)
		return
	}
	if why := p.lost.at(v.Addr, word); why != "" && v.Len > 0 {
		p.printf("len: %d, (%s)", v.Len, why)
		return
	}
	s := stringValue(v)
	p.str(strconv.Quote(s))
	p.more(v.Len - int64(len(s)))
}

func (p *printer) more(n int64) {
	if n > 0 {
		p.printf("…+%d more", n)
	}
}

func stringValue(v *proc.Variable) string {
	if v.Value == nil || v.Value.Kind() != constant.String {
		return ""
	}
	return constant.StringVal(v.Value)
}

func typeName(v *proc.Variable) string { return clip(v.TypeString(), 200) }

func size(v *proc.Variable) int64 {
	if v.RealType == nil {
		return 0
	}
	return v.RealType.Size()
}

// clip cuts s to at most n bytes, at a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const mark = "…"
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:max(n, 0)] + mark
}
