package process

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMaps(t *testing.T) {
	f, err := os.Open("testdata/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := ParseMaps(f)
	if err != nil {
		t.Fatal(err)
	}
	const kb = 1 << 10
	want := []Region{
		{Range: Range{0x400000, 0x452000}, Read: true, Exec: true, Offset: 0x1000, Dev: "fd:01", Inode: 1048602, Path: "/opt/my app/bin", HasDetail: true, Rss: 300 * kb},
		{Range: Range{0x651000, 0x652000}, Read: true, Write: true, Offset: 0x51000, Dev: "fd:01", Inode: 1048602, Path: "/opt/my app/bin", HasDetail: true, Rss: 4 * kb, Anonymous: 4 * kb, Swap: 12 * kb},
		{Range: Range{0xc000000000, 0xc000400000}, Read: true, Write: true, Dev: "00:00", HasDetail: true, DontDump: true},
		{Range: Range{0x7f0000000000, 0x7f0000001000}, Read: true, Dev: "fd:01", Inode: 7, Path: "/tmp/a\nb", Deleted: true},
		{Range: Range{0x7f0000001000, 0x7f0000002000}, Read: true, Write: true, Shared: true, Dev: "00:01", Inode: 1031, Path: "/memfd:x y", Deleted: true},
		{Range: Range{0x7f0000002000, 0x7f0000202000}, Read: true, Write: true, Dev: "00:0f", Inode: 12, Path: "/anon_hugepage", Deleted: true, HasDetail: true, Huge: true},
		{Range: Range{0x7f0000202000, 0x7f0000203000}, Read: true, Write: true, Shared: true, Dev: "00:05", Inode: 9, Path: "/dev/fb0", HasDetail: true, IO: true},
		{Range: Range{0x7ffd1c5e4000, 0x7ffd1c605000}, Read: true, Write: true, Dev: "00:00", Path: "[stack]"},
		{Range: Range{0xffffffffff600000, 0xffffffffff601000}, Exec: true, Dev: "00:00", Path: "[vsyscall]"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseMapsErrors(t *testing.T) {
	for _, line := range []string{
		"400000-452000", "400000 r-xp 00000000 fd:01 5", "zz-452000 r-xp 0 fd:01 5",
		"452000-400000 r-xp 0 fd:01 5", "400000-452000 r-x 0 fd:01 5", "400000-452000 r-xp 0 fd:01 x",
		strings.Repeat("4", 2<<20),
	} {
		if got, err := ParseMaps(strings.NewReader(line)); err == nil {
			t.Errorf("%.40q: no error, %v", line, got)
		}
	}
}

// render writes regions as the kernel does.
func render(regions []Region) string {
	var b strings.Builder
	flag := func(on bool, c byte) byte {
		if on {
			return c
		}
		return '-'
	}
	for _, r := range regions {
		share := byte('p')
		if r.Shared {
			share = 's'
		}
		path := strings.ReplaceAll(r.Path, "\n", `\012`)
		if r.Deleted {
			path += " (deleted)"
		}
		fmt.Fprintf(&b, "%08x-%08x %c%c%c%c %08x %s %d %26s%s\n", r.Start, r.End,
			flag(r.Read, 'r'), flag(r.Write, 'w'), flag(r.Exec, 'x'), share, r.Offset, r.Dev, r.Inode, "", path)
		fmt.Fprintf(&b, "Rss: %19d kB\nSwap: %18d kB\n", r.Rss>>10, r.Swap>>10)
		if r.HasDetail {
			fmt.Fprintf(&b, "Anonymous: %13d kB\n", r.Anonymous>>10)
		}
		fmt.Fprint(&b, "VmFlags: rd mr ")
		for name, on := range map[string]bool{"dd": r.DontDump, "io": r.IO, "ht": r.Huge} {
			if on {
				fmt.Fprint(&b, name, " ")
			}
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// FuzzParseMaps checks that what is understood is understood again when it is
// written as the kernel writes it.
func FuzzParseMaps(f *testing.F) {
	golden, err := os.ReadFile("testdata/smaps")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(golden))
	f.Add("1-2 rwxs 3 a:b 4 /c\r\nVmFlags: dd\n")
	f.Add("1-2 ---p 0 0 0\nSwap: 99999999999999999999 kB\n\n")
	f.Fuzz(func(t *testing.T, in string) {
		regions, err := ParseMaps(strings.NewReader(in))
		if err != nil {
			return
		}
		for _, r := range regions {
			if r.End < r.Start {
				t.Errorf("%+v ends before it begins", r)
			}
		}
		again, err := ParseMaps(strings.NewReader(render(regions)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(regions, again); diff != "" {
			t.Error(diff)
		}
	})
}
