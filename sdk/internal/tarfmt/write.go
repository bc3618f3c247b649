package tarfmt

import (
	"path"
	"strconv"
	"strings"
)

const (
	maxName   = 100
	maxPrefix = 155
	maxOctal  = 1<<33 - 1 // of 11 digits: a size or a time
)

// AppendHeader appends the header of a regular file to b: ustar where name and
// size fit, and pax records before it where they do not. The bytes are those
// of archive/tar. The owner is 0 and nameless.
//
// A time that ustar cannot hold becomes the nearest one that it can.
func AppendHeader(b []byte, h Header) ([]byte, error) {
	if h.Size < 0 || h.Name == "" || strings.HasSuffix(h.Name, "/") || strings.IndexByte(h.Name, 0) >= 0 {
		return nil, ErrHeader
	}
	prefix, name, nameFits := split(h.Name)
	size := h.Size
	if !nameFits || size > maxOctal {
		var records []byte
		if !nameFits || prefix != "" {
			records = appendRecord(records, "path", h.Name)
		}
		if size > maxOctal {
			records = appendRecord(records, "size", strconv.FormatInt(size, 10))
			size = 0
		}
		if len(records) > maxSpecial {
			return nil, ErrTooLong
		}
		b = appendPAX(b, h.Name, records)
		// Readers without pax get what is left of the name.
		prefix, name = "", ascii(h.Name)
	}
	var k block
	copy(k.name(), name)
	if len(name) > maxName && name[maxName-1] == '/' {
		// Some readers make a directory of a slash at the end.
		k.name()[len(strings.TrimRight(name[:maxName-1], "/"))] = 0
	}
	octal(k.mode(), h.Mode&0o7777)
	octal(k.uid(), 0)
	octal(k.gid(), 0)
	octal(k.size(), size)
	octal(k.modTime(), min(max(h.ModTime, 0), maxOctal))
	octal(k.devMajor(), 0)
	octal(k.devMinor(), 0)
	copy(k.prefix(), prefix)
	k.seal(TypeReg)
	return append(b, k[:]...), nil
}

// split divides a name between the two fields of ustar, if it fits.
func split(s string) (prefix, name string, ok bool) {
	if len(ascii(s)) != len(s) {
		return "", "", false
	}
	if len(s) <= maxName {
		return "", s, true
	}
	i := strings.LastIndexByte(s[:min(len(s), maxPrefix+1)], '/')
	if i <= 0 || len(s)-i-1 > maxName {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// ascii drops what ustar cannot hold.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x80 {
			return -1
		}
		return r
	}, s)
}

// appendPAX appends the extended header of the member called name.
func appendPAX(b []byte, name string, records []byte) []byte {
	dir, file := path.Split(name)
	name = ascii(path.Join(dir, "PaxHeaders.0", file))
	name = strings.TrimRight(name[:min(len(name), maxName)], "/")
	var k block
	copy(k.name(), name)
	octal(k.mode(), 0)
	octal(k.uid(), 0)
	octal(k.gid(), 0)
	octal(k.size(), int64(len(records)))
	octal(k.modTime(), 0)
	k.seal(typePAX)
	b = append(append(b, k[:]...), records...)
	return append(b, make([]byte, Padding(int64(len(records))))...)
}

// appendRecord appends a pax record. It begins with its length, which counts
// itself.
func appendRecord(b []byte, key, value string) []byte {
	n := len(key) + len(value) + len(" =\n")
	size := n + digits(n)
	size = n + digits(size)
	b = strconv.AppendInt(b, int64(size), 10)
	return append(append(append(append(append(b, ' '), key...), '='), value...), '\n')
}

func digits(n int) int { return len(strconv.Itoa(n)) }

// octal fills a field with the digits of n, which must fit, and a NUL.
func octal(field []byte, n int64) {
	for i := len(field) - 2; i >= 0; i-- {
		field[i] = '0' + byte(n&7)
		n >>= 3
	}
}

// seal completes a header of this type.
func (b *block) seal(kind byte) {
	*b.kind() = kind
	copy(b.magic(), ustarMagic)
	sum, _ := b.sums()
	f := b.checksum()
	octal(f[:7], sum)
	f[7] = ' '
}
