package monitor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/corekit/corekit/platform/coredump"
	"github.com/corekit/corekit/platform/elfcore"
	"github.com/corekit/corekit/platform/process"
	"github.com/corekit/corekit/sdk/bundle"
	"golang.org/x/sys/unix"
)

func (m *monitor) create() error {
	w, err := bundle.Create(m.Dir, bundle.Options{Name: m.man.Name, Time: m.man.Time, PID: m.PID})
	if err != nil {
		return err
	}
	m.out = w
	return nil
}

// siTkill is SI_TKILL (include/uapi/asm-generic/siginfo.h): the runtime dies
// from a SIGABRT that it sends itself with tgkill.
const siTkill = -6

// fullBundle writes the core, the executable and the libraries of the held
// program. If it fails there is no bundle.
func (m *monitor) fullBundle() (err error) {
	files, err := m.mappedFiles()
	if err != nil {
		return err
	}
	defer files.close()
	core, err := coredump.New(m.held, coredump.Options{
		Signal: int(unix.SIGABRT), Code: siTkill, First: m.crasher, Kept: files.kept,
	})
	if err != nil {
		return err
	}
	if err := m.create(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			m.out.Abort()
			m.out = nil
			m.man.Files, m.man.Exe = nil, ""
		}
	}()
	if err := m.addCore(core); err != nil {
		return err
	}
	for _, f := range files.list {
		if err := m.addFile(f); err != nil {
			return err
		}
	}
	return m.addVDSO(files.vdso)
}

func (m *monitor) addCore(core *coredump.Core) error {
	size, err := core.Size()
	if err != nil {
		return err
	}
	w, err := m.out.Add("core", size, 0o600)
	if err != nil {
		return err
	}
	if _, err := core.WriteTo(w); err != nil {
		return err
	}
	for _, miss := range core.Missing {
		m.man.Missing = append(m.man.Missing, bundle.Missing{What: "core", Why: miss})
	}
	m.man.Complete = len(m.held.Unstopped) == 0 && !core.Killed()
	m.man.HeldMS = time.Since(m.begun).Milliseconds()
	m.man.Threads = len(core.Image.Threads)
	m.man.Core = bundle.CoreInfo{Size: size, Stored: core.Stored(), TID: m.crasher}
	m.man.Files = append(m.man.Files, bundle.File{Name: "core", Size: size, Kind: bundle.KindCore})
	return nil
}

func (m *monitor) addFile(f mapped) error {
	st, err := f.file.Stat()
	if err != nil {
		return err
	}
	w, err := m.out.Add(f.member(), st.Size(), 0o644|st.Mode().Perm()&0o111)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(f.file, st.Size()))
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	// A file that is cut short while it is read; its place in the tar stays.
	if _, err := io.CopyN(w, zeros{}, st.Size()-n); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if n < st.Size() {
		m.lacks(f.path, errors.New("the file became shorter while it was read"))
	}
	m.man.Files = append(m.man.Files, bundle.File{Name: f.member(), Path: f.path, Size: st.Size(), Kind: f.kind})
	if f.kind == bundle.KindExecutable {
		m.man.Exe = f.member()
		m.man.BuildID, _ = elfcore.BuildID(f.file)
	}
	return nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// vdsoMember is where the kernel's own shared object, which has no file, lies
// in a bundle.
const vdsoMember = "linux-vdso.so.1"

func (m *monitor) addVDSO(r process.Region) error {
	if r.Size() == 0 || r.Size() > 1<<20 {
		return nil
	}
	b := make([]byte, r.Size())
	if _, err := m.proc.ReadAt(b, int64(r.Start)); err != nil {
		m.lacks("vDSO", err)
		return nil
	}
	w, err := m.out.Add(vdsoMember, int64(len(b)), 0o644)
	if err == nil {
		_, err = w.Write(b)
	}
	m.man.Files = append(m.man.Files, bundle.File{Name: vdsoMember, Path: "[vdso]", Size: int64(len(b)), Kind: bundle.KindVDSO})
	return err
}

// smallBundle is what is left when the whole one cannot be had: the manifest,
// the crash text and, unless space is the reason, the executable.
func (m *monitor) smallBundle(why error) error {
	m.man.Complete = false
	m.man.Method = bundle.MethodText
	if err := m.create(); err != nil {
		return err
	}
	if errors.Is(why, unix.ENOSPC) || errors.Is(why, unix.EDQUOT) || errors.Is(why, unix.EFBIG) {
		return nil
	}
	exe, err := os.Open(self)
	if err != nil {
		m.lacks("executable", err)
		return nil
	}
	defer exe.Close()
	return m.addFile(mapped{path: m.man.ExePath, file: exe, kind: bundle.KindExecutable})
}

// finish adds the crash text and makes the bundle a whole one.
func (m *monitor) finish() (string, error) {
	w, err := m.out.Add("traceback.txt", int64(len(m.text.buf)), 0o600)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(m.text.buf); err != nil {
		return "", err
	}
	m.man.Files = append(m.man.Files, bundle.File{Name: "traceback.txt", Size: int64(len(m.text.buf)), Kind: bundle.KindTraceback})
	if m.text.full() {
		m.lacks("traceback", fmt.Errorf("cut after %d bytes", len(m.text.buf)))
	}
	return m.out.Commit(m.man)
}
