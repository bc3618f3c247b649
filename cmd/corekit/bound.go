package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// bound is the value of a flag that sets a bound of a [bundle.Store]: 0 is its
// default, a negative one none.
type bound struct {
	n    int64
	size bool // takes a unit
	zero bool // 0 is as good as none
}

// String implements pflag.Value.
func (b *bound) String() string {
	switch {
	case b.n == 0:
		return ""
	case b.n < 0:
		return "none"
	}
	return strconv.FormatInt(b.n, 10)
}

// Type implements pflag.Value.
func (b *bound) Type() string {
	if b.size {
		return "SIZE"
	}
	return "N"
}

// Set implements pflag.Value.
func (b *bound) Set(s string) (err error) {
	if s == "none" {
		b.n = -1
		return nil
	}
	var n int64
	if b.size {
		n, err = parseSize(s)
	} else {
		n, err = strconv.ParseInt(s, 10, 32)
	}
	switch {
	case err != nil && b.size:
		return errors.New("want a size such as 500M or 10GiB, or none")
	case err == nil && n == 0 && b.zero:
		n = -1
	case err != nil || n <= 0:
		return errors.New("want at least 1, or none")
	}
	b.n = n
	return nil
}

// parseSize reads a number of bytes with an optional unit: k, M, G, T, each
// also as KiB or KB. All of them are powers of 1024, as size prints them.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "BKMGTbikmgt ")
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, err
	}
	unit := strings.ToUpper(strings.TrimSpace(s[len(digits):]))
	if unit != "" && unit != "B" {
		power := strings.IndexByte("KMGT", unit[0]) + 1
		if rest := unit[1:]; power == 0 || rest != "" && rest != "B" && rest != "IB" {
			return 0, strconv.ErrSyntax
		}
		n *= math.Pow(1024, float64(power))
	}
	if !(n >= 0 && n < math.MaxInt64) { // nor NaN
		return 0, strconv.ErrRange
	}
	return int64(n), nil
}
