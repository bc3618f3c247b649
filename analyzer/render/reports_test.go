package render

import (
	"time"

	"github.com/corekit/corekit/analyzer/report"
)

func loc(fn, file string, line int) report.Location {
	return report.Location{Function: fn, File: file, Line: line}
}

func frame(fn, file string, line int) report.Frame {
	return report.Frame{Location: loc(fn, file, line), PC: uint64(0x480000 + line)}
}

const (
	app = "/src/app/main.go"
	rt  = "/usr/local/go/src/runtime/"
)

func target() report.Target {
	return report.Target{
		Exe: "/usr/bin/app", PID: 4242, GoVersion: "go1.26.8", OS: "linux", Arch: "amd64",
		BuildID: "5f3c0de1a2b3c4d5e6f708192a3b4c5d6e7f8091", MainModule: "example.com/app", VCSRevision: "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
		Time: time.Date(2026, 11, 21, 8, 44, 0, 0, time.UTC),
	}
}

func workers(n int) report.Group {
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = uint64(100 + i)
	}
	created := loc("main.main", app, 12)
	return report.Group{
		Count: n, IDs: ids, Status: "waiting", WaitReason: "chan receive", WaitSeconds: 5.2, CreatedBy: &created,
		Stack: []report.Frame{
			frame("runtime.gopark", rt+"proc.go", 460), frame("runtime.chanrecv", rt+"chan.go", 667),
			frame("runtime.chanrecv1", rt+"chan.go", 509), frame("main.worker", app, 31),
			frame("main.(*Pool).run", app, 52), frame("runtime.goexit", rt+"asm_amd64.s", 1693),
		},
	}
}

func systemGroups() []report.Group {
	return []report.Group{
		{Count: 1, IDs: []uint64{2}, Status: "waiting", WaitReason: "force gc (idle)", System: true, Stack: []report.Frame{
			frame("runtime.gopark", rt+"proc.go", 460), frame("runtime.forcegchelper", rt+"proc.go", 373), frame("runtime.goexit", rt+"asm_amd64.s", 1693)}},
		{Count: 2, IDs: []uint64{3, 4}, Status: "waiting", WaitReason: "GC worker (idle)", System: true, Stack: []report.Frame{
			frame("runtime.gopark", rt+"proc.go", 460), frame("runtime.gcBgMarkWorker", rt+"mgc.go", 1463), frame("runtime.goexit", rt+"asm_amd64.s", 1693)}},
	}
}

// panicReport is a nil dereference in an inlined call, after another panic.
func panicReport() *report.Report {
	fault := frame("main.apply", app, 31)
	full := fault
	full.Inlined = true
	full.Args = []report.Variable{
		{Name: "o", Type: "*main.Order", Value: "*main.Order nil"},
		{Name: "n", Type: "int", Value: "7"},
		{Name: "err", Type: "error", Value: "error(*main.MyErr) *{Code: 5}"},
	}
	full.Locals = []report.Variable{
		{Name: "total", Type: "float64", Value: "12.5"},
		{Name: "items", Type: "[]main.Item", Value: `[]main.Item len: 2, cap: 4, [{Name: "pen", Qty: 3},{Name: "ink", Qty: 1}]`},
		{Name: "rate", Type: "float64", Unreadable: "lost: was in register XMM3"},
	}
	full.Source = []report.SourceLine{
		{Line: 29, Text: "func apply(o *Order, n int, err error) {"},
		{Line: 30, Text: "\ttotal := 12.5"},
		{Line: 31, Text: "\to.Total = total", Current: true},
		{Line: 32, Text: "}"},
		{Line: 33, Text: ""},
	}
	inlined := fault
	inlined.Inlined = true
	created := loc("main.main", app, 14)
	crashed := report.Goroutine{
		ID: 18, Status: "running", Thread: 4245, CreatedBy: &created, Parent: 1,
		Stack: []report.Frame{
			frame("panic", rt+"panic.go", 860), frame("runtime.panicmem", rt+"panic.go", 336), frame("runtime.sigpanic", rt+"signal_unix.go", 931),
			inlined, frame("main.(*Server).process", app, 44), frame("main.handle[...]", "/src/app/internal/handlers/with/a/long/path/handler.go", 120),
			frame("runtime.goexit", rt+"asm_amd64.s", 1693),
		},
	}
	return &report.Report{
		Schema: report.Schema, Target: target(),
		Capture: report.Capture{Method: "monitor", Complete: true},
		Crash: &report.Crash{
			Kind: report.KindPanic, Message: "runtime error: invalid memory address or nil pointer dereference",
			Signal: "SIGSEGV", Address: "0x0", Goroutine: 18, Thread: 4245, Frame: &full,
			Panics: []report.Panic{{Value: "first trouble", Recovered: true}, {Value: "runtime error: invalid memory address or nil pointer dereference"}},
		},
		Goroutines: []report.Goroutine{crashed},
		Groups: append(systemGroups(),
			report.Group{Count: 1, IDs: []uint64{18}, Status: "running", Stack: crashed.Stack},
			workers(10000)),
	}
}

