package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corekit/corekit/platform/elfcore"
)

// writeCore returns a core whose memory at an address is byteAt of it.
func writeCore(t testing.TB, img *elfcore.Image) []byte {
	t.Helper()
	img.Machine = elf.EM_X86_64
	if img.Threads == nil {
		img.Threads = []elfcore.Thread{{TID: 1, Regs: make([]byte, 27*8)}, {TID: 2, Regs: make([]byte, 27*8)}}
	}
	b, err := img.Header()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range img.Segments {
		for a := s.Addr; a < s.Addr+s.Filesz; a++ {
			b = append(b, byteAt(a))
		}
	}
	return b
}

func byteAt(addr uint64) byte { return byte(addr>>12) | 0x80 }

func openBytes(t testing.TB, b []byte) *elfcore.File {
	t.Helper()
	core, err := elfcore.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return core
}

// fileSet holds files by path.
type fileSet map[string]string

func (s fileSet) Open(path string) (io.ReaderAt, int64, error) {
	c, ok := s[path]
	if !ok {
		return nil, 0, fs.ErrNotExist
	}
	return strings.NewReader(c), int64(len(c)), nil
}

func TestSources(t *testing.T) {
	img := &elfcore.Image{
		Files: []elfcore.Mapping{
			{Start: 0x10000, End: 0x14000, Offset: 0x1000, Path: "/lib/a (deleted)"},
			{Start: 0x20000, End: 0x22000, Path: "/memfd:x (deleted)"},
			{Start: 0x30000, End: 0x31000, Path: "/lib/gone"},
			{Start: 0x50000, End: 0x51000, Offset: 0x1000, Path: "/lib/a (deleted)"}, // in no segment
			{Start: 0x60000, End: 0x61000, Path: "/dev/gpu"},
		},
		Segments: []elfcore.Segment{
			{Addr: 0x10000, Memsz: 0x1000, Filesz: 0},
			{Addr: 0x11000, Memsz: 0x3000, Filesz: 0x1000},
			{Addr: 0x20000, Memsz: 0x2000, Filesz: 0x1000},
			{Addr: 0x30000, Memsz: 0x1000},
			{Addr: 0x40000, Memsz: 0x1000},
			{Addr: 0x70000, Memsz: 0x2000, Filesz: 0x2000},
		},
	}
	core := writeCore(t, img)
	core = core[:len(core)-0x1800] // cuts the last segment
	a := strings.Repeat("A", 0x1000) + strings.Repeat("B", 0x1000) + strings.Repeat("C", 0x1000) + "DDD"
	im, err := New(openBytes(t, core), nil, 0, fileSet{"/lib/a": a})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		addr uint64
		want byte
		err  error
	}{
		{0x10000, 'B', nil},             // file
		{0x11000, byteAt(0x11000), nil}, // core before file
		{0x12002, 'D', nil},             // file again
		{0x12003, 0, nil},               // behind the file's end, in its last page
		{0x12fff, 0, nil},               //
		{0x13000, 0, ErrUnmapped},       // in the mapping, but no file there
		{0x20000, byteAt(0x20000), nil},
		{0x21000, 0, nil},         // memfd: memory that was never touched
		{0x30000, 0, ErrUnmapped}, // file not at hand
		{0x40fff, 0, nil},         // anonymous
		{0x41000, 0, ErrUnmapped},
		{0x50fff, 'B', nil},
		{0x60000, 0, ErrUnmapped},
		{0x707ff, byteAt(0x70000), nil},
		{0x70800, 0, elfcore.ErrTruncated},
		{0xffff_ffff_ffff_ffff, 0, ErrUnmapped},
	} {
		var b [1]byte
		if _, err := im.ReadMemory(b[:], tt.addr); !errors.Is(err, tt.err) || b[0] != tt.want {
			t.Errorf("%#x: %#x, %v; want %#x, %v", tt.addr, b[0], err, tt.want, tt.err)
		}
	}
	p := make([]byte, 0x4000)
	if n, err := im.ReadMemory(p, 0x10000); n != 0x3000 || !errors.Is(err, ErrUnmapped) {
		t.Errorf("across regions: %#x, %v", n, err)
	}
	if l := im.Lacks(); len(l) != 1 || l[0] != "/lib/gone" {
		t.Errorf("lacks %v", l)
	}
	if path, off, ok := im.FileAt(0x11234); path != "/lib/a" || off != 0x2234 || !ok {
		t.Errorf("FileAt: %s, %#x, %v", path, off, ok)
	}
	if _, _, ok := im.FileAt(0x9000); ok {
		t.Error("FileAt finds a file where none is")
	}
}

