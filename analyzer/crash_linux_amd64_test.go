package analyzer

import (
	"archive/tar"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/corekit/corekit/sdk/bundle"
)

var fixtures string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "corekit-analyzer-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fixtures = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// part is a range of bytes in a file.
type part struct{ off, size int64 }

// crashed is a real crash of examples/nilderef, as a tar archive without
// compression: every byte of core and executable can be changed.
type crashed struct {
	bundle string // as it was left
	tar    []byte
	parts  []part // worth damaging
}

var theCrash = sync.OnceValues(func() (*crashed, error) {
	exe, store := filepath.Join(fixtures, "nilderef"), filepath.Join(fixtures, "store")
	if msg, err := exec.Command("go", "build", "-o", exe, "github.com/corekit/corekit/examples/nilderef").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, msg)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "COREKIT=on", "COREKIT_DIR="+store, "GOTRACEBACK=")
	msg, err := cmd.CombinedOutput()
	list, lerr := bundle.Store{Dir: store}.List()
	if len(list) != 1 {
		return nil, fmt.Errorf("no bundle: %w\n%s", errors.Join(err, lerr), msg)
	}
	c := &crashed{bundle: list[0].Path}
	return c, c.pack(filepath.Join(fixtures, "plain.tar"))
})

func realCrash(t testing.TB) *crashed {
	t.Helper()
	c, err := theCrash()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pack makes the archive and finds the parts of it.
func (c *crashed) pack(path string) error {
	b, err := bundle.Open(c.bundle)
	if err != nil {
		return err
	}
	defer b.Close()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(f)
	for _, name := range b.Names() {
		m, err := b.Open(name)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: "x/" + name, Mode: 0o600, Size: m.Size}); err != nil {
			return err
		}
		off, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		c.parts = append(c.parts, part{off - 512, 512}, part{off, min(m.Size, 16<<10)}, part{off, m.Size})
		if name == b.Manifest.Exe {
			c.sections(m, off)
		}
		if _, err := m.WriteTo(w); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	c.tar, err = os.ReadFile(path)
	return err
}

// sections adds what the engine reads of the executable, which is at off.
func (c *crashed) sections(exe io.ReaderAt, off int64) {
	e, err := elf.NewFile(exe)
	if err != nil {
		return
	}
	for _, s := range e.Sections {
		switch s.Name {
		case ".gopclntab":
			// Its header and the function table are at its beginning.
			c.parts = append(c.parts, part{off + int64(s.Offset), 256}, part{off + int64(s.Offset), int64(s.Size)})
		case ".go.buildinfo", ".go.module", ".noptrdata", ".data", ".shstrtab", ".note.go.buildid", ".note.gnu.build-id":
			c.parts = append(c.parts, part{off + int64(s.Offset), int64(s.Size)})
		}
	}
}
