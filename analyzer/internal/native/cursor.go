package native

import "encoding/binary"

// cursor reads little-endian values from data. After a read past the end, bad
// is set and every read returns zero.
type cursor struct {
	data []byte
	pos  int
	bad  bool
}

// bytes returns the next n bytes without copying.
func (c *cursor) bytes(n uint64) []byte {
	if c.bad || n > uint64(len(c.data)-c.pos) {
		c.bad = true
		return nil
	}
	b := c.data[c.pos : c.pos+int(n)]
	c.pos += int(n)
	return b
}

// more reports whether there is anything left to read.
func (c *cursor) more() bool { return !c.bad && c.pos < len(c.data) }

func (c *cursor) u8() byte {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// uleb reads an unsigned LEB128 number; bits above 64 are dropped.
func (c *cursor) uleb() uint64 {
	v, _, _ := c.leb()
	return v
}

// sleb reads a signed LEB128 number.
func (c *cursor) sleb() int64 {
	v, shift, last := c.leb()
	if shift < 64 && last&0x40 != 0 {
		v |= ^uint64(0) << shift
	}
	return int64(v)
}

func (c *cursor) leb() (v uint64, shift uint, last byte) {
	for {
		last = c.u8()
		if shift < 64 {
			v |= uint64(last&0x7f) << shift
			shift += 7
		}
		if last&0x80 == 0 {
			return v, shift, last
		}
	}
}

// cstring reads a string that ends with a zero byte.
func (c *cursor) cstring() string {
	for i := c.pos; !c.bad && i < len(c.data); i++ {
		if c.data[i] == 0 {
			s := string(c.data[c.pos:i])
			c.pos = i + 1
			return s
		}
	}
	c.bad = true
	return ""
}
