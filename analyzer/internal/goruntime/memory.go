package goruntime

import (
	"encoding/binary"
	"fmt"
	"sync"
)

// maxString bounds the strings read from the target: a panic value, a name.
const maxString = 1 << 20

// memory decodes the target's memory. Both architectures that Open accepts
// are little-endian and of 64 bits.
type memory struct{ Memory }

func (m memory) read(addr, n uint64) ([]byte, error) {
	p := make([]byte, n)
	if _, err := m.ReadMemory(p, addr); err != nil {
		return nil, fmt.Errorf("goruntime: read %d bytes at %#x: %w", n, addr, err)
	}
	return p, nil
}

func (m memory) word(addr uint64) (uint64, error) {
	var p [8]byte
	if _, err := m.ReadMemory(p[:], addr); err != nil {
		return 0, fmt.Errorf("goruntime: read the word at %#x: %w", addr, err)
	}
	return binary.LittleEndian.Uint64(p[:]), nil
}

// str reads a string of n bytes at addr, of which it keeps maxString.
func (m memory) str(addr, n uint64) (string, error) {
	if n == 0 {
		return "", nil
	}
	p, err := m.read(addr, min(n, maxString))
	return string(p), err
}

func u64(p []byte, off int32) uint64 {
	if off < 0 || int(off)+8 > len(p) {
		return 0
	}
	return binary.LittleEndian.Uint64(p[off:])
}

func u32(p []byte, off int32) uint32 {
	if off < 0 || int(off)+4 > len(p) {
		return 0
	}
	return binary.LittleEndian.Uint32(p[off:])
}

func u8(p []byte, off int32) uint8 {
	if off < 0 || int(off) >= len(p) {
		return 0
	}
	return p[off]
}

// window reads words from memory that is walked upward, such as a stack, and
// holds only a piece of it at a time.
type window struct {
	mem  memory
	base uint64
	buf  []byte
	// limit is where a piece may not extend beyond, if not 0: the end of the
	// stack, past which there may be nothing.
	limit uint64
	deep  bool // a piece was read already
}

// windows saves an allocation for each stack.
var windows = sync.Pool{New: func() any { return new(window) }}

// windowSize is a balance: most goroutines use less than 2 KiB of stack, and
// a deep recursion should not need a read for every frame.
const windowSize = 2 << 10

func (w *window) word(addr uint64) (uint64, error) {
	if off := addr - w.base; addr >= w.base && off+8 <= uint64(len(w.buf)) && off+8 > off {
		return binary.LittleEndian.Uint64(w.buf[off:]), nil
	}
	size := uint64(windowSize)
	if w.deep {
		size = 16 * windowSize
	}
	w.deep = true
	if w.limit > addr && w.limit-addr < size {
		size = w.limit - addr
	}
	if size < 8 {
		size = 8
	}
	if uint64(cap(w.buf)) < size {
		w.buf = make([]byte, size)
	}
	w.buf = w.buf[:size]
	if _, err := w.mem.ReadMemory(w.buf, addr); err != nil {
		w.buf = w.buf[:0]
		return w.mem.word(addr)
	}
	w.base = addr
	return binary.LittleEndian.Uint64(w.buf), nil
}
