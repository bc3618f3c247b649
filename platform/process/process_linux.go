package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// processData keeps /proc/PID open. Every look goes through that one
// descriptor: when the process is gone it fails with ESRCH instead of showing
// a stranger that got the same number (CVE-2025-4598 was such a mix-up).
type processData struct {
	dir int
	mem *os.File
}

func (p *Process) open() error {
	dir, err := unix.Open(fmt.Sprintf("/proc/%d", p.PID), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return unix.ESRCH
	}
	p.dir = dir
	return err
}

func (p *Process) close() error {
	if p.mem != nil {
		p.mem.Close()
	}
	return unix.Close(p.dir)
}

// file opens a file below /proc/PID.
func (p *Process) file(name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(p.dir, name, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/proc/%d/%s: %w", p.PID, name, err)
	}
	return os.NewFile(uintptr(fd), fmt.Sprintf("/proc/%d/%s", p.PID, name)), nil
}

func (p *Process) read(name string) ([]byte, error) {
	f, err := p.file(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func (p *Process) auxv() ([]byte, error) { return p.read("auxv") }

func (p *Process) environ() ([]string, error) {
	b, err := p.read("environ")
	return stringsIn(b), err
}

func (p *Process) stat() (Stat, error) {
	s, err := p.statOf("")
	if err != nil {
		return s, err
	}
	if b, err := p.read("cmdline"); err == nil {
		s.Args = stringsIn(b)
	}
	return s, nil
}

// stringsIn splits what the kernel has as a sequence of C strings.
func stringsIn(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// statOf reads the description in a directory of the process: its own, "", or
// that of a thread, "task/TID/".
func (p *Process) statOf(dir string) (Stat, error) {
	var s Stat
	b, err := p.read(dir + "stat")
	if err != nil {
		return s, err
	}
	// "pid (comm) S ppid pgrp session …": comm may hold anything, so look for
	// the last parenthesis (fs/proc/array.c, do_task_stat).
	lp, rp := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if lp < 0 || rp < lp {
		return s, fmt.Errorf("/proc/%d/stat: cannot read %q", p.PID, b)
	}
	s.Comm = string(b[lp+1 : rp])
	f := strings.Fields(string(b[rp+1:]))
	if len(f) < 18 {
		return s, fmt.Errorf("/proc/%d/stat: cannot read %q", p.PID, b)
	}
	s.State = f[0][0]
	for i, dst := range map[int]*int{1: &s.PPID, 2: &s.PGRP, 3: &s.SID, 16: &s.Nice, 17: &s.Threads} {
		*dst, _ = strconv.Atoi(f[i])
	}
	p.status(&s, dir)
	return s, nil
}

// status adds what only /proc/PID/status has.
func (p *Process) status(s *Stat, dir string) {
	b, err := p.read(dir + "status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		f := strings.Fields(value)
		if len(f) == 0 {
			continue
		}
		switch name {
		case "Uid":
			n, _ := strconv.ParseUint(f[0], 10, 32)
			s.UID = uint32(n)
		case "Gid":
			n, _ := strconv.ParseUint(f[0], 10, 32)
			s.GID = uint32(n)
		case "TracerPid":
			tid, _ := strconv.Atoi(f[0])
			s.TracerPID = processOf(tid)
		case "NSpid":
			s.NamespacePID, _ = strconv.Atoi(f[len(f)-1])
		}
	}
}

// processOf returns the process that a thread belongs to: the kernel names the
// thread that traces (fs/proc/array.c, task_state).
func processOf(tid int) int {
	if tid == 0 {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err == nil {
		if _, after, ok := strings.Cut(string(b), "\nTgid:"); ok {
			if pid, err := strconv.Atoi(strings.Fields(after)[0]); err == nil {
				return pid
			}
		}
	}
	return tid
}

func (p *Process) regions() ([]Region, error) {
	f, err := p.file("smaps", unix.O_RDONLY)
	if err != nil {
		// Not built into every kernel (CONFIG_PROC_PAGE_MONITOR).
		if f, err = p.file("maps", unix.O_RDONLY); err != nil {
			return nil, err
		}
	}
	defer f.Close()
	return ParseMaps(f)
}

func (p *Process) openExe() (*os.File, string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(p.dir, "exe", buf)
	if err != nil {
		return nil, "", fmt.Errorf("/proc/%d/exe: %w", p.PID, err)
	}
	path := strings.TrimSuffix(string(buf[:n]), " (deleted)")
	f, err := p.file("exe", unix.O_RDONLY)
	return f, path, err
}

func (p *Process) openMapped(r Region) (*os.File, error) {
	if !filepath.IsAbs(r.Path) {
		return nil, fmt.Errorf("%q: not a file", r.Path)
	}
	same := func(f *os.File) bool {
		var st unix.Stat_t
		// The device is not compared: overlayfs and btrfs show another one in
		// maps than in stat.
		return unix.Fstat(int(f.Fd()), &st) == nil && st.Ino == r.Inode && st.Mode&unix.S_IFMT == unix.S_IFREG
	}
	paths := []string{r.Path}
	if r.Deleted {
		paths = append(paths, r.Path+" (deleted)") // which may be its true name
	}
	err := fmt.Errorf("%s: %w", r.Path, ErrReplaced)
	for _, path := range paths {
		f, oerr := p.file("root"+path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
		switch {
		case oerr == nil && same(f):
			return f, nil
		case oerr == nil:
			f.Close()
		case !errors.Is(oerr, unix.ENOENT) && !errors.Is(oerr, unix.ENOTDIR):
			err = oerr
		}
	}
	// The kernel's own handle on the mapped file outlives its name, but only
	// the privileged may follow it (CAP_CHECKPOINT_RESTORE).
	if f, merr := p.file(fmt.Sprintf("map_files/%x-%x", r.Start, r.End), unix.O_RDONLY); merr == nil {
		return f, nil
	}
	return nil, err
}
