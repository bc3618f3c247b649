package dlv

import (
	"go/constant"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/go-delve/delve/pkg/proc"
)

func (p *printer) slice(v *proc.Variable, withType bool, depth int) {
	word := size(v) / 3
	p.typed(typeName(v), withType)
	if why := p.lost.at(v.Addr+uint64(word), word); why != "" {
		p.unreadable(why)
		return
	}
	p.printf("len: %d, cap: ", v.Len)
	if p.lost.at(v.Addr+uint64(2*word), word) != "" {
		p.str("?") // usual: few functions need it after the first append
	} else {
		p.printf("%d", v.Cap)
	}
	p.str(", ")
	if why := p.lost.at(v.Addr, word); why != "" {
		p.unreadable(why)
		return
	}
	if v.Base == 0 && v.Len == 0 {
		p.str("nil")
		return
	}
	if s, ok := byteText(v); ok {
		p.str(strconv.Quote(s))
		p.more(v.Len - int64(len(s)))
		return
	}
	p.elements(v, depth)
}

// byteText returns the loaded bytes of a []byte if they are printable.
func byteText(v *proc.Variable) (string, bool) {
	if len(v.Children) == 0 {
		return "", false
	}
	var b []byte
	for i := range v.Children {
		c := &v.Children[i]
		if c.Kind != reflect.Uint8 && c.Kind != reflect.Uint || size(c) != 1 || c.Value == nil || c.Unreadable != nil {
			return "", false
		}
		n, ok := constant.Uint64Val(c.Value)
		if !ok || n < ' ' && n != '\n' && n != '\r' && n != '\t' || n == 0x7f {
			return "", false
		}
		b = append(b, byte(n))
	}
	// The last character may be cut.
	ok := utf8.Valid(b) || int64(len(b)) < v.Len && len(b) > utf8.UTFMax && utf8.Valid(b[:len(b)-utf8.UTFMax])
	return string(b), ok
}

func (p *printer) elements(v *proc.Variable, depth int) {
	p.str("[")
	for i := range v.Children {
		if i > 0 {
			p.str(",")
		}
		p.value(&v.Children[i], false, depth+1)
		if p.full() {
			return
		}
	}
	if rest := v.Len - int64(len(v.Children)); rest > 0 {
		if len(v.Children) > 0 {
			p.str(",")
		}
		p.more(rest)
	}
	p.str("]")
}

func (p *printer) structure(v *proc.Variable, withType bool, depth int) {
	if s := stringValue(v); s != "" && typeName(v) == "time.Time" {
		if why := p.lost.at(v.Addr, size(v)); why != "" {
			p.unreadable(why)
			return
		}
		p.printf("time.Time(%s)", clip(s, 60))
		return
	}
	p.typed(typeName(v), withType)
	if len(v.Children) == 0 && v.Len > 0 {
		p.str("{…}") // deeper than Delve was asked to look
		return
	}
	p.str("{")
	for i := range v.Children {
		if i > 0 {
			p.str(", ")
		}
		f := &v.Children[i]
		p.str(clip(f.Name, 60))
		p.str(": ")
		p.value(f, wantsType(f), depth+1)
		if p.full() {
			return
		}
	}
	if rest := v.Len - int64(len(v.Children)); rest > 0 {
		p.str(", ")
		p.more(rest)
	}
	p.str("}")
}

// wantsType tells whether a field is easier to read with its type.
func wantsType(v *proc.Variable) bool {
	switch v.Kind {
	case reflect.Slice, reflect.Map, reflect.Struct, reflect.Ptr, reflect.Interface:
		return true
	}
	return false
}

func (p *printer) pointer(v *proc.Variable, withType bool, depth int) {
	if len(v.Children) == 0 {
		p.typed(typeName(v), withType)
		p.str("nil")
		return
	}
	target := &v.Children[0]
	switch {
	case target.Addr == 0:
		p.typed(typeName(v), withType)
		p.str("nil")
	case target.Unreadable != nil || target.OnlyAddr || target.Kind == reflect.Invalid || deep(target):
		p.printf("(%s)(%#x)", typeName(v), target.Addr)
	case target.Kind == reflect.Struct || target.Kind == reflect.Array || target.Kind == reflect.Slice || target.Kind == reflect.Map:
		p.str("*")
		p.value(target, withType, depth+1)
	default:
		p.typed(typeName(v), withType)
		p.str("*")
		p.value(target, false, depth+1)
	}
}

// deep tells that v has fields, of which Delve loaded none.
func deep(v *proc.Variable) bool {
	return v.Kind == reflect.Struct && len(v.Children) == 0 && v.Len > 0 && v.Value == nil
}

func (p *printer) iface(v *proc.Variable, withType bool, depth int) {
	name := typeName(v)
	if len(v.Children) == 0 || v.Children[0].Kind == reflect.Invalid && v.Children[0].Addr == 0 {
		p.typed(name, withType)
		p.str("nil")
		return
	}
	data := &v.Children[0]
	p.printf("%s(%s)", name, typeName(data))
	switch {
	case data.OnlyAddr || deep(data):
		p.str(" …")
	case data.Kind == reflect.Ptr && len(data.Children) == 1 && (data.Children[0].OnlyAddr || deep(&data.Children[0])):
		p.printf(" %#x", data.Children[0].Addr)
	default:
		p.str(" ")
		p.value(data, false, depth+1)
	}
}

func (p *printer) mapping(v *proc.Variable, withType bool, depth int) {
	p.typed(typeName(v), withType)
	if v.Base == 0 && len(v.Children) == 0 && v.Len == 0 {
		p.str("nil")
		return
	}
	p.printf("len: %d, [", v.Len)
	for i := 0; i+1 < len(v.Children); i += 2 {
		if i > 0 {
			p.str(", ")
		}
		p.value(&v.Children[i], false, depth+1)
		p.str(": ")
		p.value(&v.Children[i+1], false, depth+1)
		if p.full() {
			return
		}
	}
	if rest := v.Len - int64(len(v.Children)/2); rest > 0 {
		if len(v.Children) > 0 {
			p.str(", ")
		}
		p.more(rest)
	}
	p.str("]")
}

// channel renders how full a channel is; the names are those of the fields of
// hchan in runtime/chan.go.
func (p *printer) channel(v *proc.Variable) {
	if v.Base == 0 || len(v.Children) == 0 {
		p.printf("%s nil", typeName(v))
		return
	}
	p.printf("%s len: %s, cap: %s", typeName(v), field(v, "qcount"), field(v, "dataqsiz"))
	if c := field(v, "closed"); c != "0" && c != "?" {
		p.str(", closed")
	}
}

// field renders a numeric field, "?" if there is none.
func field(v *proc.Variable, name string) string {
	for i := range v.Children {
		if c := &v.Children[i]; c.Name == name && c.Value != nil && c.Unreadable == nil {
			return c.Value.String()
		}
	}
	return "?"
}
