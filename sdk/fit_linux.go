package sdk

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"syscall"
)

// mainThread tells whether this package was initialised on the process's first
// thread, to which the runtime locks package initialisation (runtime/proc.go,
// main). In a library of a C program it happens on a thread of its own
// (runtime/asm_amd64.s, _rt0_amd64_lib).
var mainThread = syscall.Gettid() == os.Getpid()

// fit returns an error where the monitor cannot be this executable started
// again: that of a C program, say, would run its main a second time.
func fit() error {
	if !mainThread {
		return errors.New("this program's main is not Go's")
	}
	file, inode, err := codeFile()
	if err != nil {
		return fmt.Errorf("this program's executable: %w", err)
	}
	var exe syscall.Stat_t
	if err := syscall.Stat("/proc/self/exe", &exe); err != nil {
		return fmt.Errorf("this program's executable: %w", err)
	}
	path, _ := os.Readlink("/proc/self/exe")
	// An executable that unpacks itself has its code in no file. The path is
	// compared too, for file systems that show other inode numbers in maps.
	if inode == 0 || inode == exe.Ino || file == path {
		return nil
	}
	return fmt.Errorf("this code is in %s, which %s has loaded", file, path)
}

// codeFile returns the file that this function is mapped from.
func codeFile() (path string, inode uint64, err error) {
	pc := uint64(reflect.ValueOf(codeFile).Pointer())
	// Not os.Open: that would start the runtime's poller.
	fd, err := syscall.Open("/proc/self/maps", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", 0, os.NewSyscallError("open /proc/self/maps", err)
	}
	defer syscall.Close(fd)
	// The kernel gives whole lines. Code lies at low addresses, so that the
	// first page has it in most programs.
	buf := make([]byte, 8192)
	var text []byte
	for {
		n, err := syscall.Read(fd, buf)
		if n <= 0 {
			return "", 0, fmt.Errorf("/proc/self/maps: no mapping of %#x: %w", pc, errors.Join(err, errors.ErrUnsupported))
		}
		text = append(text, buf[:n]...)
		for {
			line, rest, ok := bytes.Cut(text, []byte("\n"))
			if !ok {
				break
			}
			text = rest
			if path, inode, ok := mappingOf(string(line), pc); ok {
				return path, inode, nil
			}
		}
	}
}

// mappingOf reads a line of /proc/PID/maps and reports whether pc is in it.
func mappingOf(line string, pc uint64) (path string, inode uint64, ok bool) {
	f := strings.Fields(line)
	if len(f) < 5 {
		return "", 0, false
	}
	from, to, _ := strings.Cut(f[0], "-")
	start, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	inode, err3 := strconv.ParseUint(f[4], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil || pc < start || pc >= end {
		return "", 0, false
	}
	if i := strings.IndexByte(line, '/'); i >= 0 {
		path = line[i:]
	}
	return path, inode, true
}

// spareDescriptors is how many descriptors Start needs at the same time, with
// the two of the runtime's poller, which must not be the first to find that
// there are none: it ends the program (runtime/netpoll_epoll.go, netpollinit).
const spareDescriptors = 10

// room returns an error if so few descriptors are left that Start might take
// the program's last.
func room() error {
	for range spareDescriptors {
		fd, err := syscall.Open("/", syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_DIRECTORY, 0)
		if err != nil {
			return fmt.Errorf("fewer than %d descriptors are left: %w", spareDescriptors, err)
		}
		defer syscall.Close(fd)
	}
	return nil
}
