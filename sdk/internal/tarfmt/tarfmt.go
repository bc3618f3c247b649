// Package tarfmt reads and writes as much of the tar format as a bundle needs.
// It writes the headers of regular files, and lists the members of archives
// that other tars made: v7, ustar, pax and GNU.
//
// It is there because archive/tar draws in os/user and so cgo, and cgo turns
// off the runtime's deadlock detector: a program must not lose that by
// importing this module. For the same reason it is small, and has no tables
// to set up at start.
//
// The package knows headers only, nothing of compression or of what a member
// may be called.
package tarfmt

import "errors"

const (
	// BlockSize is what headers, and contents with their padding, are
	// multiples of.
	BlockSize = 512
	// EndSize is how many zero bytes end an archive.
	EndSize = 2 * BlockSize
)

// Types of members, as in [Header].Type. Others are passed on as they are.
const (
	TypeReg    = '0'
	TypeLink   = '1' // hard link
	TypeSym    = '2'
	TypeChar   = '3'
	TypeBlock  = '4'
	TypeDir    = '5'
	TypeFifo   = '6'
	TypeGlobal = 'g' // pax records for all members that follow; no contents, no Offset
)

// Types that describe the member after them, and never leave this package.
const (
	typePAX       = 'x'
	typeLongName  = 'L' // GNU
	typeLongLink  = 'K' // GNU
	typeGNUSparse = 'S'
)

// Errors of this package. Where an archive ends before its end mark,
// [Reader.Next] gives [io.ErrUnexpectedEOF].
var (
	// ErrHeader: not a tar header, or one that contradicts itself.
	ErrHeader = errors.New("invalid tar header")
	// ErrTooLong: a name or extended header of more than 1 MiB.
	ErrTooLong = errors.New("tar header too long")
	// ErrSparse: a member whose bytes do not lie one after the other, as tar
	// -S writes it.
	ErrSparse = errors.New("sparse tar member")
)

// maxSpecial is the most that an extended header or a long name may have;
// libarchive and archive/tar have the same limit.
const maxSpecial = 1 << 20

// Header describes a member.
type Header struct {
	Name string
	Size int64 // of the contents that follow

	Mode    int64 // permission bits; written only
	ModTime int64 // Unix seconds; written only

	Type   byte  // read only
	Offset int64 // where the contents begin; read only
}

// Padding returns how many zeros follow contents of size bytes.
func Padding(size int64) int64 { return -size & (BlockSize - 1) }

// block is a header. The fields are those of POSIX.1-1988 ustar; GNU and star
// differ in what is behind the magic.
type block [BlockSize]byte

func (b *block) name() []byte     { return b[0:100] }
func (b *block) mode() []byte     { return b[100:108] }
func (b *block) uid() []byte      { return b[108:116] }
func (b *block) gid() []byte      { return b[116:124] }
func (b *block) size() []byte     { return b[124:136] }
func (b *block) modTime() []byte  { return b[136:148] }
func (b *block) checksum() []byte { return b[148:156] }
func (b *block) kind() *byte      { return &b[156] }
func (b *block) magic() []byte    { return b[257:265] } // and version
func (b *block) devMajor() []byte { return b[329:337] }
func (b *block) devMinor() []byte { return b[337:345] }
func (b *block) prefix() []byte   { return b[345:500] }
func (b *block) trailer() []byte  { return b[508:512] }

const (
	ustarMagic = "ustar\x0000"
	// starTrailer tells the archives of Schily's star before pax, whose
	// prefix is starPrefix bytes because two times come behind it.
	starTrailer = "tar\x00"
	starPrefix  = 131
)

// sums adds up the header with spaces in place of the checksum: as POSIX has
// it, and in signed bytes as old Sun tars did.
func (b *block) sums() (unsigned, signed int64) {
	for i, c := range b {
		if 148 <= i && i < 156 {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	return unsigned, signed
}
