package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// style is a way to show text, as an SGR parameter of ECMA-48.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "1;31"
	yellow style = "33"
	cyan   style = "36"
)

// span is text of one style. The text is clean.
type span struct {
	text  string
	style style
}

// text makes a plain span of s.
func text(s string) span { return span{clean(s), plain} }

// textf makes a plain span.
func textf(format string, args ...any) span { return text(fmt.Sprintf(format, args...)) }

func (s span) in(st style) span { return span{s.text, st} }

// clean replaces what is not a printable character by an escape as in a Go
// string.
func clean(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// printer writes lines.
type printer struct {
	w     *bufio.Writer // keeps the first error
	color bool
	width int // columns, 0 for no limit
	lines int // written so far
}

func newPrinter(w io.Writer, opts TextOptions) *printer {
	return &printer{w: bufio.NewWriterSize(w, 64<<10), color: opts.Color, width: opts.Width}
}

// line writes spans as one line, cut to the width.
func (p *printer) line(spans ...span) {
	over := p.width > 0 && columns(spans) > p.width
	room := p.width - 1 // the last column is for the ellipsis
	for _, s := range spans {
		t := s.text
		if over {
			t = head(t, room)
			room -= utf8.RuneCountInString(t)
		}
		if p.color && s.style != plain && t != "" {
			t = "\x1b[" + string(s.style) + "m" + t + "\x1b[0m"
		}
		p.w.WriteString(t)
	}
	if over {
		p.w.WriteString("…")
	}
	p.w.WriteByte('\n')
	p.lines++
}

// wrap writes spans as one line or, if that is too long, as several, at most
// most of them if that is not 0. All but the first begin with indent.
func (p *printer) wrap(indent string, most int, spans ...span) {
	room := p.width
	if p.width <= 0 || room <= 2*len(indent) { // too narrow to make sense of
		p.line(spans...)
		return
	}
	for n := 1; columns(spans) > room && n != most; n++ {
		var first []span
		first, spans = split(spans, room)
		p.line(first...)
		spans = append([]span{{indent, plain}}, spans...)
	}
	p.line(spans...)
}

// split cuts spans in two: what fits into n columns, up to a space if there is
// one in the second half, and the rest.
func split(spans []span, n int) (fit, rest []span) {
	for i, s := range spans {
		if w := utf8.RuneCountInString(s.text); w <= n {
			fit = append(fit, s)
			n -= w
			continue
		}
		h := head(s.text, n)
		if at := strings.LastIndexAny(h, " ,"); at > len(h)/2 {
			h = h[:at+1]
		}
		fit = append(fit, span{strings.TrimRight(h, " "), s.style})
		rest = append(rest, span{strings.TrimLeft(s.text[len(h):], " "), s.style})
		return fit, append(rest, spans[i+1:]...)
	}
	return fit, nil
}

// head returns the first n characters of s.
func head(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func columns(spans []span) int {
	n := 0
	for _, s := range spans {
		n += utf8.RuneCountInString(s.text)
	}
	return n
}

// section writes an empty line and a title.
func (p *printer) section(title ...span) {
	p.line()
	p.line(title...)
}
