package tarfmt

import (
	"archive/tar"
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// reference is what archive/tar writes for h.
func reference(t testing.TB, h Header, format tar.Format) ([]byte, error) {
	t.Helper()
	var buf bytes.Buffer
	err := tar.NewWriter(&buf).WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: h.Name, Size: h.Size, Mode: h.Mode, ModTime: time.Unix(h.ModTime, 0), Format: format,
	})
	return buf.Bytes(), err
}

var rep = strings.Repeat

var names = []string{
	"a", "dir/manifest.json", rep("n", 100), rep("n", 101), "d/" + rep("n", 100), "d/" + rep("n", 101),
	rep("p", 155) + "/" + rep("n", 100), rep("p", 156) + "/n", rep("p", 155) + "/" + rep("n", 101),
	rep("ab/", 60) + "x", rep("ab/", 1000) + "x", "ünï/x", "new\nline", "\xff\xfe", rep("é", 60), "é" + rep("a", 98) + "/" + rep("b", 99),
	"/abs", "a//b", rep("a", 99) + "/" + rep("b", 101), rep("n", 972), rep("n", 973), rep("n", 974), rep("n", 9975), "é" + rep("/", 120) + "x",
}

func TestAppendHeader(t *testing.T) {
	plain := 0
	for _, name := range names {
		for _, size := range []int64{0, 1, 512, maxOctal, maxOctal + 1, 9<<30 + 5, 1<<63 - 1} {
			h := Header{Name: name, Size: size, Mode: 0o644, ModTime: 1795250640}
			got, err := AppendHeader([]byte("before"), h)
			if err != nil {
				t.Errorf("%q, %d: %v", name, size, err)
				continue
			}
			got, _ = bytes.CutPrefix(got, []byte("before"))
			want, err := reference(t, h, tar.FormatUSTAR)
			if err == nil {
				plain++
			} else if want, err = reference(t, h, tar.FormatPAX); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%q, %d: other bytes than archive/tar", name, size)
			}
			back, err := NewReader(bytes.NewReader(got), int64(len(got))).Next()
			if err != nil || back.Name != name || back.Size != size || back.Type != TypeReg || back.Offset != int64(len(got)) {
				t.Errorf("%q, %d: reads as %+v, %v", name, size, back, err)
			}
		}
	}
	if plain < 20 {
		t.Errorf("%d plain headers only", plain)
	}
}

func TestAppendHeaderLimits(t *testing.T) {
	for _, h := range []Header{{}, {Name: "a", Size: -1}, {Name: "a/"}, {Name: "a\x00b"}} {
		if _, err := AppendHeader(nil, h); !errors.Is(err, ErrHeader) {
			t.Errorf("%+v: %v", h, err)
		}
	}
	if _, err := AppendHeader(nil, Header{Name: rep("n", maxSpecial)}); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	for in, want := range map[int64]int64{-1: 0, -1 << 62: 0, maxOctal + 1: maxOctal, 1 << 62: maxOctal} {
		b, err := AppendHeader(nil, Header{Name: "a", ModTime: in})
		ref, err2 := reference(t, Header{Name: "a", ModTime: want}, tar.FormatUSTAR)
		if err != nil || err2 != nil || !bytes.Equal(b, ref) {
			t.Errorf("time %d: not that of %d", in, want)
		}
	}
}

// FuzzAppendHeader: what archive/tar writes, we write, byte for byte, and
// read back.
func FuzzAppendHeader(f *testing.F) {
	for _, name := range names {
		f.Add(name, int64(7), int64(0o644))
		f.Add(name, int64(1<<40), int64(0o7777))
	}
	f.Fuzz(func(t *testing.T, name string, size, mode int64) {
		h := Header{Name: name, Size: size, Mode: mode & 0o7777}
		got, err := AppendHeader(nil, h)
		if err != nil {
			if !errors.Is(err, ErrHeader) && !errors.Is(err, ErrTooLong) {
				t.Fatal(err)
			}
			return
		}
		want, err := reference(t, h, tar.FormatPAX)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("archive/tar: %v, or other bytes", err)
		}
		back, err := NewReader(bytes.NewReader(got), int64(len(got))).Next()
		if err != nil || back.Name != name || back.Size != size {
			t.Fatalf("reads as %+v, %v", back, err)
		}
	})
}
