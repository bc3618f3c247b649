// Package bgzf reads and writes blocked gzip: a gzip file of many small
// independent members, each of which says how long it is. Any gzip reads it;
// this package also compresses and decompresses it on all cores, seeks in it,
// and opens what is whole of a file that was cut off.
//
// The format is BGZF of the SAM/BAM specification, section 4.1. The package
// knows bytes only, nothing of archives or of what is in them.
package bgzf

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// MaxBlock is the most that one member holds, uncompressed.
//
// It is 64 KiB rather than the 0xff00 bytes that other writers take, because
// memory is laid out in powers of two: a Go span is a multiple of 8 KiB, and
// blocks that keep that alignment come out 2.5 % smaller (see split.go).
const MaxBlock = 1 << 16

const (
	maxMember  = 1 << 16 // compressed: BSIZE is 16 bits of size-1
	headerSize = 18      // RFC 1952 header with one extra subfield
	footerSize = 8       // CRC32, ISIZE
	minMember  = headerSize + 2 + footerSize

	// storedChunk goes into one member uncompressed, and fits with headers.
	storedChunk = 0xff00
	// storedHead is the header of a stored deflate block: RFC 1951, 3.2.4.
	storedHead = 5
)

// header is what every member written here begins with; BSIZE, its last two
// bytes, is filled in later. MTIME is 0 and OS 255, unknown, so that equal
// input makes equal output.
const header = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x00\x00"

// eofMember is the empty member that ends a file: its absence tells a file
// cut off between two members from a whole one.
const eofMember = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x1b\x00" +
	"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// Errors of this package.
var (
	ErrFormat  = errors.New("bgzf: not a blocked gzip file")
	ErrCorrupt = errors.New("bgzf: corrupt block")
	ErrClosed  = errors.New("bgzf: writer is closed")
)

// IsBGZF reports whether a file that begins with head may be blocked gzip.
// It needs the first 18 bytes, and says no to fewer.
func IsBGZF(head []byte) bool {
	_, _, ok := parseHeader(head)
	return ok
}

// parseHeader returns the size of a member and of its header. It wants
// at least the header in b; other extra subfields are skipped.
func parseHeader(b []byte) (member, head int, ok bool) {
	if len(b) < headerSize || b[0] != 0x1f || b[1] != 0x8b || b[2] != 8 || b[3] != 4 {
		return 0, 0, false
	}
	xlen := int(binary.LittleEndian.Uint16(b[10:]))
	if len(b) < 12+xlen {
		return 0, 0, false
	}
	for x := b[12 : 12+xlen]; len(x) >= 4; {
		n := int(binary.LittleEndian.Uint16(x[2:]))
		if len(x) < 4+n {
			break
		}
		if x[0] == 'B' && x[1] == 'C' && n == 2 {
			member = int(binary.LittleEndian.Uint16(x[4:])) + 1
			head = 12 + xlen
			// A size that does not reach past its own header would make the
			// scan stand still.
			if member < head+2+footerSize {
				break
			}
			return member, head, true
		}
		x = x[4+n:]
	}
	return 0, 0, false
}

// StoredSize is how many bytes [AppendStored] makes of n.
func StoredSize(n int) int {
	const overhead = headerSize + storedHead + footerSize
	return n + (n+storedChunk-1)/storedChunk*overhead
}

// AppendStored appends p to dst as members that are not compressed. Their
// size depends on len(p) only, so a part of a file that was written like this
// can be overwritten in place later.
func AppendStored(dst, p []byte) []byte {
	for len(p) > 0 {
		c := p[:min(len(p), storedChunk)]
		p = p[len(c):]
		start := len(dst)
		dst = append(dst, header...)
		n := uint16(len(c))
		dst = append(dst, 1) // BFINAL, BTYPE 00
		dst = binary.LittleEndian.AppendUint16(dst, n)
		dst = binary.LittleEndian.AppendUint16(dst, ^n)
		dst = append(dst, c...)
		dst = finish(dst, start, c)
	}
	return dst
}

// finish ends the member that begins at start and holds data.
func finish(dst []byte, start int, data []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(data))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(data)))
	binary.LittleEndian.PutUint16(dst[start+headerSize-2:], uint16(len(dst)-start-1))
	return dst
}
