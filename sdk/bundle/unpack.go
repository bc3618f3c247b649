package bundle

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
)

// maxUnpack is how much an ordinary gzip file may unpack to. It is far beyond
// the cores that are sent around like that, and ends a bomb some day.
var maxUnpack int64 = 64 << 30

// unpack replaces b.file, an ordinary gzip file, by a temporary one with its
// contents, and returns their size. What can be unpacked of a file that is
// cut off or damaged is.
func (b *Bundle) unpack() (size int64, err error) {
	zr, err := gzip.NewReader(bufio.NewReaderSize(b.file, 256<<10))
	if err != nil {
		return 0, ErrTruncated // the magic is there
	}
	src := &faultReader{r: zr}
	// A look before unpacking gigabytes of something else.
	head := make([]byte, tarBlock)
	n, _ := io.ReadFull(src, head)
	switch {
	case n < tarBlock && src.err != nil:
		return 0, ErrTruncated
	case !isTar(head[:n]):
		return 0, b.not("gzip, but no tar archive in it")
	}
	tmp, err := os.CreateTemp("", "corekit-*.tar")
	if err != nil {
		return 0, fmt.Errorf("unpack gzip: %w", err)
	}
	packed := b.file
	defer packed.Close()
	b.file, b.data = tmp, tmp
	// Where an open file can be removed, nothing is left behind whatever
	// happens. Elsewhere Close removes it.
	if os.Remove(tmp.Name()) != nil {
		b.temp = tmp.Name()
	}
	all := io.MultiReader(bytes.NewReader(head), src)
	size, err = io.Copy(tmp, io.LimitReader(all, maxUnpack+1))
	if src.err != nil {
		b.truncated, err = true, nil
	}
	if err != nil {
		return 0, fmt.Errorf("unpack gzip: %w", wrapFull(err))
	}
	if size > maxUnpack {
		return 0, fmt.Errorf("%w: it unpacks to more than %d bytes", ErrUnsafe, maxUnpack)
	}
	return size, nil
}

// faultReader keeps the error of its source apart from those of where the
// data goes, and turns it into an end.
type faultReader struct {
	r   io.Reader
	err error
}

func (f *faultReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.err, err = err, io.EOF
	}
	return n, err
}
