package process

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Region is one mapping: a line of /proc/PID/maps, with what smaps adds.
type Region struct {
	Range
	Read, Write, Exec bool
	Shared            bool
	Offset            uint64 // in the file, bytes
	Dev               string // "fd:01"
	Inode             uint64 // 0: no file behind it
	Path              string // without " (deleted)"; "[heap]" and the like for the kernel's own names
	Deleted           bool

	// From smaps; HasDetail tells whether there was one.
	HasDetail bool
	Rss       uint64 // bytes
	Anonymous uint64 // bytes that are the process's own
	Swap      uint64 // bytes
	DontDump  bool   // madvise(MADV_DONTDUMP), VmFlags dd
	IO        bool   // device memory, VmFlags io or pf
	Huge      bool   // hugetlbfs, VmFlags ht
}

// Size returns the region's length in bytes.
func (r Region) Size() uint64 { return r.End - r.Start }

// File reports whether a file (or a memory file) is mapped.
func (r Region) File() bool { return r.Inode != 0 }

// ParseMaps reads the format of /proc/PID/maps and /proc/PID/smaps
// (fs/proc/task_mmu.c, show_map_vma and show_smap).
func ParseMaps(in io.Reader) ([]Region, error) {
	var regions []Region
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 64<<10), 1<<20)
	sc.Split(scanLine)
	for sc.Scan() {
		line := sc.Bytes()
		if len(line) == 0 {
			continue
		}
		// A field of smaps is "Name:   value"; a mapping begins with its
		// address in lower-case hex.
		if c := line[0]; c >= 'A' && c <= 'Z' {
			if len(regions) > 0 {
				regions[len(regions)-1].detail(line)
			}
			continue
		}
		r, err := parseRegion(string(line))
		if err != nil {
			return nil, err
		}
		regions = append(regions, r)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("maps: %w", err)
	}
	return regions, nil
}

// scanLine is bufio.ScanLines, but leaves a carriage return alone: a file's
// name may end in one.
func scanLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

func parseRegion(line string) (Region, error) {
	var r Region
	bad := func() (Region, error) { return Region{}, fmt.Errorf("maps: cannot read line %q", line) }
	// address perms offset dev inode path; the path may hold spaces.
	f := [5]string{}
	rest := line
	for i := range f {
		rest = strings.TrimLeft(rest, " ")
		var ok bool
		if f[i], rest, ok = strings.Cut(rest, " "); !ok && i < 4 {
			return bad()
		}
	}
	lo, hi, ok := strings.Cut(f[0], "-")
	var err [4]error
	r.Start, err[0] = strconv.ParseUint(lo, 16, 64)
	r.End, err[1] = strconv.ParseUint(hi, 16, 64)
	r.Offset, err[2] = strconv.ParseUint(f[2], 16, 64)
	r.Inode, err[3] = strconv.ParseUint(f[4], 10, 64)
	for _, e := range err {
		if e != nil {
			return bad()
		}
	}
	if !ok || r.End < r.Start || len(f[1]) < 4 {
		return bad()
	}
	r.Read, r.Write, r.Exec, r.Shared = f[1][0] == 'r', f[1][1] == 'w', f[1][2] == 'x', f[1][3] == 's'
	r.Dev = f[3]
	r.Path = unescape(strings.TrimLeft(rest, " "))
	if r.Inode != 0 {
		r.Path, r.Deleted = strings.CutSuffix(r.Path, " (deleted)")
	}
	return r, nil
}

// unescape undoes the one escape that the kernel applies to a path: newline as
// \012.
func unescape(s string) string { return strings.ReplaceAll(s, `\012`, "\n") }

func (r *Region) detail(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch string(name) {
	case "Rss":
		r.Rss = kib(value)
	case "Anonymous":
		r.Anonymous = kib(value)
		r.HasDetail = true
	case "Swap":
		r.Swap = kib(value)
	case "VmFlags":
		for _, f := range bytes.Fields(value) {
			switch string(f) {
			case "dd":
				r.DontDump = true
			case "io", "pf":
				r.IO = true
			case "ht":
				r.Huge = true
			}
		}
	}
}

func kib(value []byte) uint64 {
	f := bytes.Fields(value)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseUint(string(f[0]), 10, 54)
	return n << 10
}
