package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
)

// Four buffers let the hash lag behind the compressor, not pile up.
const (
	hashBuffer  = 128 << 10
	hashBuffers = 4
)

// hasher computes the SHA-256 of each member on a goroutine of its own,
// because the process stands still while the member is read.
type hasher struct {
	ops  chan hashOp
	free chan []byte
	cur  []byte // not yet sent
	sums []sum  // the goroutine's until ended
	done chan struct{}
}

type sum struct {
	name string
	hash [sha256.Size]byte
}

// hashOp is one of: bytes, zeros, the end of a member.
type hashOp struct {
	data  []byte
	zeros int64
	end   string
}

func newHasher() *hasher {
	h := &hasher{
		ops:  make(chan hashOp, hashBuffers),
		free: make(chan []byte, hashBuffers),
		done: make(chan struct{}),
	}
	for range hashBuffers {
		h.free <- nil // made when first needed
	}
	go h.run()
	return h
}

func (h *hasher) run() {
	defer close(h.done)
	d := sha256.New()
	var zero []byte
	for op := range h.ops {
		switch {
		case op.data != nil:
			d.Write(op.data)
			h.free <- op.data[:0]
		case op.zeros > 0:
			if zero == nil {
				zero = make([]byte, hashBuffer)
			}
			hashZeros(d, zero, op.zeros)
		default:
			s := sum{name: op.end}
			d.Sum(s.hash[:0])
			d.Reset()
			h.sums = append(h.sums, s)
		}
	}
}

func hashZeros(d hash.Hash, zero []byte, n int64) {
	for n > 0 {
		k := min(n, int64(len(zero)))
		d.Write(zero[:k])
		n -= k
	}
}

func (h *hasher) write(p []byte) {
	for len(p) > 0 {
		if h.cur == nil {
			if h.cur = <-h.free; h.cur == nil {
				h.cur = make([]byte, 0, hashBuffer)
			}
		}
		n := min(len(p), hashBuffer-len(h.cur))
		h.cur = append(h.cur, p[:n]...)
		p = p[n:]
		if len(h.cur) == hashBuffer {
			h.flush()
		}
	}
}

func (h *hasher) flush() {
	if len(h.cur) > 0 {
		h.ops <- hashOp{data: h.cur}
		h.cur = nil
	}
}

func (h *hasher) zeros(n int64) {
	h.flush()
	h.ops <- hashOp{zeros: n}
}

func (h *hasher) end(name string) {
	h.flush()
	h.ops <- hashOp{end: name}
}

// close waits for the goroutine and returns the sums.
func (h *hasher) close() []sum {
	close(h.ops)
	<-h.done
	return h.sums
}

// sumLine returns a line as sha256sum -c reads it. A name with a backslash or
// a newline is escaped, and the line then begins with a backslash
// (coreutils, digest.c).
func sumLine(s sum) string {
	prefix, name := "", s.name
	if strings.ContainsAny(name, "\\\n\r") {
		prefix = `\`
		name = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
	}
	return prefix + hex.EncodeToString(s.hash[:]) + "  " + name + "\n"
}

// parseSumLine is the reverse, for a line without its newline.
func parseSumLine(line string) (s sum, ok bool) {
	line, escaped := strings.CutPrefix(line, `\`)
	const digits = 2 * sha256.Size
	// After the digits come a space and a space, or a '*' for binary mode.
	if len(line) < digits+3 || line[digits] != ' ' || (line[digits+1] != ' ' && line[digits+1] != '*') {
		return s, false
	}
	if _, err := hex.Decode(s.hash[:], []byte(line[:digits])); err != nil {
		return s, false
	}
	s.name = line[digits+2:]
	if escaped {
		s.name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(s.name)
	}
	return s, true
}
