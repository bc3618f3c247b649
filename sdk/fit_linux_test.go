package sdk

import (
	"os"
	"testing"
)

func TestMappingOf(t *testing.T) {
	for line, want := range map[string]string{
		"00400000-00500000 r-xp 00000000 fd:01 42                 /usr/bin/my app (deleted)": "/usr/bin/my app (deleted)",
		"00400000-00500000 r-xp 00000000 00:00 0":                                            "",
	} {
		path, inode, ok := mappingOf(line, 0x4fffff)
		if !ok || path != want || (inode == 42) != (want != "") {
			t.Errorf("%q: %q, %d, %v", line, path, inode, ok)
		}
		if _, _, ok := mappingOf(line, 0x500000); ok {
			t.Errorf("%q: has its end", line)
		}
	}
	for _, line := range []string{"", "x", "400000 r-xp 0 0 0", "0-z r-xp 0 0 0 /x", "0-ffffffffffffffffff r-xp 0 0 0 /x"} {
		if _, _, ok := mappingOf(line, 1); ok {
			t.Errorf("%q: is a mapping", line)
		}
	}
}

func TestFit(t *testing.T) {
	if err := fit(); err != nil {
		t.Error(err)
	}
	exe, err := os.Executable()
	path, inode, cerr := codeFile()
	if err != nil || cerr != nil || path != exe || inode == 0 {
		t.Errorf("code in %q, %d, %v; executable %q, %v", path, inode, cerr, exe, err)
	}
}