func deadlockReport() *report.Report {
	g := workers(3)
	return &report.Report{
		Schema: report.Schema, Target: target(),
		Capture: report.Capture{Method: "monitor", Complete: true},
		Crash:   &report.Crash{Kind: report.KindFatal, Message: "all goroutines are asleep - deadlock!", Thread: 4242},
		Groups: append(systemGroups(), g, report.Group{
			Count: 1, IDs: []uint64{1}, Status: "waiting", WaitReason: "sync.WaitGroup.Wait", Stack: []report.Frame{
				frame("runtime.gopark", rt+"proc.go", 460), frame("sync.runtime_SemacquireWaitGroup", rt+"sema.go", 114),
				frame("sync.(*WaitGroup).Wait", "/usr/local/go/src/sync/waitgroup.go", 206), frame("main.main", app, 20),
				frame("runtime.main", rt+"proc.go", 290), frame("runtime.goexit", rt+"asm_amd64.s", 1693)}}),
	}
}

// signalReport is a fault in C, with a very deep stack and things missing.
func signalReport() *report.Report {
	f := frame("crash_here", "/src/app/crash.c", 7)
	f.Native = true
	stack := []report.Frame{f, frame("runtime.cgocall", rt+"cgocall.go", 167), frame("main._Cfunc_crash_here", "_cgo_gotypes.go", 47)}
	stack[2].File = ""
	for i := range 30 {
		stack = append(stack, frame("main.recurse", app, 60+i%2))
	}
	return &report.Report{
		Schema: report.Schema, Target: target(),
		Capture: report.Capture{Method: "kernel", Missing: []string{"lib/x86_64-linux-gnu/libc.so.6: not readable"}},
		Crash: &report.Crash{
			Kind: report.KindSignal, Message: "SIGSEGV: segmentation violation", Signal: "SIGSEGV", Address: "0xdead",
			Goroutine: 1, Thread: 4242, Frame: &f,
		},
		Goroutines: []report.Goroutine{{ID: 1, Status: "syscall", Stack: stack, Elided: 100000, ElidedAt: 20}},
		Groups:     []report.Group{{Count: 1, IDs: []uint64{1}, Status: "syscall", Stack: stack, Elided: 100000, ElidedAt: 20}},
		Warnings:   []string{"core is truncated: 12 MiB of 40 MiB", "no debug information: no arguments and locals"},
	}
}

func snapshotReport() *report.Report {
	r := deadlockReport()
	r.Crash = &report.Crash{Kind: report.KindSnapshot, Message: "slow request"}
	r.Capture = report.Capture{Method: "fork", Complete: true}
	for i := range 12 {
		g := workers(20 - i)
		g.Stack = []report.Frame{frame("net/http.(*conn).serve", "/usr/local/go/src/net/http/server.go", 2000+i)}
		g.WaitSeconds = []float64{0, 0.25, 61, 7300, 1e9}[i%5]
		g.WaitReason = "IO wait"
		r.Groups = append(r.Groups, g)
	}
	return r
}

// unknownReport is as little as there can be.
func unknownReport() *report.Report {
	return &report.Report{Warnings: []string{"not a Go program"}}
}
