package goruntime_test

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/corekit/corekit/analyzer/internal/goruntime"
)

// coreMemory is as little of a core reader as these tests need: the core's
// segments, and the executable's where the kernel left them out.
type coreMemory struct {
	core, exe *elf.File
	bias      uint64
}

func (c *coreMemory) ReadMemory(p []byte, addr uint64) (int, error) {
	done := 0
	for done < len(p) {
		n := readSegment(c.core, p[done:], addr+uint64(done))
		if n == 0 {
			n = readSegment(c.exe, p[done:], addr+uint64(done)-c.bias)
		}
		if n == 0 {
			return done, fmt.Errorf("no memory at %#x", addr+uint64(done))
		}
		done += n
	}
	return done, nil
}

func readSegment(f *elf.File, p []byte, addr uint64) int {
	for _, s := range f.Progs {
		if s.Type == elf.PT_LOAD && addr >= s.Vaddr && addr < s.Vaddr+s.Filesz {
			n, err := s.ReadAt(p[:min(uint64(len(p)), s.Vaddr+s.Filesz-addr)], int64(addr-s.Vaddr))
			if err != nil && err != io.EOF {
				return 0
			}
			return n
		}
	}
	return 0
}

// openCore opens a core that the kernel wrote.
func openCore(t testing.TB, core, exe string) goruntime.Input {
	t.Helper()
	exeFile, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exeFile.Close() })
	coreFile, err := os.Open(core)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { coreFile.Close() })
	c := &coreMemory{}
	if c.exe, err = elf.NewFile(exeFile); err != nil {
		t.Fatal(err)
	}
	if c.core, err = elf.NewFile(coreFile); err != nil {
		t.Fatal(err)
	}
	in := goruntime.Input{Machine: c.core.Machine, Mem: c, Exe: exeFile}
	for _, s := range c.core.Progs {
		if s.Type != elf.PT_NOTE {
			continue
		}
		notes, err := io.ReadAll(s.Open())
		if err != nil {
			t.Fatal(err)
		}
		readNotes(notes, func(typ uint32, desc []byte) {
			le := binary.LittleEndian
			switch typ {
			case 1: // NT_PRSTATUS
				in.Threads = append(in.Threads, goruntime.Thread{
					TID:    int(le.Uint32(desc[32:])),
					Signal: int(le.Uint16(desc[12:])),
					Regs:   userRegs(desc[112:]),
				})
			case 6: // NT_AUXV
				for ; len(desc) >= 16; desc = desc[16:] {
					if le.Uint64(desc) == 9 { // AT_ENTRY
						c.bias = le.Uint64(desc[8:]) - c.exe.Entry
					}
				}
			case 0x53494749: // NT_SIGINFO
				in.Siginfo = desc
			}
		})
	}
	in.Bias = c.bias
	return in
}

func readNotes(b []byte, f func(typ uint32, desc []byte)) {
	le := binary.LittleEndian
	for len(b) >= 12 {
		name, desc, typ := le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:])
		b = b[12+(name+3)&^3:]
		f(typ, b[:desc])
		b = b[(desc+3)&^3:]
	}
}

// userRegs decodes the kernel's struct user_regs_struct of amd64
// (arch/x86/include/asm/user_64.h).
func userRegs(b []byte) goruntime.Regs {
	dwarf := []int{15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5, -1, 16, -1, -1, 7}
	all := make(map[int]uint64)
	for i, reg := range dwarf {
		if reg >= 0 {
			all[reg] = binary.LittleEndian.Uint64(b[i*8:])
		}
	}
	return goruntime.Regs{PC: all[16], SP: all[7], FP: all[6], G: all}
}
