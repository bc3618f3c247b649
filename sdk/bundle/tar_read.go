package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxTarExtra is how much an extended header may hold; a name has 4096 bytes.
const maxTarExtra = 64 << 10

// tarScanner goes from header to header of an archive and leaps over what is
// between them.
type tarScanner struct {
	r    io.ReaderAt
	size int64 // of the archive
	off  int64 // of the next header
}

// tarMember is what a scanner finds.
type tarMember struct {
	name string
	kind byte
	off  int64 // of the contents
	size int64
	// sparse: the contents are not simply the bytes of the file.
	sparse bool
}

var (
	errTarCut    = errors.New("archive is cut off")
	errTarHeader = errors.New("damaged archive header")
)

// next returns the next member, or io.EOF at the end of the archive. Extended
// headers are applied to the member that follows them.
func (s *tarScanner) next() (m tarMember, err error) {
	var ext tarExt
	// A member has one extended header of each kind; more are an attack on
	// the patience.
	for range 8 {
		b, err := s.block()
		if err != nil {
			return m, err
		}
		kind := b[tarType]
		size, ok := tarNumber(b[tarSize:tarSizeEnd])
		if !ok {
			return m, errTarHeader
		}
		switch kind {
		case tarPax, tarPaxGlobal, tarLongName, tarLongLink:
			text, err := s.extra(size)
			if err != nil {
				return m, err
			}
			if err := ext.add(kind, text); err != nil {
				return m, err
			}
			continue
		}
		m = tarMember{name: tarPath(b), kind: kind, off: s.off, size: size, sparse: ext.sparse}
		if ext.name != "" {
			m.name = ext.name
		}
		if ext.sized {
			m.size = ext.size
		}
		switch kind {
		case tarRegOld, tarContig:
			m.kind = tarReg
		case '1', '2', '3', '4', tarDir, '6': // links, devices, pipes: the field means nothing
			m.size = 0
		}
		if m.kind == tarReg && strings.HasSuffix(m.name, "/") {
			m.kind, m.size = tarDir, 0 // as before there was a type for it
		}
		s.skip(m.size)
		return m, nil
	}
	return m, errTarHeader
}

// block reads the next header.
func (s *tarScanner) block() ([]byte, error) {
	b, err := s.read(tarBlock)
	if err != nil {
		return nil, err
	}
	if isZeroBlock(b) {
		return nil, io.EOF
	}
	want, ok := tarNumber(b[tarSum:tarSumEnd])
	unsigned, signed := tarSums(b)
	if !ok || want != unsigned && want != signed {
		return nil, errTarHeader
	}
	return b, nil
}

// extra reads the contents of an extended header.
func (s *tarScanner) extra(size int64) ([]byte, error) {
	if size > maxTarExtra {
		return nil, fmt.Errorf("%w: an extended header of %d bytes", ErrUnsafe, size)
	}
	b, err := s.read(int(size))
	s.off += -s.off & (tarBlock - 1) // the padding
	return b, err
}

func (s *tarScanner) read(n int) ([]byte, error) {
	if int64(n) > s.size-s.off {
		return nil, errTarCut
	}
	b := make([]byte, n)
	if k, err := s.r.ReadAt(b, s.off); k < n {
		return nil, err
	}
	s.off += int64(n)
	return b, nil
}

// skip leaps over contents and their padding, but not past the end: the next
// read finds the archive cut off there.
func (s *tarScanner) skip(n int64) {
	left := s.size - s.off
	if n > left || n+(-n&(tarBlock-1)) > left {
		s.off = s.size
		return
	}
	s.off += n + -n&(tarBlock-1)
}

func isZeroBlock(b []byte) bool { return [tarBlock]byte(b) == [tarBlock]byte{} }

// tarPath returns the path in a plain header.
func tarPath(b []byte) string {
	name := tarString(b[tarName:tarNameEnd])
	// GNU tar and star have other things there: times, and star less prefix.
	// Neither needs it, as both write extended headers for long paths.
	if string(b[tarMagic:tarMagic+6]) != ustarMagic[:6] || string(b[tarBlock-4:]) == starTrailer {
		return name
	}
	if prefix := tarString(b[tarPrefix:tarPrefixEnd]); prefix != "" {
		return prefix + "/" + name
	}
	return name
}

func tarString(field []byte) string {
	s, _, _ := bytes.Cut(field, []byte{0})
	return string(s)
}

// tarNumber reads a number, in octal or, as GNU tar does for large ones, in
// base 256. An empty field is zero.
func tarNumber(field []byte) (int64, bool) {
	if field[0]&0x80 != 0 {
		v := int64(field[0] & 0x7f)
		for _, c := range field[1:] {
			if v >= 1<<55 {
				return 0, false
			}
			v = v<<8 | int64(c)
		}
		return v, field[0]&0x40 == 0 // not negative
	}
	s := strings.Trim(string(field), " \x00")
	if s == "" {
		return 0, true
	}
	v, err := strconv.ParseUint(s, 8, 63)
	return int64(v), err == nil
}

// tarExt is what extended headers say about the next member.
type tarExt struct {
	name   string
	size   int64
	sized  bool
	sparse bool
}

func (e *tarExt) add(kind byte, text []byte) error {
	switch kind {
	case tarLongName:
		e.name = tarString(text)
	case tarPax:
		for len(text) > 0 {
			key, value, rest, ok := cutPaxRecord(text)
			if !ok {
				return errTarHeader
			}
			text = rest
			switch {
			case key == "path":
				e.name = value
			case key == "size":
				v, err := strconv.ParseUint(value, 10, 63)
				if err != nil {
					return errTarHeader
				}
				e.size, e.sized = int64(v), true
			case strings.HasPrefix(key, "GNU.sparse."):
				e.sparse = true
			}
		}
	}
	return nil // a global header and the target of a link are of no interest
}

// cutPaxRecord splits "<length> <key>=<value>\n" off text.
func cutPaxRecord(text []byte) (key, value string, rest []byte, ok bool) {
	digits, _, ok := bytes.Cut(text, []byte(" "))
	if !ok {
		return "", "", nil, false
	}
	n, err := strconv.ParseUint(string(digits), 10, 31)
	if err != nil || int(n) > len(text) || int(n) < len(digits)+3 || text[n-1] != '\n' {
		return "", "", nil, false
	}
	key, value, ok = strings.Cut(string(text[len(digits)+1:n-1]), "=")
	return key, value, text[n:], ok
}
