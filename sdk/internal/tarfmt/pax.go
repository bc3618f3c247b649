package tarfmt

import (
	"strconv"
	"strings"
)

// records is what an extended header says, as far as it matters here.
type records struct {
	path   string
	size   string
	sparse bool
}

// parseRecords parses the contents of an extended header: records of the form
// "%d %s=%s\n", the number being the length of the whole record. The last of
// several with one key counts.
func parseRecords(text []byte) (records, error) {
	var r records
	s := string(text)
	for s != "" {
		digits, rest, ok := strings.Cut(s, " ")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n <= len(digits)+1 || n > len(s) {
			return r, ErrHeader
		}
		s, rest = s[n:], rest[:n-len(digits)-1]
		rest, ok = strings.CutSuffix(rest, "\n")
		if !ok {
			return r, ErrHeader
		}
		key, value, ok := strings.Cut(rest, "=")
		if !ok || key == "" || strings.IndexByte(key, 0) >= 0 {
			return r, ErrHeader
		}
		switch {
		case key == "path":
			if strings.IndexByte(value, 0) >= 0 {
				return r, ErrHeader
			}
			r.path = value
		case key == "size":
			r.size = value
		case strings.HasPrefix(key, "GNU.sparse."):
			r.sparse = true
		}
	}
	return r, nil
}

// apply overrides in h what the records name. An empty value names nothing.
func (r records) apply(h *Header) error {
	if r.path != "" {
		h.Name = r.path
	}
	if r.size == "" {
		return nil
	}
	n, err := strconv.ParseInt(r.size, 10, 64)
	if err != nil || n < 0 {
		return ErrHeader
	}
	h.Size = n
	return nil
}
