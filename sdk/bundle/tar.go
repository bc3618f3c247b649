package bundle

// The archive format is read and written here rather than by archive/tar,
// because that imports os/user, and through it cgo: a program that imports
// sdk would no longer be a static executable, and would not start in an image
// without a C library. Tests compare the two.

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

const tarBlock = 512

// Offsets of the fields of a header that are used here (POSIX.1-2017, pax,
// "ustar Interchange Format"). Each ends where the next one of the format
// begins.
const (
	tarName, tarNameEnd         = 0, 100
	tarMode, tarModeEnd         = 100, 108
	tarUID, tarGID, tarGIDEnd   = 108, 116, 124
	tarSize, tarSizeEnd         = 124, 136
	tarMtime, tarMtimeEnd       = 136, 148
	tarSum, tarSumEnd           = 148, 156
	tarType                     = 156
	tarMagic, tarMagicEnd       = 257, 265
	tarDevMajor, tarDevMajorEnd = 329, 337
	tarDevMinor, tarDevMinorEnd = 337, 345
	tarPrefix, tarPrefixEnd     = 345, 500
)

const (
	ustarMagic  = "ustar\x0000"
	starTrailer = "tar\x00" // at the end of a header of Schilling's star

	maxOctalSize = 1<<33 - 1 // eleven octal digits
)

// Types of members.
const (
	tarReg       = '0'
	tarRegOld    = '\x00'
	tarDir       = '5'
	tarContig    = '7' // to be read as a regular file
	tarPax       = 'x'
	tarPaxGlobal = 'g'
	tarLongName  = 'L' // GNU
	tarLongLink  = 'K' // GNU
)

// tarHeader is what a member of a bundle says about itself.
type tarHeader struct {
	name  string
	size  int64
	mode  int64
	mtime time.Time
}

// encode returns the blocks that come before the contents. What does not fit
// into a plain header, as a size of 8 GiB, goes into an extended one before
// it.
func (h tarHeader) encode() []byte {
	prefix, name, fits := splitTarName(h.name)
	var records strings.Builder
	if !fits {
		paxRecord(&records, "path", h.name)
	}
	size := h.size
	if size > maxOctalSize {
		paxRecord(&records, "size", strconv.FormatInt(size, 10))
		size = 0
	}
	var out []byte
	if records.Len() > 0 {
		r := records.String()
		x := tarHeader{size: int64(len(r)), mode: h.mode, mtime: h.mtime}
		out = append(out, x.block(tarPax, "", "PaxHeaders/"+name[:min(len(name), 80)])...)
		out = append(out, r...)
		out = append(out, make([]byte, -len(r)&(tarBlock-1))...)
	}
	h.size = size
	return append(out, h.block(tarReg, prefix, name)...)
}

// block returns one header.
func (h tarHeader) block(kind byte, prefix, name string) []byte {
	b := make([]byte, tarBlock)
	copy(b[tarName:tarNameEnd], name)
	octal(b[tarMode:tarModeEnd], h.mode)
	octal(b[tarUID:tarGID], 0) // who owned it there means nothing here
	octal(b[tarGID:tarGIDEnd], 0)
	octal(b[tarSize:tarSizeEnd], h.size)
	octal(b[tarMtime:tarMtimeEnd], min(max(h.mtime.Unix(), 0), maxOctalSize))
	b[tarType] = kind
	copy(b[tarMagic:tarMagicEnd], ustarMagic)
	octal(b[tarDevMajor:tarDevMajorEnd], 0)
	octal(b[tarDevMinor:tarDevMinorEnd], 0)
	copy(b[tarPrefix:tarPrefixEnd], prefix)
	sum, _ := tarSums(b)
	octal(b[tarSum:tarSumEnd-1], sum)
	b[tarSumEnd-1] = ' '
	return b
}

// octal fills a field with digits and a NUL.
func octal(field []byte, v int64) {
	s := strconv.FormatInt(v, 8)
	digits := field[:len(field)-1]
	for i := range digits {
		digits[i] = '0'
	}
	copy(digits[len(digits)-len(s):], s)
}

// tarSums returns the checksum of a header: the sum of its bytes, with blanks
// for the checksum itself. Some old writers summed signed bytes.
func tarSums(b []byte) (unsigned, signed int64) {
	for i, c := range b {
		if i >= tarSum && i < tarSumEnd {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	return unsigned, signed
}

// splitTarName distributes a path over the two fields for it. If it does not
// fit, or has bytes that not every tar knows, name is one to show instead.
func splitTarName(path string) (prefix, name string, fits bool) {
	if ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '_'
		}
		return r
	}, path); ascii != path {
		return "", ascii[:min(len(ascii), tarNameEnd)], false
	}
	if len(path) <= tarNameEnd {
		return "", path, true
	}
	for i := 1; i < len(path)-1 && i <= tarPrefixEnd-tarPrefix; i++ {
		if path[i] == '/' && len(path)-i-1 <= tarNameEnd {
			return path[:i], path[i+1:], true
		}
	}
	return "", path[:tarNameEnd], false
}

// paxRecord appends a record, whose length counts its own digits.
func paxRecord(b *strings.Builder, key, value string) {
	rest := " " + key + "=" + value + "\n"
	n := len(rest)
	for n != len(strconv.Itoa(n))+len(rest) {
		n = len(strconv.Itoa(n)) + len(rest)
	}
	b.WriteString(strconv.Itoa(n) + rest)
}

func isTar(head []byte) bool {
	return len(head) == tarBlock && bytes.HasPrefix(head[tarMagic:], []byte("ustar"))
}
