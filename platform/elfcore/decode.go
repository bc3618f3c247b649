package elfcore

import (
	"bytes"
	"cmp"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// readNotes reads one PT_NOTE. A note that makes no sense is passed over; the
// ones before and behind it still count.
func (f *File) readNotes(p elf.Prog64) error {
	if p.Filesz > maxNotes {
		return fmt.Errorf("notes of %d bytes: %w", p.Filesz, ErrFormat)
	}
	if p.Off > uint64(f.size) {
		return nil // cut off before them
	}
	b := make([]byte, min(p.Filesz, uint64(f.size)-p.Off))
	if err := f.read(b, p.Off); err != nil {
		return fmt.Errorf("notes: %w", err)
	}
	for len(b) >= 12 {
		namesz, descsz, typ := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:])), le.Uint32(b[8:])
		desc := 12 + alignUp(namesz, 4)
		end := desc + descsz
		if end > uint64(len(b)) {
			return nil
		}
		owner := strings.TrimRight(string(b[12:12+namesz]), "\x00")
		f.note(owner, typ, b[desc:end:end])
		b = b[min(alignUp(end, 4), uint64(len(b))):]
	}
	return nil
}

func (f *File) note(owner string, typ uint32, d []byte) {
	if owner != ownerCore && owner != ownerLinux {
		return
	}
	last := len(f.Threads) - 1
	switch typ {
	case noteStatus:
		f.status(d)
	case notePsinfo:
		f.psinfo(d)
	case noteSiginfo:
		// gdb's gcore writes one for each thread; the first is the process's.
		if f.Siginfo == nil {
			f.Siginfo = d
		}
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
		Name: cString(d[psinfoName : psinfoName+16]),
		Args: strings.TrimRight(cString(d[psinfoArgs:psinfoArgs+80]), " "),
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
	f.Files = make([]Mapping, 0, count)
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
