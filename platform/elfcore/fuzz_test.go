package elfcore_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/corekit/corekit/platform/elfcore"
	"github.com/google/go-cmp/cmp"
)

// coreBytes returns a whole core file; the memory at an address is pattern of
// it.
func coreBytes(t testing.TB, img *elfcore.Image) []byte {
	t.Helper()
	b, err := img.Header()
	if err != nil {
		t.Fatal(err)
	}
	if len(b)%4096 != 0 {
		t.Fatalf("header of %d bytes is not padded to pages", len(b))
	}
	for _, s := range img.Segments {
		for a := s.Addr; a < s.Addr+s.Filesz; a++ {
			b = append(b, pattern(a))
		}
	}
	if size, err := img.Size(); err != nil || size != int64(len(b)) {
		t.Fatalf("Size() = %d, %v, want %d", size, err, len(b))
	}
	return b
}

func pattern(addr uint64) byte { return byte(addr>>12) ^ byte(addr*7) }

// small is a core with a bit of everything.
func small(m elf.Machine) *elfcore.Image {
	regs := make([]byte, map[elf.Machine]int{elf.EM_X86_64: 27 * 8, elf.EM_AARCH64: 34 * 8}[m])
	for i := range regs {
		regs[i] = byte(i)
	}
	return &elfcore.Image{
		Machine: m,
		Process: elfcore.Process{PID: 10, PPID: 1, PGRP: 10, SID: 9, UID: 1000, GID: 100, State: 'S', Nice: -3, Name: "name", Args: "name arg"},
		Siginfo: append([]byte{11, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xef, 0xbe}, make([]byte, 110)...),
		Auxv:    binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, elfcore.AuxEntry), 0x401000),
		Threads: []elfcore.Thread{
			{TID: 12, Signal: 11, Regs: regs, FPRegs: make([]byte, 528), XState: make([]byte, 832), PPID: 1, PGRP: 10, SID: 9},
			{TID: 10, Signal: 11, Regs: regs, PPID: 1, PGRP: 10, SID: 9, Notes: []elfcore.Note{{Owner: "LINUX", Type: 0x401, Desc: []byte("tls")}}},
		},
		Files: []elfcore.Mapping{{Start: 0x400000, End: 0x402000, Offset: 0x3000, Path: "/bin/name"}},
		Segments: []elfcore.Segment{
			{Addr: 0x400000, Memsz: 0x2000, Filesz: 0x1000, Flags: elf.PF_R | elf.PF_X},
			{Addr: 0x402000, Memsz: 0x3000, Filesz: 0x3000, Flags: elf.PF_R | elf.PF_W},
			{Addr: 0x7fff_0000_0000, Memsz: 0x1000, Flags: elf.PF_R},
		},
	}
}

// scan is ReadMemory byte by byte; data is the core file.
func scan(core *elfcore.File, data, p []byte, addr uint64) (int, error) {
next:
	for n := range p {
		for i, s := range core.Segments {
			switch at := addr + uint64(n); {
			case at < s.Addr || at-s.Addr >= s.Filesz:
			case uint64(core.Offset(i))+at-s.Addr >= uint64(len(data)):
				return n, elfcore.ErrTruncated
			default:
				p[n] = data[uint64(core.Offset(i))+at-s.Addr]
				continue next
			}
		}
		return n, elfcore.ErrNotPresent
	}
	return len(p), nil
}

