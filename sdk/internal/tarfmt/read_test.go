package tarfmt

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
)

// list returns the members, and how the archive ends.
func list(p []byte) (all []Header, err error) {
	r := NewReader(bytes.NewReader(p), int64(len(p)))
	for {
		h, err := r.Next()
		if err != nil {
			return all, err
		}
		all = append(all, h)
	}
}

// stdList is list by archive/tar. Its offsets are where its reader stands.
func stdList(p []byte) (all []Header, formats []tar.Format, sparse bool, err error) {
	br := bytes.NewReader(p)
	tr := tar.NewReader(br)
	for {
		h, err := tr.Next()
		if err != nil {
			return all, formats, sparse, err
		}
		for k := range h.PAXRecords {
			sparse = sparse || len(k) > 11 && k[:11] == "GNU.sparse."
		}
		sparse = sparse || h.Typeflag == tar.TypeGNUSparse
		size, off := h.Size, int64(len(p)-br.Len())
		if hasNoContents(h.Typeflag) {
			size = 0
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			off = 0
		}
		all = append(all, Header{Name: h.Name, Size: size, Type: h.Typeflag, Offset: off})
		formats = append(formats, h.Format)
	}
}

// raw makes a header of any fields.
func raw(kind byte, name string, size int64, change func(*block)) []byte {
	var k block
	copy(k.name(), name)
	octal(k.size(), size)
	k.seal(kind)
	if change != nil {
		change(&k)
	}
	return reseal(k[:])
}

// reseal corrects the checksum of a header.
func reseal(p []byte) []byte {
	k := (*block)(p)
	sum, _ := k.sums()
	octal(k.checksum()[:7], sum)
	k.checksum()[7] = ' '
	return p
}

func padded(s string) []byte { return append([]byte(s), make([]byte, Padding(int64(len(s))))...) }

func special(kind byte, text string) []byte {
	return append(raw(kind, "meta", int64(len(text)), nil), padded(text)...)
}

func record(key, value string) string { return string(appendRecord(nil, key, value)) }

var end = make([]byte, EndSize)

func file(name string, n int) []byte {
	return append(raw(TypeReg, name, int64(n), nil), padded(rep("x", n))...)
}

// archives are of all formats that are read; the last member is always f.
func archives() map[string][]byte {
	f := file("f", 5)
	size := func(v ...byte) func(*block) {
		return func(k *block) { copy(k.size(), append(make([]byte, 12-len(v)), v...)); k.size()[0] |= 0x80 }
	}
	v7 := func(k *block) { clear(k[257:]) }
	gnu := func(k *block) { copy(k.magic(), "ustar  \x00") }
	return map[string][]byte{
		"ustar":        slices.Concat(file("a", 0), file("b", 513), f, end),
		"v7":           slices.Concat(raw(0, "d/", 0, v7), raw(0, "a", 3, v7), padded("abc"), f, end),
		"v7 dir, size": slices.Concat(raw(0, "d/", 600, v7), f, end),
		"prefix":       slices.Concat(raw(TypeReg, "n", 0, func(k *block) { copy(k.prefix(), "p/q") }), f, end),
		"star": slices.Concat(raw(TypeReg, "n", 0, func(k *block) {
			copy(k.prefix(), rep("s", 131)+"00000000000\x0000000000000\x00")
			copy(k.trailer(), starTrailer)
		}), f, end),
		"gnu times":   slices.Concat(raw(TypeReg, "n", 0, func(k *block) { gnu(k); copy(k.prefix(), "14577720000") }), f, end),
		"base 256":    slices.Concat(raw(TypeReg, "n", 0, size(3)), padded("abc"), f, end),
		"empty size":  slices.Concat(raw(TypeReg, "n", 0, func(k *block) { clear(k.size()) }), f, end),
		"spaces":      slices.Concat(raw(TypeReg, "n", 0, func(k *block) { copy(k.size(), "          3 ") }), padded("abc"), f, end),
		"long name":   slices.Concat(special('L', rep("l", 700)+"\x00"), special('K', "target\x00"), file("short", 3), f, end),
		"pax":         slices.Concat(special('x', record("mtime", "1.5")+record("path", "ü/é")+record("size", "3")), raw(TypeReg, "n", 0, nil), padded("abc"), f, end),
		"pax twice":   slices.Concat(special('x', record("path", "one")), special('x', record("comment", "x")), file("n", 3), f, end),
		"pax same":    slices.Concat(special('x', record("path", "one")+record("path", "two")), file("n", 3), f, end),
		"pax empty":   slices.Concat(special('x', record("path", "")+record("size", "")), file("n", 3), f, end),
		"pax L":       slices.Concat(special('L', "long\x00"), special('x', record("path", "pax")), file("n", 3), f, end),
		"pax link":    slices.Concat(special('x', record("size", "700")+record("linkpath", "x")), raw(TypeSym, "n", 0, nil), f, end),
		"global":      slices.Concat(special('g', record("comment", rep("0", 40))), file("n", 3), f, end),
		"links":       slices.Concat(raw('1', "h", 700, nil), raw('2', "s", 700, nil), raw('3', "c", 0, nil), raw('4', "b", 0, nil), raw('5', "d", 700, nil), raw('6', "p", 0, nil), f, end),
		"other types": slices.Concat(raw('7', "c", 3, nil), padded("abc"), raw('V', "label", 0, nil), raw('Z', "z", 3, nil), padded("abc"), f, end),
		"signed":      slices.Concat(signed("\xe9\xe8"), f, end),
		"one zero":    slices.Concat(f, end[:BlockSize]),
		"more zeros":  slices.Concat(f, end, end, end),
		"after end":   slices.Concat(f, end, []byte("anything")),
	}
}

