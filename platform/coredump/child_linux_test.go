package coredump_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/corekit/corekit/platform/process"
	"golang.org/x/sys/unix"
)

// childVar makes the test binary the program whose core is taken.
const childVar = "COREKIT_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) == "regions" {
		regionsChild()
		return
	}
	os.Exit(m.Run())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var self = must(os.Executable())

const pageSize = 4096

// region is what the child says of a piece of its memory.
type region struct {
	addr, size uint64
	sum        string
	pages      string // expected kinds of its first pages
}

type child struct {
	*exec.Cmd
	t *testing.T
}

func start(t *testing.T, name string) (*child, map[string]region) {
	t.Helper()
	c := &child{exec.Command(self), t}
	// The last page of its stack is all environment, see stackPage.
	c.Env = append(os.Environ(), childVar+"="+name, "PADDING="+strings.Repeat("x", 2*pageSize))
	c.Dir = t.TempDir()
	c.Stderr = os.Stderr
	in := must(c.StdinPipe())
	out := bufio.NewReader(must(c.StdoutPipe()))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		c.Process.Kill()
		c.Wait()
	})
	regions := map[string]region{}
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "end\n" {
			return c, regions
		}
		f := strings.Split(strings.TrimSpace(line), "|")
		regions[f[0]] = region{must(strconv.ParseUint(f[1], 0, 64)), must(strconv.ParseUint(f[2], 0, 64)), f[3], f[4]}
	}
}

func (c *child) hold() *process.Held {
	c.t.Helper()
	p, err := process.Open(c.Process.Pid)
	if err != nil {
		c.t.Fatal(err)
	}
	h, err := p.Hold()
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { h.Release(); p.Close() })
	return h
}

const readWrite = unix.PROT_READ | unix.PROT_WRITE

// mmap makes a mapping that has no neighbors it could grow together with.
func mmap(fd, pages, prot, flags int) []byte {
	size := uintptr(pages) * pageSize
	room := must(unix.MmapPtr(-1, 0, nil, size+2*pageSize, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON))
	p := must(unix.MmapPtr(fd, 0, unsafe.Add(room, pageSize), size, prot, flags|unix.MAP_FIXED))
	b := unsafe.Slice((*byte)(p), size)
	unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	return b
}

// regionsChild has memory of all kinds, and says what is in it.
func regionsChild() {
	tell := func(name string, b, contents []byte, pages string) {
		fmt.Printf("%s|%p|%#x|%x|%s\n", name, &b[0], len(b), sha256.Sum256(contents), pages)
	}
	fill := func(b []byte, pages ...int) []byte {
		for _, i := range pages {
			b[i*pageSize], b[i*pageSize+pageSize-1] = byte(i+1), byte(i)
		}
		return b
	}
	check := func(err error) { must(0, err) }
	rep := strings.Repeat
	const private, shared, anon = unix.MAP_PRIVATE, unix.MAP_SHARED, unix.MAP_ANON
	b := mmap(-1, 64, readWrite, private|anon)
	for i := 0; i < 64; i += 2 {
		fill(b, i)
	}
	tell("anonymous, every other page", b, b, "s?s?s")

	b = fill(mmap(-1, 64, readWrite, private|anon), 0, 1, 60)
	tell("anonymous, a large gap", b, b, "ss"+rep("0", 58)+"s000")

	b = mmap(-1, 8, readWrite, private|anon)
	tell("untouched", b, make([]byte, len(b)), "00000000")

	b = fill(mmap(-1, 8, readWrite, private|anon), 0, 1, 2, 3, 4, 5, 6, 7)
	clear(b)
	tell("zeroed", b, b, "")

	b = mmap(-1, 9<<20/pageSize, readWrite, private|anon)
	fill(b, len(b)/pageSize-1)
	tell("only the last page", b, b, rep("0", len(b)/pageSize-1)+"s")

	b = mmap(-1, 9<<20/pageSize, readWrite, private|anon)
	for i := range b {
		b[i] = byte(i >> 4)
	}
	tell("large", b, b, "ssss")

	file := must(os.Create("file"))
	contents := bytes.Repeat([]byte("contents"), 32*pageSize/8)
	must(file.Write(contents))
	b = fill(mmap(int(file.Fd()), 32, readWrite, private), 3, 30)
	tell("file, some modified", b, b, rep("s", 32))
	b = mmap(int(file.Fd()), 32, unix.PROT_READ, private)
	tell("file, unmodified", b, b, rep("s", 32))
	b = mmap(int(file.Fd()), 32, readWrite, shared)
	tell("file, shared", b, make([]byte, len(b)), rep("0", 32))

	cut := must(os.Create("cut"))
	must(cut.Write(contents))
	b = mmap(int(cut.Fd()), 4, readWrite, private)
	clear(b[:pageSize])
	fill(b, 0)
	check(cut.Truncate(1))
	tell("file, truncated", b, append(bytes.Clone(b[:pageSize]), make([]byte, 3*pageSize)...), "ssss")

	memfd := must(unix.MemfdCreate("x y", 0))
	check(unix.Ftruncate(memfd, 16*pageSize))
	must(unix.Pwrite(memfd, []byte("not mapped yet"), 5*pageSize))
	b = fill(mmap(memfd, 16, readWrite, shared), 1, 9)
	want := bytes.Clone(b)
	tell("memfd", b, want, rep("s", 16))

	b = fill(mmap(-1, 16, readWrite, shared|anon), 2)
	tell("shared anonymous", b, b, rep("s", 16))

	b = fill(mmap(-1, 8, readWrite, private|anon), 0, 1)
	check(unix.Madvise(b, unix.MADV_DONTDUMP))
	tell("not to be dumped", b, make([]byte, len(b)), rep("-", 8))

	b = fill(mmap(-1, 8, readWrite, private|anon), 0, 1, 2, 3)
	want = bytes.Clone(b)
	check(unix.Mprotect(b, unix.PROT_NONE))
	tell("no access", b, want, "ssss0000")

	b = mmap(-1, 8, unix.PROT_NONE, private|anon)
	tell("reserved", b, make([]byte, len(b)), rep("-", 8))

	addr, stack := stackPage()
	fmt.Printf("stack|%#x|%#x|%x|s\n", addr, pageSize, sha256.Sum256(stack))
	fmt.Println("end")
	io.Copy(io.Discard, os.Stdin)
}

// stackPage returns the last page of the main thread's stack: arguments and
// environment, which nobody changes.
func stackPage() (addr uint64, b []byte) {
	for line := range strings.Lines(string(must(os.ReadFile("/proc/self/maps")))) {
		if !strings.Contains(line, "[stack]") {
			continue
		}
		_, end, _ := strings.Cut(strings.Fields(line)[0], "-")
		addr = must(strconv.ParseUint(end, 16, 64)) - pageSize
		b = make([]byte, pageSize)
		mem := must(os.Open("/proc/self/mem"))
		must(mem.ReadAt(b, int64(addr)))
	}
	return addr, b
}
