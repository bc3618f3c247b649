package monitor

import (
	"debug/elf"
	"os"
	"strings"

	"github.com/corekit/corekit/platform/process"
	"github.com/corekit/corekit/sdk/bundle"
)

// mapped is a file that goes into the bundle.
type mapped struct {
	path string // as the program sees it
	file *os.File
	kind bundle.Kind
}

// member returns the file's name in the bundle.
func (f mapped) member() string { return strings.TrimLeft(f.path, "/") }

// fileSet is the executable and every other object that is mapped.
type fileSet struct {
	list []mapped
	have map[string]bool // by path
	vdso process.Region
}

// mappedFiles opens the program's executable and libraries. One that cannot be
// opened is no failure: its pages then go into the core.
func (m *monitor) mappedFiles() (*fileSet, error) {
	regions, err := m.proc.Regions()
	if err != nil {
		return nil, err
	}
	set := &fileSet{have: map[string]bool{}}
	exe, path, err := m.proc.OpenExe()
	if err != nil {
		m.lacks("executable", err)
	} else {
		m.man.ExePath = path
		set.list = append(set.list, mapped{path: path, file: exe, kind: bundle.KindExecutable})
		set.have[path] = true
	}
	tried := map[string]bool{path: true}
	for _, r := range regions {
		if r.Path == "[vdso]" {
			set.vdso = r
		}
		if !r.File() || !r.Exec || r.Shared || tried[r.Path] {
			continue
		}
		tried[r.Path] = true
		f, err := m.proc.OpenMapped(r)
		if err != nil {
			m.lacks(r.Path, err)
			continue
		}
		if !isELF(f) {
			f.Close()
			continue
		}
		set.list = append(set.list, mapped{path: r.Path, file: f, kind: bundle.KindLibrary})
		set.have[r.Path] = true
	}
	return set, nil
}

func isELF(f *os.File) bool {
	var magic [len(elf.ELFMAG)]byte
	_, err := f.ReadAt(magic[:], 0)
	return err == nil && string(magic[:]) == elf.ELFMAG
}

func (s *fileSet) kept(r process.Region) bool { return s.have[r.Path] }

func (s *fileSet) close() {
	for _, f := range s.list {
		f.file.Close()
	}
}
