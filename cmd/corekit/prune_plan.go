package main

import (
	"bytes"
	"cmp"
	"io"
	"os"

	"github.com/corekit/corekit/sdk/bundle"
)

// plan returns what of list, the newest first, [bundle.Store.Prune] would leave.
// A test holds the two together.
func plan(s bundle.Store, list []bundle.Entry) []bundle.Entry {
	free, total, err := diskSpace(s.Dir)
	if err != nil {
		free, total = 0, 0 // unknown, and no bound then
	}
	return planWith(s, list, free, total)
}

func planWith(s bundle.Store, list []bundle.Entry, free, total int64) []bundle.Entry {
	maxCount, maxBytes := cmp.Or(s.MaxCount, bundle.DefaultMaxCount), cmp.Or(s.MaxBytes, bundle.DefaultMaxBytes)
	minFree := cmp.Or(s.MinFree, total/100*bundle.DefaultMinFreePercent)
	if total == 0 {
		minFree = -1
	}
	var bytes int64
	for _, e := range list {
		bytes += e.Size
	}
	count := len(list)
	gone := map[string]bool{}
	for i := len(list) - 1; i > 0; i-- {
		over := maxCount > 0 && count > maxCount || maxBytes > 0 && bytes > maxBytes || minFree > 0 && free < minFree
		if !over {
			break
		}
		if !prunable(list[i].Path) {
			continue
		}
		gone[list[i].File] = true
		count--
		bytes -= list[i].Size
		free += list[i].Size
	}
	var left []bundle.Entry
	for _, e := range list {
		if !gone[e.File] {
			left = append(left, e)
		}
	}
	return left
}

// prunable tells whether a file whose name is a bundle's begins like one:
// blocked gzip (a subfield "BC" in its header), or zstd (RFC 8878, 3.1.1). An
// empty file is what a power failure leaves of one.
func prunable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 18)
	n, _ := io.ReadFull(f, head)
	head = head[:n]
	return n == 0 || bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")) ||
		n == 18 && bytes.HasPrefix(head, []byte("\x1f\x8b\x08\x04")) && string(head[12:14]) == "BC"
}
