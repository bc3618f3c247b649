// Package gotrace parses the text that a Go program prints when it dies: the
// messages, and each goroutine's stack. It knows the text's form and nothing
// else.
package gotrace

import (
	"errors"
	"strconv"
	"strings"
)

// Trace is a parsed traceback.
type Trace struct {
	// Messages are the lines before the first stack that are not empty:
	// "panic: …", "[signal …]", "fatal error: …".
	Messages []string
	// Goroutines are in the order of the text. A goroutine that was printed
	// twice is there twice.
	Goroutines []Goroutine
}

// Goroutine is one goroutine of a traceback.
type Goroutine struct {
	ID     uint64 // 0 for the stack of a thread
	Header string // all that is between the brackets: "chan receive, 5 minutes"
	State  string // the header up to the first comma: "chan receive"
	Frames []Frame
	// Elided frames were left out after the first ElidedAt.
	Elided, ElidedAt int
	// Unavailable is set if the runtime could not tell the stack because the
	// goroutine was running on another thread.
	Unavailable bool
	CreatedBy   *Frame
	Parent      uint64 // goroutine that created it, 0 if the text does not say
	// Runtime marks the "runtime stack" that precedes the goroutines: that of
	// a thread which died on its own stack.
	Runtime bool
}

// Frame is one line pair of a stack.
type Frame struct {
	Function string // without arguments
	File     string
	Line     int
}

// ErrNoTrace means that there is no goroutine in a text.
var ErrNoTrace = errors.New("gotrace: no goroutine in the text")

// Parse parses what a dying program wrote to standard error. Text that does
// not belong to a traceback is skipped. A text that ends early gives what
// there is of it.
func Parse(text string) (*Trace, error) {
	var p parser
	for line := range strings.Lines(text) {
		p.line(strings.TrimRight(line, "\r\n"))
	}
	p.end()
	if len(p.trace.Goroutines) == 0 {
		return &p.trace, ErrNoTrace
	}
	return &p.trace, nil
}

type parser struct {
	trace   Trace
	cur     *Goroutine // the goroutine whose lines these are, or nil
	pending *Frame     // a function whose position is on the next line
	created bool       // pending is a "created by"
}

func (p *parser) line(line string) {
	if g, ok := header(line); ok {
		p.end()
		p.cur = g
		return
	}
	if p.cur == nil {
		if line != "" && len(p.trace.Goroutines) == 0 {
			p.trace.Messages = append(p.trace.Messages, line)
		}
		return
	}
	if line == "" {
		p.end()
		return
	}
	if rest, ok := strings.CutPrefix(line, "\t"); ok {
		p.position(rest)
		return
	}
	p.flush()
	if n, ok := elided(line); ok {
		p.cur.Elided, p.cur.ElidedAt = n, len(p.cur.Frames)
		return
	}
	if name, ok := strings.CutPrefix(line, "created by "); ok {
		if i := strings.LastIndex(name, " in goroutine "); i >= 0 {
			if id, err := strconv.ParseUint(name[i+len(" in goroutine "):], 10, 64); err == nil {
				p.cur.Parent = id
				name = name[:i]
			}
		}
		p.pending, p.created = &Frame{Function: name}, true
		return
	}
	if i := strings.LastIndexByte(line, '('); i > 0 && strings.HasSuffix(line, ")") {
		p.pending = &Frame{Function: line[:i]}
	}
}

// position parses "/dir/file.go:12 +0x1d fp=0x… sp=0x… pc=0x…".
func (p *parser) position(s string) {
	if s == "goroutine running on other thread; stack unavailable" {
		p.cur.Unavailable = true
		return
	}
	if p.pending == nil {
		return
	}
	// What follows the line number has no colon, but the file may have, and
	// may have spaces.
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		number, _, _ := strings.Cut(s[i+1:], " ")
		if n, err := strconv.Atoi(number); err == nil && n >= 0 {
			p.pending.File, p.pending.Line = s[:i], n
		}
	}
	p.flush()
}

// flush adds the pending frame.
func (p *parser) flush() {
	switch {
	case p.pending == nil:
	case p.created:
		p.cur.CreatedBy = p.pending
	default:
		p.cur.Frames = append(p.cur.Frames, *p.pending)
	}
	p.pending, p.created = nil, false
}

// end finishes a goroutine.
func (p *parser) end() {
	if p.cur == nil {
		return
	}
	p.flush()
	p.trace.Goroutines = append(p.trace.Goroutines, *p.cur)
	p.cur = nil
}

// header parses "goroutine 7 gp=0x… m=0 mp=0x… [running]:".
func header(line string) (*Goroutine, bool) {
	if line == "runtime stack:" {
		return &Goroutine{Runtime: true}, true
	}
	rest, ok := strings.CutPrefix(line, "goroutine ")
	if !ok || !strings.HasSuffix(rest, "]:") && !strings.HasSuffix(rest, "}:") {
		return nil, false
	}
	number, rest, ok := strings.Cut(rest, " ")
	if !ok {
		return nil, false
	}
	id, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return nil, false
	}
	_, inside, ok := strings.Cut(rest, "[")
	if !ok {
		return nil, false
	}
	i := strings.LastIndexByte(inside, ']') // Go 1.27 has labels after it
	if i < 0 {
		return nil, false
	}
	g := &Goroutine{ID: id, Header: inside[:i]}
	g.State, _, _ = strings.Cut(g.Header, ", ")
	return g, true
}

// elided parses "...12 frames elided...".
func elided(line string) (int, bool) {
	s, ok := strings.CutPrefix(line, "...")
	if !ok {
		return 0, false
	}
	if s, ok = strings.CutSuffix(s, " frames elided..."); !ok {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}
