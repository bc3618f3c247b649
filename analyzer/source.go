package analyzer

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"github.com/corekit/corekit/analyzer/report"
)

const (
	sourceBefore = 4
	sourceAfter  = 3
	// maxSourceLine bounds a line; a file with longer ones is not source.
	maxSourceLine = 64 << 10
)

// source puts the lines around the faulting one into the report, if the file
// is on this machine.
func (a *analysis) source() {
	if a.rep.Crash == nil || a.rep.Crash.Frame == nil {
		return
	}
	f := a.rep.Crash.Frame
	if f.File == "" || f.Line <= 0 {
		return
	}
	path := a.findSource(f.File)
	if path == "" {
		return
	}
	f.Source = readSource(path, f.Line)
}

// findSource looks for a source file where the compiler saw it, then below the
// given directories by ever shorter ends of its path.
func (a *analysis) findSource(file string) string {
	if filepath.IsAbs(file) && isFile(file) {
		return file
	}
	for _, dir := range a.opts.Source {
		for rest := filepath.ToSlash(file); rest != ""; {
			if p := filepath.Join(dir, filepath.FromSlash(rest)); filepath.IsLocal(strings.TrimLeft(rest, "/")) && isFile(p) {
				return p
			}
			_, after, ok := strings.Cut(strings.TrimLeft(rest, "/"), "/")
			if !ok {
				break
			}
			rest = after
		}
	}
	return ""
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

func readSource(path string, line int) (out []report.SourceLine) {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, maxSourceLine)
	found := false
	for n := 1; sc.Scan() && n <= line+sourceAfter; n++ {
		if n >= line-sourceBefore {
			out = append(out, report.SourceLine{Line: n, Text: sc.Text(), Current: n == line})
			found = found || n == line
		}
	}
	if !found {
		return nil // a shorter file: not the one that was compiled
	}
	return out
}
