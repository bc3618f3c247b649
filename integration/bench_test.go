//go:build linux && amd64

package integration

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// start runs the started service until done is called and returns what Start
// cost it.
func start(b *testing.B) (pid int, took time.Duration, done func()) {
	b.Helper()
	cmd := exec.Command(build(b, "integration/testdata/started"))
	cmd.Env = append(os.Environ(), "COREKIT=on", "COREKIT_DIR="+filepath.Join(bin, "bench"))
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	ns, nerr := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil || nerr != nil {
		b.Fatalf("%q: %v, %v", line, err, nerr)
	}
	return cmd.Process.Pid, time.Duration(ns), func() { in.Close(); cmd.Wait() }
}

// BenchmarkStart measures what a call of Start costs a program; the median is
// start-ms.
func BenchmarkStart(b *testing.B) {
	var all []time.Duration
	for b.Loop() {
		_, took, done := start(b)
		done()
		all = append(all, took)
	}
	slices.Sort(all)
	b.ReportMetric(all[len(all)/2].Seconds()*1000, "start-ms")
}

var rssLine = regexp.MustCompile(`(?m)^(Rss|Pss):\s+(\d+) kB`)

// BenchmarkMonitorMemory reads the resident memory of the guard and the
// monitor of a small program, each alone (Rss) and as the machine sees it (Pss:
// pages that are shared with the program count in part).
func BenchmarkMonitorMemory(b *testing.B) {
	sum := map[string]float64{}
	n := 0.0
	for b.Loop() {
		pid, _, done := start(b)
		time.Sleep(200 * time.Millisecond) // until both have come to rest
		guard := children(pid)
		if len(guard) != 1 || len(children(guard[0])) != 1 {
			b.Fatal("no monitor")
		}
		for name, pid := range map[string]int{"guard": guard[0], "monitor": children(guard[0])[0]} {
			roll, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
			if err != nil {
				b.Fatal(err)
			}
			for _, m := range rssLine.FindAllSubmatch(roll, -1) {
				kib, _ := strconv.ParseFloat(string(m[2]), 64)
				sum[name+"-"+string(m[1])+"-MiB"] += kib / 1024
			}
		}
		n++
		done()
	}
	for what, v := range sum {
		b.ReportMetric(v/n, what)
	}
}

// BenchmarkGrowth reports by how much a small service's executable grows.
func BenchmarkGrowth(b *testing.B) {
	for _, flags := range [][]string{nil, {"-ldflags=-s -w"}} {
		name := "default"
		if flags != nil {
			name = "stripped"
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				size := func(pkg string) float64 {
					st, err := os.Stat(build(b, pkg, flags...))
					if err != nil {
						b.Fatal(err)
					}
					return float64(st.Size())
				}
				b.ReportMetric((size("integration/testdata/started")-size("integration/testdata/bare"))/(1<<20), "growth-MiB")
			}
		})
	}
}

// heapMiB is the heap that is saved in BenchmarkCapture.
func heapMiB() int {
	if testing.Short() {
		return 64
	}
	return 1024
}

// crashHeap runs the heap program to its death and returns when it panicked.
func crashHeap(b *testing.B, dir string, env ...string) (panicked time.Time) {
	b.Helper()
	// The kernel's core needs the limit raised; corekit does that by itself.
	cmd := exec.Command("sh", "-c", "ulimit -c unlimited; exec \"$0\" \"$1\"", build(b, "integration/testdata/heap"), strconv.Itoa(heapMiB()))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, _ := cmd.Output() // it dies, so there is an error
	f := strings.Fields(string(out))
	if len(f) != 2 {
		b.Fatalf("heap said %q", out)
	}
	ns, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Unix(0, ns)
}

func fileSize(b *testing.B, pattern string) int64 {
	b.Helper()
	m, _ := filepath.Glob(pattern)
	if len(m) != 1 {
		b.Fatalf("%d files match %s", len(m), pattern)
	}
	st, err := os.Stat(m[0])
	if err != nil {
		b.Fatal(err)
	}
	return st.Size()
}

// BenchmarkCapture measures the time from a crash with a heap of 1 GiB to the
// finished bundle, and beside it, in turn, what one does without corekit: let
// the kernel write a core and pack it with tar czf. ratio is how many times
// faster corekit is; size-ratio is its bundle's size in that of the tar.
func BenchmarkCapture(b *testing.B) {
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil || strings.ContainsAny(string(pattern), "|/%@") {
		b.Skipf("core_pattern %q is no plain name", pattern)
	}
	var ours, theirs []float64
	var ourSize, theirSize int64
	for b.Loop() {
		dir := b.TempDir()
		begin := crashHeap(b, dir, "COREKIT=on", "COREKIT_DIR="+dir)
		ours = append(ours, time.Since(begin).Seconds())
		ourSize = fileSize(b, filepath.Join(dir, "*.tar.gz"))
		os.RemoveAll(dir)

		dir = b.TempDir()
		begin = crashHeap(b, dir, "COREKIT=off", "GOTRACEBACK=crash")
		core, _ := filepath.Glob(filepath.Join(dir, "core*"))
		if len(core) != 1 {
			b.Skip("the kernel writes no core here; is ulimit -c 0?")
		}
		cmd := exec.Command("tar", "czf", filepath.Join(dir, "core.tar.gz"), core[0], build(b, "integration/testdata/heap"))
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("tar: %v\n%s", err, out)
		}
		theirs = append(theirs, time.Since(begin).Seconds())
		theirSize = fileSize(b, filepath.Join(dir, "*.tar.gz"))
		os.RemoveAll(dir)
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	o, th := ours[len(ours)/2], theirs[len(theirs)/2]
	b.ReportMetric(o, "corekit-s")
	b.ReportMetric(th, "kernel+tar-s")
	b.ReportMetric(th/o, "ratio")
	b.ReportMetric(float64(ourSize)/(1<<20), "corekit-MiB")
	b.ReportMetric(float64(theirSize)/(1<<20), "kernel+tar-MiB")
	b.ReportMetric(float64(ourSize)/float64(theirSize), "size-ratio")
}