// signed makes a header with the checksum of old Sun tars.
func signed(name string) []byte {
	p := raw(TypeReg, name, 0, nil)
	k := (*block)(p)
	_, sum := k.sums()
	octal(k.checksum()[:7], sum)
	return p
}

// All formats: the same members as archive/tar finds.
func TestFormats(t *testing.T) {
	for what, p := range archives() {
		got, err := list(p)
		want, _, _, err2 := stdList(p)
		if err != io.EOF || err2 != io.EOF || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v\n got %+v\nwant %+v", what, err, err2, got, want)
		}
		if n := len(got); n == 0 || got[n-1].Name != "f" || got[n-1].Size != 5 {
			t.Errorf("%s: the last member is not f: %+v", what, got)
		}
	}
}

func TestRefused(t *testing.T) {
	ok := file("f", 5)
	huge := func(k *block) { copy(k.size(), "\x80"); k.size()[4] = 0x80 }
	for what, c := range map[string]struct {
		p    []byte
		want error
	}{
		"empty":            {nil, io.ErrUnexpectedEOF},
		"no end":           {ok, io.ErrUnexpectedEOF},
		"zero, then more":  {slices.Concat(end[:BlockSize], ok), ErrHeader},
		"zero, then part":  {slices.Concat(ok, end[:700]), io.ErrUnexpectedEOF},
		"text":             {[]byte(rep("text ", 200)), ErrHeader},
		"checksum":         {append(bytes.Replace(ok, []byte("f"), []byte("g"), 1), end...), ErrHeader},
		"size letters":     {raw(TypeReg, "f", 0, func(k *block) { copy(k.size(), "abc") }), ErrHeader},
		"size negative":    {raw(TypeReg, "f", 0, func(k *block) { copy(k.size(), rep("\xff", 12)) }), ErrHeader},
		"size overflow":    {raw(TypeReg, "f", 0, huge), ErrHeader},
		"size beyond":      {raw(TypeReg, "f", 1<<33-1, nil), io.ErrUnexpectedEOF},
		"pax beyond":       {raw('x', "f", 700, nil), io.ErrUnexpectedEOF},
		"pax long":         {raw('x', "f", maxSpecial+1, nil), ErrTooLong},
		"name long":        {raw('L', "f", 1<<33-1, nil), ErrTooLong},
		"pax, then end":    {slices.Concat(special('x', record("path", "p")), end), io.EOF},
		"pax size":         {slices.Concat(special('x', record("size", "-1")), ok, end), ErrHeader},
		"pax size 2":       {slices.Concat(special('x', record("size", "99999999999999999999")), ok, end), ErrHeader},
		"pax NUL":          {slices.Concat(special('x', record("path", "a\x00b")), ok, end), ErrHeader},
		"pax length":       {slices.Concat(special('x', "99 path=a\n"), ok, end), ErrHeader},
		"pax length 0":     {slices.Concat(special('x', "0 path=a\n"), ok, end), ErrHeader},
		"pax short length": {slices.Concat(special('x', "2 path=a\n"), ok, end), ErrHeader},
		"pax no newline":   {slices.Concat(special('x', "9 path=ab"), ok, end), ErrHeader},
		"pax no key":       {slices.Concat(special('x', record("", "a")), ok, end), ErrHeader},
		"global path":      {slices.Concat(special('g', record("path", "a")), ok, end), ErrHeader},
		"chain":            {slices.Concat(bytes.Repeat(special('x', record("path", "p")), 1000), ok, end), ErrHeader},
		"sparse GNU":       {slices.Concat(raw('S', "f", 5, nil), padded("12345"), end), ErrSparse},
		"sparse pax":       {slices.Concat(special('x', record("GNU.sparse.major", "1")), ok, end), ErrSparse},
		"sparse pax 0.0":   {slices.Concat(special('x', record("GNU.sparse.offset", "0")), ok, end), ErrSparse},
	} {
		r := NewReader(bytes.NewReader(c.p), int64(len(c.p)))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		if _, again := r.Next(); again != err {
			t.Errorf("%s: then %v", what, again)
		}
	}
	// Global headers are members, and so no endless chain.
	many := bytes.Repeat(special('g', record("comment", "c")), 3*maxChain)
	if got, err := list(slices.Concat(many, ok, end)); len(got) != 3*maxChain+1 || err != io.EOF {
		t.Errorf("%d members, %v", len(got), err)
	}
}

