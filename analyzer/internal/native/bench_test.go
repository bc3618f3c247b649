package native

import (
	"debug/elf"
	"os"
	"testing"
)

// BenchmarkIndex reads the unwind tables of the machine's C library.
func BenchmarkIndex(b *testing.B) {
	f, err := os.Open("/lib/x86_64-linux-gnu/libc.so.6")
	if err != nil {
		b.Skip(err)
	}
	defer f.Close()
	for b.Loop() {
		e, err := (&image{src: f}).elf()
		if err != nil {
			b.Fatal(err)
		}
		if len(newFrameTable(ehFrame(e)).entries) == 0 {
			b.Fatal("no entries")
		}
	}
}

// BenchmarkStep steps out of a function whose table is known.
func BenchmarkStep(b *testing.B) {
	s := tableFor("zR", []byte{0}, 16, []byte{cfaDefCFA, 7, 8, cfaOffset | 16, 1},
		[]byte{cfaAdvance | 4, cfaDefCFAOffset, 16, cfaOffset | 6, 2})
	u := unwinderFor(elf.EM_X86_64, s, words{0x8000: 0x9000, 0x8008: 0xaa00})
	regs := u.arch.store(&regSet{val: [numRegs]uint64{7: 0x8000, 16: 0x1800}, known: 1<<7 | 1<<16})
	for b.Loop() {
		if _, err := u.Step(regs, false); err != nil {
			b.Fatal(err)
		}
	}
}