// FuzzOpen checks that whatever opens is in order, can be read without a
// panic, and says the same when it is written and opened again.
func FuzzOpen(f *testing.F) {
	for _, m := range []elf.Machine{elf.EM_X86_64, elf.EM_AARCH64} {
		b := coreBytes(f, small(m))
		f.Add(b[:5000])
		f.Add(b[:300])
	}
	f.Add([]byte(elf.ELFMAG))
	// Of two segments that overlap, one that is cut by more than the file has.
	img := small(elf.EM_X86_64)
	b := coreBytes(f, img)
	le := binary.LittleEndian
	first, second := b[64+56:], b[64+2*56:]
	le.PutUint64(first[16:], 0x1000)
	le.PutUint64(first[32:], 1<<63)
	le.PutUint64(first[40:], ^uint64(0)-0x8000)
	le.PutUint64(second[8:], 0x7000)
	le.PutUint64(second[16:], 0x2000)
	le.PutUint64(second[32:], ^uint64(0)-0x3000)
	le.PutUint64(second[40:], ^uint64(0)-0x3000)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		core, err := elfcore.Open(bytes.NewReader(b), int64(len(b)))
		_, _ = elfcore.BuildID(bytes.NewReader(b))
		if err != nil {
			known := []error{elfcore.ErrFormat, elfcore.ErrNotCore, elfcore.ErrMachine, elfcore.ErrNoThreads}
			for _, k := range known {
				if errors.Is(err, k) {
					return
				}
			}
			t.Fatalf("untyped error: %v", err)
		}
		end := uint64(0)
		for i, s := range core.Segments {
			if s.Addr < end || s.Addr+s.Memsz <= s.Addr || s.Filesz > s.Memsz || core.Stored(i) > s.Filesz {
				t.Fatalf("segment %d of %+v is out of order", i, core.Segments)
			}
			end = s.Addr + s.Memsz
			for _, at := range []uint64{s.Addr, s.Addr + core.Stored(i) - 8, s.Addr + s.Filesz - 8, end - 8} {
				p, q := make([]byte, 16), make([]byte, 16)
				n, err := core.ReadMemory(p, at)
				want, why := scan(core, b, q, at)
				if n != want || !errors.Is(err, why) || !bytes.Equal(p[:n], q[:n]) {
					t.Fatalf("ReadMemory(%#x) = %d, %v, %x; want %d, %v, %x", at, n, err, p[:n], want, why, q[:want])
				}
			}
		}
		if missing := core.Missing(); missing < 0 {
			t.Fatalf("%d bytes are missing", missing)
		}
		h, err := core.Header()
		if err != nil {
			t.Fatalf("what opens cannot be written: %v", err)
		}
		again, err := elfcore.Open(bytes.NewReader(h), int64(len(h)))
		if err != nil {
			t.Fatalf("what was written cannot be opened: %v", err)
		}
		if diff := cmp.Diff(core.Image, again.Image); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzRoundTrip checks that what is written is read back, memory too.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{0, 3, 4, 200, 9, 1, 2, 3, 40, 50}, "exe", "/lib/x (deleted)")
	f.Add([]byte{1, 1, 0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7}, "a b", "\xff")
	f.Fuzz(func(t *testing.T, b []byte, name, path string) {
		next := func() int {
			if len(b) == 0 {
				return 0
			}
			n := int(b[0])
			b = b[1:]
			return n
		}
		img := small([]elf.Machine{elf.EM_X86_64, elf.EM_AARCH64}[next()%2])
		img.Process.Name, img.Process.Args = name, name+" "+path
		img.Process.State, img.Process.Nice = byte(next()), int8(next())
		for i := range img.Threads {
			th := &img.Threads[i]
			th.TID, th.Signal = next()+1, next()
			th.FPRegs, th.XState = make([]byte, next()), make([]byte, next())
		}
		img.Files[0].Path, img.Files[0].Offset = path, uint64(next())*1000
		img.Segments = nil
		for addr := uint64(next()); len(b) > 0 && len(img.Segments) < 50; {
			s := elfcore.Segment{Addr: addr, Filesz: uint64(next()), Flags: elf.ProgFlag(next() % 8)}
			s.Memsz = s.Filesz + uint64(next()+1)
			addr += s.Memsz + uint64(next())
			img.Segments = append(img.Segments, s)
		}
		if _, err := img.Header(); err != nil {
			if bytes.IndexByte([]byte(path), 0) < 0 {
				t.Fatal(err)
			}
			return
		}
		data := coreBytes(t, img)
		core, err := elfcore.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if core.Missing() != 0 {
			t.Errorf("%d bytes are missing", core.Missing())
		}
		want := *img
		want.Process.Name, want.Process.Args = core.Process.Name, core.Process.Args // are cut
		if diff := cmp.Diff(want, core.Image); diff != "" {
			t.Error(diff)
		}
		for _, s := range img.Segments {
			p := make([]byte, s.Memsz)
			n, err := core.ReadMemory(p, s.Addr)
			if uint64(n) != s.Filesz || !errors.Is(err, elfcore.ErrNotPresent) {
				t.Fatalf("ReadMemory of %+v = %d, %v", s, n, err)
			}
			for i := range n {
				if p[i] != pattern(s.Addr+uint64(i)) {
					t.Fatalf("memory at %#x differs", s.Addr+uint64(i))
				}
			}
		}
	})
}
