package bgzf

import (
	"io"

	"github.com/klauspost/compress/flate"
)

// block is the input and the output of one compression.
type block struct {
	n    int
	in   [MaxBlock]byte
	out  sink
	done chan struct{} // holds a token when out is ready
}

// sink is an io.Writer that cannot fail.
type sink []byte

func (s *sink) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}

func newBlock() *block {
	return &block{
		out:  make(sink, 0, maxMember+1024), // one block that did not fit fits here
		done: make(chan struct{}, 1),
	}
}

// compressor makes members. Its tables take about a megabyte.
type compressor struct {
	z        *flate.Writer
	splitter *splitter // nil: never
}

func newCompressor(level int) *compressor {
	z, err := flate.NewWriter(io.Discard, level)
	if err != nil {
		panic(err) // NewWriter clamps the level
	}
	c := &compressor{z: z}
	// Below, the tables take a third of the time, and who asks for such a
	// level asks for speed.
	if level >= 3 {
		c.splitter = new(splitter)
	}
	return c
}

// compress fills b.out with the member, or members, for b.in.
func (c *compressor) compress(b *block) {
	in := b.in[:b.n]
	b.out = append(b.out[:0], header...)
	// Neither the sink nor a compressor on top of it fails.
	c.z.Reset(&b.out)
	for rest := in; len(rest) > 0; {
		n := len(rest)
		if c.splitter != nil {
			n = c.splitter.next(rest)
		}
		c.z.Write(rest[:n])
		if rest = rest[n:]; len(rest) > 0 {
			c.z.Flush()
		}
	}
	c.z.Close()
	if size := len(b.out) + footerSize; size > maxMember || size >= StoredSize(len(in)) {
		b.out = AppendStored(b.out[:0], in)
		return
	}
	b.out = finish(b.out, 0, in)
}

// zeroMember returns MaxBlock zero bytes as a member.
func zeroMember() []byte {
	b := newBlock()
	b.n = MaxBlock
	newCompressor(1).compress(b)
	return b.out
}
