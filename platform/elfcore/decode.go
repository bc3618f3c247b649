package elfcore

import (
	"bytes"
	"cmp"
	"debug/elf"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// readNotes reads one PT_NOTE. A note that makes no sense is passed over; the
// ones before and behind it still count.
func (f *File) readNotes(p elf.Prog64) error {
	if p.Filesz > maxNotes {
		return fmt.Errorf("%d bytes of notes: %w", p.Filesz, ErrFormat)
	}
	if p.Off > uint64(f.size) {
		return nil // cut off before them
	}
	n := min(p.Filesz, uint64(f.size)-p.Off)
	// What the file holds but once must not take memory twice.
	if f.notes += n; f.notes > min(maxNotes, uint64(f.size)) {
		return fmt.Errorf("notes that overlap: %w", ErrFormat)
	}
	b := make([]byte, n)
	if n, err := f.ReadAt(b, int64(p.Off)); n < len(b) {
		return fmt.Errorf("notes: %w", err)
	}
	for n := range notesIn(b) {
		f.note(n)
	}
	return nil
}

// notesIn yields the notes in the contents of a PT_NOTE, up to one that is cut
// off.
func notesIn(b []byte) iter.Seq[Note] {
	return func(yield func(Note) bool) {
		for len(b) >= noteHdrSize {
			namesz, descsz, typ := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:])), le.Uint32(b[8:])
			desc := noteHdrSize + alignUp(namesz, 4)
			end := desc + descsz
			if end > uint64(len(b)) {
				return
			}
			owner := strings.TrimRight(string(b[noteHdrSize:noteHdrSize+namesz]), "\x00")
			if !yield(Note{owner, typ, b[desc:end:end]}) {
				return
			}
			b = b[min(alignUp(end, 4), uint64(len(b))):]
		}
	}
}

// maxThreadNotes bounds what a file of many tiny notes costs. No machine has
// that many register sets.
const maxThreadNotes = 64

func (f *File) note(n Note) {
	last, d := len(f.Threads)-1, n.Desc
	if known := n.Owner == ownerCore || n.Owner == ownerLinux && n.Type == noteXState; !known {
		f.other(n)
		return
	}
	switch n.Type {
	case noteStatus:
		f.status(d)
	case notePsinfo:
		f.psinfo(d)
	case noteSiginfo:
		// gdb's gcore writes one for each thread; the first is the process's.
		if f.Siginfo != nil {
			f.other(n)
			return
		}
		f.Siginfo = d
	case noteAuxv:
		f.Auxv = d
	case noteFile:
		f.files(d)
	case noteFP:
		if last >= 0 {
			f.Threads[last].FPRegs = d
		}
	case noteXState:
		if last >= 0 {
			f.Threads[last].XState = d
		}
	default:
		f.other(n)
	}
}

// other keeps a note for the thread whose notes are being read.
func (f *File) other(n Note) {
	if len(f.Threads) == 0 {
		return
	}
	if t := &f.Threads[len(f.Threads)-1]; len(t.Notes) < maxThreadNotes {
		t.Notes = append(t.Notes, n)
	}
}

func (f *File) status(d []byte) {
	l, err := layoutOf(f.Machine)
	if err != nil || len(d) < l.regs+l.regsSize {
		return
	}
	id := func(i int) int { return int(int32(le.Uint32(d[statusPID+4*i:]))) }
	f.Threads = append(f.Threads, Thread{
		TID: id(0), PPID: id(1), PGRP: id(2), SID: id(3),
		Signal: int(le.Uint16(d[statusCursig:])),
		Regs:   d[l.regs : l.regs+l.regsSize],
	})
}

func (f *File) psinfo(d []byte) {
	if len(d) < psinfoSize {
		return
	}
	n := func(i int) uint32 { return le.Uint32(d[psinfoUID+4*i:]) }
	f.Process = Process{
		UID: n(0), GID: n(1), PID: int(int32(n(2))), PPID: int(int32(n(3))), PGRP: int(int32(n(4))), SID: int(int32(n(5))),
		State: d[1], Nice: int8(d[3]),
		Name: cString(d[psinfoName : psinfoName+15]),
		// The kernel has a space behind the last argument too.
		Args: strings.TrimRight(cString(d[psinfoArgs:psinfoArgs+79]), " "),
	}
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

func (f *File) files(d []byte) {
	if len(d) < 16 {
		return
	}
	count, page := le.Uint64(d), le.Uint64(d[8:])
	if count > uint64(len(d)-16)/24 || page == 0 {
		return
	}
	names := d[16+24*count:]
	f.Files = nil
	for e := d[16 : 16+24*count]; len(e) > 0; e = e[24:] {
		name, rest, ok := bytes.Cut(names, []byte{0})
		if !ok {
			return
		}
		names = rest
		m := Mapping{Start: le.Uint64(e), End: le.Uint64(e[8:]), Offset: le.Uint64(e[16:]) * page, Path: string(name)}
		if m.Start < m.End {
			f.Files = append(f.Files, m)
		}
	}
	// The kernel writes them in order; a look-up must not depend on that.
	slices.SortStableFunc(f.Files, func(a, b Mapping) int { return cmp.Compare(a.Start, b.Start) })
}
