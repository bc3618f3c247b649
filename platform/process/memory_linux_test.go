package process_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corekit/corekit/platform/process"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func regionAt(t *testing.T, p *process.Process, addr uint64) process.Region {
	t.Helper()
	regions, err := p.Regions()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range regions {
		if r.Start <= addr && addr < r.End {
			return r
		}
	}
	t.Fatalf("no region at %#x", addr)
	return process.Region{}
}

func parseHex(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestPopulated compares with what a child says of its own pages, by each way
// of finding them.
func TestPopulated(t *testing.T) {
	c, line := start(t, "pages")
	p := c.open()
	seen := 0
	for ; line != "end"; line = c.line() {
		f := strings.Fields(line)
		begin := parseHex(t, f[1])
		size, _ := strconv.ParseUint(f[2], 10, 64)
		seen++
		for name, find := range map[string]func(process.Region) ([]process.Range, error){
			"best": p.Populated, "scan": p.ScanPages, "read": p.ReadPages,
		} {
			r := regionAt(t, p, begin)
			ranges, err := find(r)
			if name == "scan" && (errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL)) {
				continue // before Linux 6.7
			}
			if err != nil {
				t.Fatal(err)
			}
			if f[0] == "looked-at" && name != "scan" {
				continue // the kernel does not tell the page of zeros
			}
			var got []string
			end := uint64(0)
			for _, own := range ranges {
				if own.Start <= end || own.End <= own.Start || own.Start < r.Start || own.End > r.End {
					t.Errorf("%s, %s: range %x is out of order, or not in %x", f[0], name, own, r.Range)
				}
				end = own.End
				for a := max(own.Start, begin); a < min(own.End, begin+size); a += pageSize {
					got = append(got, strconv.FormatUint((a-begin)/pageSize, 10))
				}
			}
			if !slices.Equal(got, f[3:]) {
				t.Errorf("%s, %s: pages are its own or not:\n%s", f[0], name, cmp.Diff(f[3:], got))
			}
		}
	}
	if seen < 8 {
		t.Errorf("%d regions", seen)
	}
}

func TestReadAt(t *testing.T) {
	c, line := start(t, "pages")
	p := c.open()
	addr := int64(parseHex(t, strings.Fields(line)[1]))
	b := bytes.Repeat([]byte{9}, 4*pageSize)
	want := make([]byte, len(b))
	want[0], want[2*pageSize] = 1, 1
	if n, err := p.ReadAt(b, addr); n != len(b) || err != nil || !bytes.Equal(b, want) {
		t.Errorf("ReadAt = %d, %v", n, err)
	}
	if n, err := p.ReadAt(b, 0); n != 0 || err == nil {
		t.Errorf("at address 0: %d, %v", n, err)
	}
	// Up to the end of what is mapped.
	r := regionAt(t, p, uint64(addr))
	for next := r; next.Start == r.End || next == r; next = regionAt(t, p, r.End) {
		if r = next; !mapped(t, p, r.End) {
			break
		}
	}
	if n, err := p.ReadAt(b, int64(r.End)-pageSize); n != pageSize || err == nil {
		t.Errorf("across the end: %d, %v", n, err)
	}
	c.Process.Kill()
	c.end()
	if n, err := p.ReadAt(b, addr); n != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("of the dead: %d, %v", n, err)
	}
}

func mapped(t *testing.T, p *process.Process, addr uint64) bool {
	t.Helper()
	regions, err := p.Regions()
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(regions, func(r process.Region) bool { return r.Start <= addr && addr < r.End })
}

// TestOpenMapped opens a mapped file by its name, and after it was deleted or
// replaced.
func TestOpenMapped(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(path string) error
		gone   bool
	}{
		{"there", func(string) error { return nil }, false},
		{"deleted", os.Remove, true},
		{"deleted directory", func(path string) error { return os.RemoveAll(filepath.Dir(path)) }, true},
		{"replaced", func(path string) error {
			if err := os.WriteFile(path+".new", []byte("another"), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}, true},
		{"replaced by a directory", func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o700)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := append([]byte("the right file"), make([]byte, pageSize-14)...)
			dir := filepath.Join(t.TempDir(), "a dir")
			path := filepath.Join(dir, "mapped")
			if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(path, text, 0o600)); err != nil {
				t.Fatal(err)
			}
			c, addr := start(t, "maps", func(c *exec.Cmd) { c.Dir = dir })
			p := c.open()
			if err := tt.change(path); err != nil {
				t.Fatal(err)
			}
			r := regionAt(t, p, parseHex(t, addr))
			if r.Path != path || !r.File() {
				t.Fatalf("%+v, want %s", r, path)
			}
			f, err := p.OpenMapped(r)
			if err != nil {
				link := fmt.Sprintf("/proc/%d/map_files/%x-%x", c.Process.Pid, r.Start, r.End)
				if f, lerr := os.Open(link); lerr == nil {
					f.Close()
					t.Errorf("%v, but the kernel lets us open it", err)
				}
				if !tt.gone || !errors.Is(err, process.ErrReplaced) {
					t.Errorf("%v, want ErrReplaced", err)
				}
				return
			}
			defer f.Close()
			got, err := io.ReadAll(f)
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("it holds %.20q, %v", got, err)
			}
			if sum := fmt.Sprintf("%x", sha256.Sum256(got)); sum != c.ask("") {
				t.Error("the child sees another file")
			}
		})
	}
}

// TestOpenMappedName maps a file that is called as if it were deleted.
func TestOpenMappedName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x (deleted)")
	if err := errors.Join(os.WriteFile(path, make([]byte, pageSize), 0o600), os.Symlink(path, filepath.Join(dir, "mapped"))); err != nil {
		t.Fatal(err)
	}
	c, addr := start(t, "maps", func(c *exec.Cmd) { c.Dir = dir })
	p := c.open()
	f, err := p.OpenMapped(regionAt(t, p, parseHex(t, addr)))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestOpenMappedAnonymous(t *testing.T) {
	c, line := start(t, "pages")
	p := c.open()
	if _, err := p.OpenMapped(regionAt(t, p, parseHex(t, strings.Fields(line)[1]))); err == nil {
		t.Error("opened memory without a file")
	}
}

// TestOpenExe runs a copy of this program and removes it.
func TestOpenExe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a copy")
	want, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, want, 0o700); err != nil {
		t.Fatal(err)
	}
	c, _ := start(t, "still", func(c *exec.Cmd) { c.Path = path })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f, name, err := c.open().OpenExe()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, want) || name != path {
		t.Errorf("%q: %d bytes, %v; want %q, %d", name, len(got), err, path, len(want))
	}
}