// Cut off anywhere, an archive lists what begins before, and tells.
func TestCutOff(t *testing.T) {
	for what, p := range archives() {
		if what == "after end" || what == "more zeros" {
			continue
		}
		whole, _ := list(p)
		for n := range p {
			got, err := list(p[:n])
			if !slices.Equal(got, whole[:len(got)]) {
				t.Fatalf("%s, %d bytes: %+v", what, n, got)
			}
			if len(got) < len(whole) && whole[len(got)].Type != TypeGlobal && whole[len(got)].Offset <= int64(n) {
				t.Fatalf("%s, %d bytes: %d members", what, n, len(got))
			}
			// One block of zeros is an end too.
			if ended := n == len(p)-BlockSize && what != "one zero"; (err == io.EOF) != ended || !ended && err != io.ErrUnexpectedEOF {
				t.Fatalf("%s, %d of %d bytes: %v", what, n, len(p), err)
			}
			if want, _, _, _ := stdList(p[:n]); !slices.Equal(got, want) {
				t.Fatalf("%s, %d bytes: %+v, archive/tar: %+v", what, n, got, want)
			}
		}
	}
}

// failing reads as a damaged file does.
type failing struct{ err error }

func (f failing) ReadAt(p []byte, off int64) (int, error) { return 0, f.err }

func TestReadErrors(t *testing.T) {
	damaged := errors.New("damaged")
	if _, err := NewReader(failing{damaged}, 1<<20).Next(); err != damaged {
		t.Error(err)
	}
	if _, err := NewReader(failing{io.EOF}, 1<<20).Next(); err != io.ErrUnexpectedEOF {
		t.Errorf("a size that is not true: %v", err)
	}
}

