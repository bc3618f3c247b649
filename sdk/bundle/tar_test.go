package bundle

import (
	"archive/tar"
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// archive/tar would bring os/user, and that cgo: the program that imports sdk
// would need a C library to start.
func TestNoCgo(t *testing.T) {
	out, err := exec.Command(tool(t, "go"), "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		switch dep {
		case "archive/tar", "os/user", "runtime/cgo", "net":
			t.Errorf("imports %s", dep)
		}
	}
}

// What we write, the standard library reads as it was meant.
func TestTarHeader(t *testing.T) {
	names := []string{"a", "a/b", "ünï/x", "new\nline", strings.Repeat("x", 100), strings.Repeat("x", 101), strings.Repeat("ab/", 1000) + "x",
		strings.Repeat("p", 155) + "/" + strings.Repeat("n", 100), strings.Repeat("p", 156) + "/n", strings.Repeat("é", 60)}
	for _, size := range []int64{0, 1, maxOctalSize, maxOctalSize + 1, 1 << 50} {
		for _, name := range names {
			h := tarHeader{name: name, size: size, mode: 0o755, mtime: crashTime}
			b := h.encode()
			if len(b)%tarBlock != 0 {
				t.Fatalf("%q: %d bytes", name, len(b))
			}
			got, err := tar.NewReader(bytes.NewReader(b)).Next()
			if err != nil {
				t.Errorf("%q, %d: %v", name, size, err)
				continue
			}
			if got.Name != name || got.Size != size || got.Mode != h.mode || !got.ModTime.Equal(crashTime.Truncate(time.Second)) || got.Typeflag != tar.TypeReg {
				t.Errorf("%q, %d: %+v", name, size, got)
			}
			s := tarScanner{r: bytes.NewReader(b), size: int64(len(b))}
			if m, err := s.next(); err != nil || m.name != name || m.size != size || m.kind != tarReg {
				t.Errorf("%q, %d: ours %+v, %v", name, size, m, err)
			}
		}
	}
}

// What others write, we read, in each of the formats.
func TestTarFormats(t *testing.T) {
	long := strings.Repeat("directory/", 30) + "file"
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatGNU, tar.FormatPAX} {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		want := []tarMember{{name: "d/", kind: tarDir}, {name: "d/x", kind: tarReg, size: 700}, {name: "d/link", kind: tar.TypeSymlink}}
		if format != tar.FormatUSTAR {
			want = append(want, tarMember{name: long, kind: tarReg, size: 5}, tarMember{name: "ü", kind: tarReg})
		}
		for _, m := range want {
			h := &tar.Header{Format: format, Typeflag: m.kind, Name: m.name, Size: m.size, ModTime: crashTime.Truncate(time.Second)}
			if m.kind == tar.TypeSymlink {
				h.Linkname = "target"
			}
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			w.Write(make([]byte, m.size))
		}
		w.Close()
		s := tarScanner{r: bytes.NewReader(buf.Bytes()), size: int64(buf.Len())}
		for _, want := range want {
			got, err := s.next()
			if err != nil || got.name != want.name || got.kind != want.kind || got.size != want.size {
				t.Errorf("%v: %+v, %v; want %+v", format, got, err, want)
			}
		}
		if _, err := s.next(); err != io.EOF {
			t.Errorf("%v: at the end: %v", format, err)
		}
	}
}

// FuzzTar: where both read an archive of plain files to its end, we and the
// standard library find the same members, with the same contents.
func FuzzTar(f *testing.F) {
	f.Add(archive(f, []tar.Header{{Name: "x/manifest.json"}, {Name: "d/", Typeflag: tar.TypeDir}, {Name: strings.Repeat("n", 300)}}, []byte(minimal)))
	f.Add(archive(f, []tar.Header{{Name: "g", Format: tar.FormatGNU}, {Name: strings.Repeat("n", 300), Format: tar.FormatGNU}}, make([]byte, 600)))
	f.Add(append(tarHeader{name: "é", size: 3}.encode(), make([]byte, 3*tarBlock)...))
	f.Fuzz(func(t *testing.T, p []byte) {
		s := tarScanner{r: bytes.NewReader(p), size: int64(len(p))}
		var ours []tarMember
		for {
			m, err := s.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
			if m.size < 0 || m.off < tarBlock || m.off > int64(len(p)) {
				t.Fatalf("member %+v", m)
			}
			if m.kind != tarReg || m.sparse {
				return
			}
			ours = append(ours, m)
			if len(ours) > len(p)/tarBlock {
				t.Fatal("more members than headers")
			}
		}
		r := tar.NewReader(bytes.NewReader(p))
		for _, m := range ours {
			h, err := r.Next()
			if err != nil {
				return // it looks at fields that we have no use for
			}
			if h.Typeflag != tar.TypeReg || h.PAXRecords["GNU.sparse.name"] != "" {
				return
			}
			if h.Format&(tar.FormatUSTAR|tar.FormatPAX) == 0 && strings.HasSuffix(h.Name, m.name) {
				return // it finds prefixes where those formats have none
			}
			if h.Size != m.size || h.Name != m.name {
				t.Fatalf("%q of %d bytes, archive/tar finds %q of %d", m.name, m.size, h.Name, h.Size)
			}
			if want, err := io.ReadAll(r); err != nil || !bytes.Equal(want, p[m.off:m.off+m.size]) {
				t.Fatalf("%q: %v, or other contents", m.name, err)
			}
		}
	})
}
