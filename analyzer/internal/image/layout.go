package image

import "math"

// region is a piece of the address space with one source. Regions ascend and
// do not overlap.
type region struct {
	start, end uint64
	off        uint64 // of start: in the core file, or in src
	src        *source
	kind       kind
	seg        int32 // index in the core's Segments, -1: in none
	mapping    int32 // index in the core's Files, if the kind is file
}

type kind uint8

const (
	absent kind = iota // described, but its file is not at hand
	stored             // in the core
	lost               // was in the core, which is cut off
	file               // in a mapped file
	zeros
)

// pageSize is the granularity of mappings. Every page size there is, is a
// multiple of it.
const pageSize = 4096

// layout makes the regions: what the core stores, then for what it does not,
// the mapped files, then zeros.
func (im *Image) layout() {
	var inCore, described, mapped []region
	for i, s := range im.core.Segments {
		end, full := s.Addr+im.core.Stored(i), s.Addr+s.Filesz
		off := uint64(im.core.Offset(i))
		inCore = appendRegion(inCore, region{start: s.Addr, end: end, off: off, kind: stored, seg: int32(i)})
		inCore = appendRegion(inCore, region{start: end, end: full, kind: lost, seg: int32(i)})
		described = appendRegion(described, region{start: full, end: s.Addr + s.Memsz, kind: zeros, seg: int32(i)})
	}
	end := uint64(0)
	for i, m := range im.core.Files {
		// Overlaps are cut; only a damaged core has any.
		start := max(m.Start, end)
		if !hasFile(m.Path) || start >= m.End || m.Offset > math.MaxInt64-(m.End-m.Start) {
			continue
		}
		end = m.End
		mapped = append(mapped, region{
			start: start, end: m.End, off: m.Offset + start - m.Start, kind: file, seg: -1, mapping: int32(i),
		})
	}
	for _, r := range beneath(beneath(inCore, mapped), described) {
		if r.kind == file {
			im.regions = append(im.regions, im.fromFile(r)...)
		} else {
			im.regions = append(im.regions, r)
		}
	}
	im.assign()
}

func appendRegion(out []region, r region) []region {
	if r.start < r.end {
		out = append(out, r)
	}
	return out
}

// beneath adds to upper what of lower it does not cover. Both ascend without
// overlaps, and so does the result.
func beneath(upper, lower []region) []region {
	out := make([]region, 0, len(upper)+len(lower))
	for _, l := range lower {
		for len(upper) > 0 && upper[0].end <= l.start {
			out, upper = append(out, upper[0]), upper[1:]
		}
		for len(upper) > 0 && upper[0].start < l.end {
			out = appendRegion(out, l.cut(l.start, upper[0].start))
			l = l.cut(min(max(l.start, upper[0].end), l.end), l.end)
			if upper[0].end > l.end {
				break // it covers the next one too
			}
			out, upper = append(out, upper[0]), upper[1:]
		}
		out = appendRegion(out, l)
	}
	return append(out, upper...)
}

// cut returns the part of r at [start, end); it is empty if end is not above
// start.
func (r region) cut(start, end uint64) region {
	if start < end {
		r.off += start - r.start
	}
	r.start, r.end = start, end
	return r
}

// fromFile finds the file for a region. The last page of a file reads as zero
// behind its end; pages behind that one cannot be read, by the process either.
func (im *Image) fromFile(r region) []region {
	m := im.core.Files[r.mapping]
	r.src = im.source(m)
	if r.src == nil {
		im.lack(cleanPath(m.Path))
		r.kind = absent
		return []region{r}
	}
	have := min(r.src.size-min(r.src.size, r.off), r.end-r.start)
	page := r.start + (have+pageSize-1)&^(pageSize-1)
	if have == 0 {
		page = r.start
	}
	head, tail, rest := r.cut(r.start, r.start+have), r.cut(r.start+have, min(page, r.end)), r.cut(min(page, r.end), r.end)
	tail.kind, rest.kind = zeros, absent
	return appendRegion(appendRegion(appendRegion(nil, head), tail), rest)
}

// lack notes once that a file is not at hand.
func (im *Image) lack(path string) {
	if !im.lacking[path] {
		im.lacking[path] = true
		im.lacks = append(im.lacks, path)
	}
}

// assign tells regions of mapped files which segment they are in, splitting
// them where one ends.
func (im *Image) assign() {
	segs := im.core.Segments
	out := make([]region, 0, len(im.regions))
	i := 0
	for _, r := range im.regions {
		if r.seg >= 0 {
			out = append(out, r)
			continue
		}
		for i < len(segs) && segs[i].Addr+segs[i].Memsz <= r.start {
			i++
		}
		for r.start < r.end {
			piece := r.cut(r.start, r.end)
			switch {
			case i == len(segs) || segs[i].Addr >= r.end:
			case segs[i].Addr > r.start:
				piece = r.cut(r.start, segs[i].Addr)
			default:
				piece = r.cut(r.start, min(r.end, segs[i].Addr+segs[i].Memsz))
				piece.seg = int32(i)
				if piece.end < r.end {
					i++
				}
			}
			out = append(out, piece)
			r = r.cut(piece.end, r.end)
		}
	}
	im.regions = out
}