// checkRegions fails unless regions ascend without overlaps.
func checkRegions(t *testing.T, im *Image) {
	t.Helper()
	end := uint64(0)
	for _, r := range im.regions {
		if r.start < end || r.start >= r.end {
			t.Fatalf("regions out of order: %+v", im.regions)
		}
		end = r.end
	}
}

func TestSparseBounds(t *testing.T) {
	img := &elfcore.Image{Segments: []elfcore.Segment{
		{Addr: 0x10000, Memsz: 0x1000, Filesz: 0x1000},
		{Addr: 0x11000, Memsz: 0x7000, Filesz: 0x1000},
		{Addr: 1 << 40, Memsz: 1 << 39, Flags: elf.PF_R},
		{Addr: 1 << 42, Memsz: 1 << 41, Flags: elf.PF_R},
		{Addr: 1 << 44, Memsz: 1 << 35, Flags: elf.PF_R},
	}}
	core, f := sparse(t, writeCore(t, img))
	want := []elfcore.Segment{
		{Addr: 0x10000, Memsz: 0x8000, Filesz: 0x8000}, // joined
		{Addr: 1 << 40, Memsz: 1 << 39, Filesz: 1 << 39, Flags: elf.PF_R},
		{Addr: 1 << 42, Memsz: 1 << 41, Filesz: 0, Flags: elf.PF_R}, // too large
		{Addr: 1 << 44, Memsz: 1 << 35, Filesz: 1 << 35, Flags: elf.PF_R},
	}
	for i, s := range core.Segments {
		if i >= len(want) || s != want[i] {
			t.Errorf("segment %d: %+v", i, s)
		}
	}
	if st, _ := f.Stat(); st.Size() > maxSparse {
		t.Errorf("%d bytes", st.Size())
	}
	if core.Threads[0].TID != 2 || core.Threads[1].TID != 1 || core.Missing() != 0 {
		t.Errorf("%+v, %d bytes missing", core.Threads, core.Missing())
	}
}

