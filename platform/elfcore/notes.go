package elfcore

import (
	"bytes"
	"fmt"
)

// notes returns the contents of PT_NOTE in the kernel's order
// (fs/binfmt_elf.c, write_note_info).
func (img *Image) notes() ([]byte, error) {
	l, err := layoutOf(img.Machine)
	if err != nil {
		return nil, err
	}
	var b []byte
	for i, t := range img.Threads {
		b = appendNote(b, ownerCore, noteStatus, img.status(l, t))
		if i == 0 {
			b = appendNote(b, ownerCore, notePsinfo, img.psinfo())
			if img.Siginfo != nil {
				b = appendNote(b, ownerCore, noteSiginfo, img.Siginfo)
			}
			if img.Auxv != nil {
				b = appendNote(b, ownerCore, noteAuxv, img.Auxv)
			}
			if len(img.Files) > 0 {
				b = appendNote(b, ownerCore, noteFile, img.files())
			}
		}
		if t.FPRegs != nil {
			b = appendNote(b, ownerCore, noteFP, t.FPRegs)
		}
		if t.XState != nil {
			b = appendNote(b, ownerLinux, noteXState, t.XState)
		}
		for _, n := range t.Notes {
			b = appendNote(b, n.Owner, n.Type, n.Desc)
		}
	}
	if len(b) > maxNotes {
		return nil, fmt.Errorf("core file: %d bytes of notes are too many", len(b))
	}
	return b, nil
}

func appendNote(b []byte, owner string, typ uint32, desc []byte) []byte {
	b = le.AppendUint32(b, uint32(len(owner)+1))
	b = le.AppendUint32(b, uint32(len(desc)))
	b = le.AppendUint32(b, typ)
	b = pad4(append(append(b, owner...), 0))
	return pad4(append(b, desc...))
}

func pad4(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }

func (img *Image) status(l statusLayout, t Thread) []byte {
	b := make([]byte, l.size)
	le.PutUint32(b[statusSigno:], uint32(t.Signal))
	le.PutUint16(b[statusCursig:], uint16(t.Signal))
	or := func(v, other int) uint32 {
		if v == 0 {
			v = other
		}
		return uint32(v)
	}
	le.PutUint32(b[statusPID:], uint32(t.TID))
	le.PutUint32(b[statusPID+4:], or(t.PPID, img.Process.PPID))
	le.PutUint32(b[statusPID+8:], or(t.PGRP, img.Process.PGRP))
	le.PutUint32(b[statusPID+12:], or(t.SID, img.Process.SID))
	copy(b[l.regs:l.regs+l.regsSize], t.Regs)
	if t.FPRegs != nil {
		le.PutUint32(b[l.regs+l.regsSize:], 1) // pr_fpvalid
	}
	return b
}

func (img *Image) psinfo() []byte {
	p := img.Process
	b := make([]byte, psinfoSize)
	// pr_state is the index in "RSDTZW", pr_sname the letter.
	b[0] = byte(max(0, bytes.IndexByte([]byte("RSDTZW"), p.State)))
	b[1] = p.State
	if p.State == 'Z' {
		b[2] = 1
	}
	b[3] = byte(p.Nice)
	for i, v := range []uint32{p.UID, p.GID, uint32(p.PID), uint32(p.PPID), uint32(p.PGRP), uint32(p.SID)} {
		le.PutUint32(b[psinfoUID+4*i:], v)
	}
	copy(b[psinfoName:psinfoName+15], p.Name)
	copy(b[psinfoArgs:psinfoArgs+79], p.Args)
	return b
}

// files encodes NT_FILE: count, page size, three numbers per mapping, then the
// names (fs/binfmt_elf.c, fill_files_note). Offsets count in pages; readers
// multiply, so that a page of 1 byte serves offsets that are no multiple.
func (img *Image) files() []byte {
	var b, names []byte
	page := uint64(pageSize)
	for _, f := range img.Files {
		if f.Offset%pageSize != 0 {
			page = 1
		}
	}
	b = le.AppendUint64(b, uint64(len(img.Files)))
	b = le.AppendUint64(b, page)
	for _, f := range img.Files {
		b = le.AppendUint64(b, f.Start)
		b = le.AppendUint64(b, f.End)
		b = le.AppendUint64(b, f.Offset/page)
		names = append(append(names, f.Path...), 0)
	}
	return append(b, names...)
}
