package main

import (
	"io"
	"sync"
)

// lineWriter knows whether what was written to it ends a line. It may be used
// concurrently.
type lineWriter struct {
	mu   sync.Mutex
	w    io.Writer
	half bool
}

func (l *lineWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.w.Write(p)
	if n > 0 {
		l.half = p[n-1] != '\n'
	}
	return n, err
}

// endLine ends the line that was begun, if one was.
func (l *lineWriter) endLine() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.half {
		io.WriteString(l.w, "\n")
		l.half = false
	}
}