// sparse writes a core sparse and opens it.
func sparse(t *testing.T, core []byte) (*elfcore.File, *os.File) {
	t.Helper()
	im, err := New(openBytes(t, core), nil, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := im.WriteSparse(f, 2); err != nil {
		t.Skipf("this file system has no sparse files of 1 TiB: %v", err)
	}
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	out, err := elfcore.Open(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	return out, f
}

// TestSparseTruncated checks that what a core has lost does not become zeros.
func TestSparseTruncated(t *testing.T) {
	b := writeCore(t, &elfcore.Image{Segments: []elfcore.Segment{{Addr: 0x10000, Memsz: 0x4000, Filesz: 0x3000}}})
	core, _ := sparse(t, b[:len(b)-0x1800])
	p := make([]byte, 0x4000)
	if n, err := core.ReadMemory(p, 0x10000); n != 0x1800 || !errors.Is(err, elfcore.ErrNotPresent) {
		t.Errorf("%#x bytes, %v", n, err)
	}
}

// TestSparseMany checks that Delve can count the segments.
func TestSparseMany(t *testing.T) {
	img := &elfcore.Image{}
	for i := range 70_000 {
		s := elfcore.Segment{Addr: 0x10000 + uint64(i)*0x1000, Memsz: 0x1000, Flags: elf.PF_R | elf.ProgFlag(i%2)}
		if i%1000 == 0 {
			s.Filesz = 16
		}
		img.Segments = append(img.Segments, s)
	}
	core, f := sparse(t, writeCore(t, img))
	if len(core.Segments) != 1 {
		t.Errorf("%d segments", len(core.Segments))
	}
	if e, err := elf.NewFile(f); err != nil || len(e.Progs) != 2 {
		t.Errorf("debug/elf: %v", err)
	}
	var p [1]byte
	for _, i := range []uint64{1000, 69_000} {
		if _, err := core.ReadMemory(p[:], 0x10000+i*0x1000+15); err != nil || p[0] != byteAt(0x10000+i*0x1000) {
			t.Errorf("%d: %x, %v", i, p, err)
		}
	}
}

// FuzzBeneath checks the layering of regions against a map of bytes.
func FuzzBeneath(f *testing.F) {
	f.Add([]byte{1, 3, 2, 1, 0, 5}, []byte{0, 20})
	f.Add([]byte{5, 5}, []byte{1, 1, 0, 3, 0, 2, 1, 9})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var addr [1 << 17]*region
		layer := func(b []byte, k kind) (out []region) {
			at := uint64(0)
			for i := 0; i+1 < len(b) && i < 100; i += 2 {
				at += uint64(b[i])
				r := region{start: at, end: at + uint64(b[i+1]), off: 1000 * at, kind: k}
				at = r.end
				if out = appendRegion(out, r); r.start < r.end {
					for i := r.start; i < r.end; i++ {
						if addr[i] == nil {
							addr[i] = &region{off: r.off + i - r.start, kind: k}
						}
					}
				}
			}
			return out
		}
		upper := layer(a, stored)
		out := beneath(upper, layer(b, file))
		end := uint64(0)
		for _, r := range out {
			if r.start < end || r.start >= r.end {
				t.Fatalf("out of order: %+v", out)
			}
			end = r.end
			for i := r.start; i < r.end; i++ {
				if w := addr[i]; w == nil || w.kind != r.kind || w.off != r.off+i-r.start {
					t.Fatalf("at %d: %+v, want %+v", i, r, w)
				}
				addr[i] = nil
			}
		}
		for i, w := range addr {
			if w != nil {
				t.Fatalf("nothing at %d, want %+v", i, w)
			}
		}
	})
}

// FuzzImage checks that any core makes an image in order, which reads what
// the core holds.
func FuzzImage(f *testing.F) {
	le := binary.LittleEndian
	auxv := le.AppendUint64(le.AppendUint64(nil, elfcore.AuxPHDR), 0x10040)
	auxv = le.AppendUint64(le.AppendUint64(auxv, elfcore.AuxEntry), 0x10123)
	auxv = le.AppendUint64(le.AppendUint64(auxv, elfcore.AuxVDSO), 0x20000)
	f.Add(writeCore(f, &elfcore.Image{
		Auxv:  auxv,
		Files: []elfcore.Mapping{{Start: 0x10000, End: 0x12000, Path: "/a"}, {Start: 0x11000, End: 0x30000, Offset: 0x1000, Path: "/b"}},
		Segments: []elfcore.Segment{
			{Addr: 0x10000, Memsz: 0x1000, Filesz: 0x20}, {Addr: 0x11000, Memsz: 0x5000, Filesz: 0x10}, {Addr: 0x2f000, Memsz: 0x3000},
		},
	}), []byte(elf.ELFMAG))
	f.Fuzz(func(t *testing.T, b, exe []byte) {
		core, err := elfcore.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		_ = Match(core, bytes.NewReader(exe))
		im, err := New(core, bytes.NewReader(exe), int64(len(exe)), fileSet{"/b": string(b)})
		if err != nil {
			if im, err = New(core, nil, 0, fileSet{"/a": string(exe), "/b": string(b)}); err != nil {
				t.Fatal(err)
			}
		}
		checkRegions(t, im)
		for _, s := range core.Segments {
			p, q := make([]byte, 64), make([]byte, 64)
			n, _ := core.ReadMemory(p, s.Addr)
			m, err := im.ReadMemory(q, s.Addr)
			if m < n || !bytes.Equal(p[:n], q[:n]) {
				t.Fatalf("at %#x the core has %x, the image %x, %v", s.Addr, p[:n], q[:m], err)
			}
			im.ObjectAt(s.Addr + 8)
		}
		for _, m := range core.Files {
			im.ReadMemory(make([]byte, 64), m.End-32)
			im.ObjectAt(m.Start)
		}
	})
}