func tool(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("COREKIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return p
}

// What real tars make of a directory, and what they read of ours.
func TestTools(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("for GNU tar")
	}
	tar := tool(t, "tar")
	dir := t.TempDir()
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return out
	}
	var ours []byte
	var want []string
	for _, name := range []string{"a", "ünï", rep("p", 150) + "/" + rep("n", 99), rep("long/", 100) + "x", "é" + rep("a", 97) + "/" + rep("b", 99)} {
		name = "in/" + name
		h, err := AppendHeader(nil, Header{Name: name, Size: 3, Mode: 0o600})
		if err != nil {
			t.Fatal(err)
		}
		ours = slices.Concat(ours, h, padded("abc"))
		want = append(want, name)
	}
	if err := os.WriteFile(filepath.Join(dir, "ours.tar"), append(ours, end...), 0o600); err != nil {
		t.Fatal(err)
	}
	run(tar, "xf", "ours.tar")
	for _, name := range want {
		if p, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil || string(p) != "abc" {
			t.Errorf("%s: %q, %v", name, p, err)
		}
	}
	if py, err := exec.LookPath("python3"); err == nil {
		out := run(py, "-c", "import tarfile; print(len([m for m in tarfile.open('ours.tar') if m.isfile() and m.size == 3]))")
		if got := string(bytes.TrimSpace(out)); got != strconv.Itoa(len(want)) {
			t.Errorf("tarfile finds %s members, want %d", got, len(want))
		}
	}
	hole := filepath.Join(dir, "in", "hole")
	if err := errors.Join(os.WriteFile(hole, []byte("x"), 0o600), os.Truncate(hole, 1<<20)); err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	for _, format := range []string{"gnu", "oldgnu", "pax"} {
		run(tar, "cf", "theirs.tar", "--format="+format, "--exclude=hole", "in")
		p, err := os.ReadFile(filepath.Join(dir, "theirs.tar"))
		if err != nil {
			t.Fatal(err)
		}
		all, err := list(p)
		var got []string
		for _, h := range all {
			if h.Type == TypeReg && string(p[h.Offset:h.Offset+h.Size]) == "abc" {
				got = append(got, h.Name)
			}
		}
		if slices.Sort(got); err != io.EOF || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %q", format, err, got)
		}
		run(tar, "cSf", "sparse.tar", "--format="+format, "in/hole")
		if p, err = os.ReadFile(filepath.Join(dir, "sparse.tar")); err != nil {
			t.Fatal(err)
		}
		if _, err := list(p); len(p) > 100<<10 || err != ErrSparse {
			t.Errorf("%s: sparse, %d bytes: %v", format, len(p), err)
		}
	}
}

// FuzzReader: any bytes give members within the archive and a typed error, and
// what archive/tar finds where it finds as many.
func FuzzReader(f *testing.F) {
	for _, p := range archives() {
		f.Add(p, true)
	}
	f.Fuzz(func(t *testing.T, p []byte, fix bool) {
		if fix { // or no change to a header would get past the checksum
			p = bytes.Clone(p)
			for i := 0; i+BlockSize <= len(p); i += BlockSize {
				if k := p[i : i+BlockSize]; k[148] >= '0' && k[148] <= '7' && k[155] == ' ' {
					reseal(k)
				}
			}
		}
		got, err := list(p)
		switch err {
		case io.EOF, io.ErrUnexpectedEOF, ErrHeader, ErrTooLong, ErrSparse:
		default:
			t.Fatalf("untyped error %v", err)
		}
		last := int64(0)
		for _, h := range got {
			if h.Type == TypeGlobal {
				continue
			}
			if h.Size < 0 || h.Offset < BlockSize || h.Offset > int64(len(p)) || h.Offset < last+BlockSize {
				t.Fatalf("member %+v", h)
			}
			last = h.Offset
		}
		want, formats, sparse, err2 := stdList(p)
		if sparse {
			return // there is a map before the contents
		}
		for i := range min(len(got), len(want)) {
			if got[i].Name != want[i].Name && formats[i] == tar.FormatUnknown {
				return // it finds prefixes where GNU has other things
			}
			if got[i] != want[i] {
				t.Fatalf("member %+v, archive/tar: %+v", got[i], want[i])
			}
		}
		if err == io.EOF && err2 == io.EOF && len(got) != len(want) {
			t.Fatalf("%d members, archive/tar: %d", len(got), len(want))
		}
	})
}
