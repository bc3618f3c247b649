package bgzf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// decoder decompresses members. It takes about 100 KiB.
type decoder struct {
	raw [maxMember]byte
	src bytes.Reader
	z   io.ReadCloser
}

var decoders sync.Pool

func getDecoder() *decoder {
	if d, ok := decoders.Get().(*decoder); ok {
		return d
	}
	d := new(decoder)
	d.z = flate.NewReader(&d.src)
	return d
}

func putDecoder(d *decoder) { decoders.Put(d) }

// decode decompresses the member that raw begins with into p, which is of the
// size that the member says.
func (d *decoder) decode(raw, p []byte) error {
	member, head, ok := parseHeader(raw)
	if !ok || member > len(raw) {
		return ErrCorrupt
	}
	body, foot := raw[head:member-footerSize], raw[member-footerSize:member]
	if int64(binary.LittleEndian.Uint32(foot[4:])) != int64(len(p)) {
		return fmt.Errorf("%w: the size differs from the index", ErrCorrupt)
	}
	d.src.Reset(body)
	if err := d.z.(flate.Resetter).Reset(&d.src, nil); err != nil {
		return err
	}
	if _, err := io.ReadFull(d.z, p); err != nil {
		return corrupt(err)
	}
	// The stream must end here: a longer one is a bomb or damage.
	var one [1]byte
	if n, err := d.z.Read(one[:]); n != 0 || err != io.EOF {
		return fmt.Errorf("%w: more data than its length says", ErrCorrupt)
	}
	if crc32.ChecksumIEEE(p) != binary.LittleEndian.Uint32(foot) {
		return fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	return nil
}

func corrupt(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}
