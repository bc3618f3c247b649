package bundle

import (
	"bytes"

	"github.com/corekit/corekit/sdk/internal/tarfmt"
)

const tarBlock = tarfmt.BlockSize

func isTar(head []byte) bool {
	const magic = 257 // POSIX.1-2001, pax; GNU tar's begins alike
	return len(head) == tarBlock && bytes.HasPrefix(head[magic:], []byte("ustar"))
}
