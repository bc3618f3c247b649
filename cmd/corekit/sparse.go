package main

import (
	"bytes"
	"context"
	"os"
)

// holeSize is the block that file systems leave out where nothing is written.
const holeSize = 4096

var zeroBlock [holeSize]byte

// sparseWriter writes a new file from its start, and leaves holes where blocks
// are zero. Its file is not whole before finish.
type sparseWriter struct {
	ctx context.Context
	f   *os.File
	off int64
}

// Write implements io.Writer.
func (s *sparseWriter) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	data := 0 // where in p the bytes begin that are not written yet
	for i := 0; i < len(p); {
		n := min(len(p)-i, holeSize-int((s.off+int64(i))%holeSize))
		if bytes.Equal(p[i:i+n], zeroBlock[:n]) {
			if err := s.put(p, data, i); err != nil {
				return data, err
			}
			data = i + n
		}
		i += n
	}
	if err := s.put(p, data, len(p)); err != nil {
		return data, err
	}
	s.off += int64(len(p))
	return len(p), nil
}

// put writes p[from:to] where it belongs.
func (s *sparseWriter) put(p []byte, from, to int) error {
	if from == to {
		return nil
	}
	_, err := s.f.WriteAt(p[from:to], s.off+int64(from))
	return err
}

// finish gives the file its length, for it may end in a hole.
func (s *sparseWriter) finish() error { return s.f.Truncate(s.off) }
