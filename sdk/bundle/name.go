package bundle

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	timeFormat = "20060102T150405Z"
	maxExe     = 64 // keeps name/manifest.json within a plain tar header
)

// bundleName returns the name of the nth bundle of this process and second.
func bundleName(exe string, t time.Time, pid, nth int) string {
	name := fmt.Sprintf("%s-%s-%d", sanitise(exe), t.UTC().Format(timeFormat), pid)
	if nth > 1 {
		name += "-" + strconv.Itoa(nth)
	}
	return name
}

// sanitise makes a file name of any string, one that needs no quoting and is
// no option either.
func sanitise(exe string) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9',
			r == '.', r == '_', r == '-', r == '+':
			return r
		}
		return '_'
	}, exe)
	s = s[:min(len(s), maxExe)]
	if s == "" {
		return "program"
	}
	if s[0] == '.' || s[0] == '-' {
		s = "_" + s[1:]
	}
	return s
}

// fileName is what the name of a file says.
type fileName struct {
	exe     string
	time    time.Time
	pid     int
	nth     int
	partial bool
}

// parseName takes a file name apart, and says no if it is not a bundle's. It
// is done by hand because regexp would grow every program that links sdk.
func parseName(file string) (f fileName, ok bool) {
	file, f.partial = strings.CutSuffix(file, ".partial")
	base, gz := strings.CutSuffix(file, Ext)
	if !gz {
		var zst bool
		if base, zst = strings.CutSuffix(file, ".tar.zst"); !zst {
			return f, false
		}
	}
	// From the right, because the name of the executable may hold dashes.
	rest, last, _ := cutLast(base)
	head, mid, _ := cutLast(rest)
	if f.exe, f.time, ok = cutTime(rest); ok {
		f.nth = 1
		f.pid, ok = number(last)
		return f, ok
	}
	if f.exe, f.time, ok = cutTime(head); !ok {
		return f, false
	}
	var ok1, ok2 bool
	f.pid, ok1 = number(mid)
	f.nth, ok2 = number(last)
	return f, ok1 && ok2
}

// cutTime splits <exe>-<time>.
func cutTime(s string) (exe string, t time.Time, ok bool) {
	exe, stamp, ok := cutLast(s)
	if !ok || exe == "" || sanitise(exe) != exe {
		return "", t, false
	}
	t, err := time.Parse(timeFormat, stamp)
	return exe, t, err == nil
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func number(s string) (int, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}
