package tarfmt

import (
	"bytes"
	"io"
	"strconv"
	"strings"
)

// maxChain is how many headers may describe one member. Tars write two or
// three, and an endless chain must not keep Next busy.
const maxChain = 16

// Reader lists the members of an archive. It reads the headers only, and leaps
// over the contents.
type Reader struct {
	r    io.ReaderAt
	size int64
	at   int64 // of the next header; at most size
	err  error // of the next Next
	blk  block
}

// NewReader returns a Reader of the archive of size bytes.
func NewReader(r io.ReaderAt, size int64) *Reader {
	return &Reader{r: r, size: size}
}

// Next returns the next member, and [io.EOF] after the last.
//
// Where the archive is cut off, the last member may be one whose contents end
// early, and then comes [io.ErrUnexpectedEOF]: also if nothing is missing but
// the zeros at the end. [ErrSparse] comes with the Header of the member
// that it is about. After an error there are no more members.
func (r *Reader) Next() (Header, error) {
	if r.err != nil {
		return Header{}, r.err
	}
	h, err := r.next()
	if err != nil {
		r.err = err
	}
	return h, err
}

func (r *Reader) next() (Header, error) {
	var rec records
	var longName string
	for range maxChain {
		if err := r.readHeader(); err != nil {
			return Header{}, err
		}
		h, err := r.blk.header()
		if err != nil {
			return Header{}, err
		}
		switch h.Type {
		case typePAX, TypeGlobal, typeLongName, typeLongLink:
			text, err := r.special(h.Size)
			if err != nil {
				return Header{}, err
			}
			switch h.Type {
			case typePAX: // the last one counts, as in archive/tar
				rec, err = parseRecords(text)
			case TypeGlobal:
				return r.global(h, text)
			case typeLongName:
				longName = cString(text)
			}
			if err != nil {
				return Header{}, err
			}
		default:
			if err := rec.apply(&h); err != nil {
				return Header{}, err
			}
			if longName != "" {
				h.Name = longName
			}
			return r.member(h, rec.sparse)
		}
	}
	return Header{}, ErrHeader
}

// global returns a header that holds for all members after it. It is to hold
// dates and comments: one name or size for all of them is nonsense, which not
// every tar reads the same way.
func (r *Reader) global(h Header, text []byte) (Header, error) {
	rec, err := parseRecords(text)
	if err == nil && rec != (records{}) {
		err = ErrHeader
	}
	if err != nil {
		return Header{}, err
	}
	return Header{Name: h.Name, Type: h.Type}, nil
}

// member completes h, whose header ends at r.at, and goes on behind it.
func (r *Reader) member(h Header, sparse bool) (Header, error) {
	if h.Type == 0 { // of v7
		h.Type = TypeReg
		if strings.HasSuffix(h.Name, "/") {
			h.Type = TypeDir
		}
	}
	if hasNoContents(h.Type) {
		h.Size = 0
	}
	if h.Size < 0 {
		return Header{}, ErrHeader
	}
	h.Offset = r.at
	if sparse || h.Type == typeGNUSparse {
		return h, ErrSparse
	}
	r.skip(h.Size)
	return h, nil
}

// hasNoContents reports whether nothing follows a header, whatever size it
// names: that of a link may be that of the file.
func hasNoContents(kind byte) bool { return TypeLink <= kind && kind <= TypeFifo }

// skip goes past contents of n bytes and their padding. If they are not all
// there, the member is the last.
func (r *Reader) skip(n int64) {
	left := r.size - r.at
	if n > left || Padding(n) > left-n {
		r.err = io.ErrUnexpectedEOF
		return
	}
	r.at += n + Padding(n)
}

// special reads contents that belong to the header.
func (r *Reader) special(n int64) ([]byte, error) {
	switch {
	case n < 0:
		return nil, ErrHeader
	case n > maxSpecial:
		return nil, ErrTooLong
	case n > r.size-r.at:
		return nil, io.ErrUnexpectedEOF
	}
	p := make([]byte, n)
	if err := r.read(p); err != nil {
		return nil, err
	}
	r.skip(n)
	return p, nil
}

// readHeader reads the block at r.at, and io.EOF if it is the end mark. That is
// two blocks of zeros; an archive that ends after the first has it too.
func (r *Reader) readHeader() error {
	if r.err != nil {
		return r.err
	}
	if err := r.readBlock(); err != nil || r.blk != (block{}) {
		return err
	}
	if r.at == r.size {
		return io.EOF
	}
	if err := r.readBlock(); err != nil {
		return err
	}
	if r.blk != (block{}) {
		return ErrHeader
	}
	return io.EOF
}

func (r *Reader) readBlock() error {
	if r.size-r.at < BlockSize {
		return io.ErrUnexpectedEOF
	}
	if err := r.read(r.blk[:]); err != nil {
		return err
	}
	r.at += BlockSize
	return nil
}

// read fills p from r.at.
func (r *Reader) read(p []byte) error {
	n, err := r.r.ReadAt(p, r.at)
	switch {
	case n == len(p):
		return nil
	case err == nil || err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}

// header decodes the fields that are of use here.
func (b *block) header() (Header, error) {
	want, err := number(b.checksum())
	if err != nil {
		return Header{}, err
	}
	if u, s := b.sums(); want != u && want != s {
		return Header{}, ErrHeader
	}
	h := Header{Name: cString(b.name()), Type: *b.kind()}
	if h.Size, err = number(b.size()); err != nil {
		return Header{}, err
	}
	// GNU's magic is another one, and has times where the prefix would be.
	if string(b.magic()[:6]) == ustarMagic[:6] {
		prefix := b.prefix()
		if string(b.trailer()) == starTrailer {
			prefix = prefix[:starPrefix]
		}
		if s := cString(prefix); s != "" {
			h.Name = s + "/" + h.Name
		}
	}
	return h, nil
}

// number decodes a field: octal digits within spaces and NULs, or if the first
// bit is set, the rest of the bits as GNU does for what is too big. Negative
// numbers have the second bit set, and no use here.
func number(f []byte) (int64, error) {
	if f[0]&0x80 == 0 {
		s := cString(bytes.Trim(f, " \x00"))
		if s == "" {
			return 0, nil
		}
		n, err := strconv.ParseUint(s, 8, 63)
		if err != nil {
			return 0, ErrHeader
		}
		return int64(n), nil
	}
	if f[0]&0x40 != 0 {
		return 0, ErrHeader
	}
	n := int64(f[0] & 0x3f)
	for _, c := range f[1:] {
		if n >= 1<<55 {
			return 0, ErrHeader
		}
		n = n<<8 | int64(c)
	}
	return n, nil
}

// cString returns the bytes before the first NUL.
func cString(p []byte) string {
	if i := bytes.IndexByte(p, 0); i >= 0 {
		p = p[:i]
	}
	return string(p)
}
