package bgzf

import "encoding/binary"

// A deflate stream has one Huffman table for all that is between two table
// changes, and the compressor changes it once per block of 64 KiB. The heap
// of a Go program changes its nature every 8 KiB, where another span of
// another size class begins: pointers, text, small integers. Giving unlike
// neighbours tables of their own, while matches still reach back across the
// boundary, saves 4 % and brings level 6 to the size of gzip -6.
// A table is 25 µs of work, which is why like neighbours share one.
const (
	splitSize = 8 << 10
	// splitDiffer is the difference at which neighbours part, in percent:
	// 0 are equal distributions of bytes, 100 are such with none in common.
	// At 50 the output is another 0.9 % smaller and takes 10 % longer.
	splitDiffer = 80
	// splitStride samples one 8-byte word in seven. It is odd so that no
	// field of a power-of-two sized object is always the one left out.
	splitStride = 7 * 8
)

// histogram counts bytes other than zero; runs of zeros become matches and
// hardly reach the Huffman tables.
type histogram [256]int32

func (h *histogram) count(p []byte) {
	*h = histogram{}
	for len(p) >= splitStride {
		v := binary.LittleEndian.Uint64(p)
		h[byte(v)]++
		h[byte(v>>8)]++
		h[byte(v>>16)]++
		h[byte(v>>24)]++
		h[byte(v>>32)]++
		h[byte(v>>40)]++
		h[byte(v>>48)]++
		h[v>>56]++
		p = p[splitStride:]
	}
	h[0] = 0
}

// splitter cuts a block into stretches of like content.
type splitter struct{ sum, cur histogram }

// next returns the length of the first stretch of p.
func (s *splitter) next(p []byte) int {
	if len(p) <= splitSize {
		return len(p)
	}
	s.sum.count(p[:splitSize])
	n := splitSize
	for chunks := int32(1); n < len(p); chunks++ {
		end := min(n+splitSize, len(p))
		s.cur.count(p[n:end])
		if s.differ(chunks) {
			break
		}
		for i, v := range s.cur {
			s.sum[i] += v
		}
		n = end
	}
	return n
}

// differ compares cur with the average of the chunks counted in sum.
func (s *splitter) differ(chunks int32) bool {
	var total, diff int32
	for i, v := range s.cur {
		v *= chunks // rather than 256 divisions
		w := s.sum[i]
		total += w + v
		diff += max(w, v) - min(w, v)
	}
	return diff*100 > total*splitDiffer
}
