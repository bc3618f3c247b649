package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/corekit/corekit/sdk/bundle"
	"github.com/rogpeppe/go-internal/testscript"
)

// crashCommands are
//
//	build NAME [FLAG…]    the program of examples/NAME, as NAME
//	crash NAME            that, and the bundle that it leaves, as NAME.tar.gz
//	kernelcore NAME       that, and the core that the kernel writes, as core
//	cut FROM TO N         N % of a file; with N<0, all but its last -N bytes
//	flip FROM TO N        a file with a byte changed at N % of its length
//	repack FROM TO [NAME] an unpacked bundle, without a member, as TO: *.tar.gz, *.tar
//	unpack FROM TO        a bundle into a directory
//	mkfifo NAME
var crashCommands = map[string]func(*testscript.TestScript, bool, []string){
	"build": func(ts *testscript.TestScript, _ bool, args []string) {
		out, err := build(args[0], args[1:]...)
		ts.Check(err)
		place(ts, out, args[0])
	},
	"crash": func(ts *testscript.TestScript, _ bool, args []string) {
		exe, crash, err := crash(args[0])
		ts.Check(err)
		place(ts, exe, args[0])
		place(ts, crash, args[0]+bundle.Ext)
	},
	"kernelcore": func(ts *testscript.TestScript, _ bool, args []string) {
		exe, err := build(args[0])
		ts.Check(err)
		place(ts, exe, args[0])
		ts.Check(dumpCore(ts.MkAbs(args[0]), ts.MkAbs("core")))
	},
	"cut": func(ts *testscript.TestScript, _ bool, args []string) {
		from, n := amount(ts, args)
		data, err := os.ReadFile(from)
		ts.Check(err)
		if n < 0 {
			n += len(data)
		} else {
			n = len(data) * n / 100
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), data[:max(n, 0)], 0o600))
	},
	"flip": func(ts *testscript.TestScript, _ bool, args []string) {
		from, n := amount(ts, args)
		data, err := os.ReadFile(from)
		ts.Check(err)
		data[len(data)*n/100] ^= 0x5a
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
	},
	"unpack": func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(unpack(ts.MkAbs(args[0]), ts.MkAbs(args[1])))
	},
	"repack": func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(repack(ts.MkAbs(args[0]), ts.MkAbs(args[1]), append(args[2:], "")[0]))
	},
	"mkfifo": func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(syscall.Mkfifo(ts.MkAbs(args[0]), 0o600))
	},
}

func amount(ts *testscript.TestScript, args []string) (from string, n int) {
	if len(args) != 3 {
		ts.Fatalf("usage: FROM TO N")
	}
	if _, err := fmt.Sscan(args[2], &n); err != nil {
		ts.Fatalf("%s: %v", args[2], err)
	}
	return ts.MkAbs(args[0]), n
}

// place puts a fixture into the script's directory.
func place(ts *testscript.TestScript, from, to string) {
	os.Remove(ts.MkAbs(to))
	ts.Check(os.Link(from, ts.MkAbs(to)))
}

var once struct {
	sync.Mutex
	done map[string]func() (string, error)
}

// cached calls f once for each key, and remembers what it returned.
func cached(key string, f func() (string, error)) (string, error) {
	once.Lock()
	if once.done == nil {
		once.done = map[string]func() (string, error){}
	}
	g, ok := once.done[key]
	if !ok {
		g = sync.OnceValues(f)
		once.done[key] = g
	}
	once.Unlock()
	return g()
}

// build builds an example.
func build(name string, flags ...string) (string, error) {
	key := strings.Join(append([]string{name}, flags...), " ")
	return cached(key, func() (string, error) {
		dir, err := os.MkdirTemp(fixtures, name)
		if err != nil {
			return "", err
		}
		out := filepath.Join(dir, name)
		args := append(append([]string{"build", "-o", out}, flags...), "github.com/corekit/corekit/examples/"+name)
		if msg, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build: %w\n%s", err, msg)
		}
		return out, nil
	})
}

// crash builds an example, runs it to its death, and returns the bundle.
func crash(name string) (exe, path string, err error) {
	if exe, err = build(name); err != nil {
		return "", "", err
	}
	path, err = cached("crash "+name, func() (string, error) {
		dir := filepath.Join(filepath.Dir(exe), "bundles")
		said, err := die(exe, filepath.Dir(exe), "COREKIT_DIR="+dir, "COREKIT=on", "GOTRACEBACK=")
		if err != nil {
			return "", err
		}
		list, err := bundle.Store{Dir: dir}.List()
		if err != nil || len(list) != 1 {
			return "", fmt.Errorf("%d bundles: %w\n%s", len(list), err, said)
		}
		return list[0].Path, nil
	})
	return exe, path, err
}

// die runs a program that is to crash.
func die(exe, dir string, env ...string) (said []byte, err error) {
	cmd := exec.Command(exe)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	said, err = cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return said, fmt.Errorf("%s did not crash: %v\n%s", exe, err, said)
	}
	return said, nil
}

func corePattern() string {
	p, _ := os.ReadFile("/proc/sys/kernel/core_pattern")
	return strings.TrimSpace(string(p))
}

// kernelCore tells whether the kernel puts cores where a test finds them.
func kernelCore() (bool, error) {
	p := corePattern()
	var hard syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_CORE, &hard)
	if p == "" || strings.ContainsAny(p, "/|@%") || hard.Max == 0 {
		return false, unlessRequired(fmt.Errorf("core_pattern is %q, the hard limit %d", p, hard.Max))
	}
	return true, nil
}

// dumpCore lets the kernel dump the core of a program that crashes.
func dumpCore(exe, to string) error {
	dir, err := os.MkdirTemp(fixtures, "core")
	if err != nil {
		return err
	}
	// The limit is the shell's, and so its child's.
	cmd := exec.Command("/bin/sh", "-c", `ulimit -S -c unlimited || ulimit -S -c $(ulimit -H -c); exec "$0"`, exe)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "COREKIT=off", "GOTRACEBACK=crash")
	said, err := cmd.CombinedOutput()
	if err == nil {
		return errors.New("it did not crash")
	}
	cores, _ := filepath.Glob(filepath.Join(dir, corePattern()+"*"))
	if len(cores) != 1 {
		return fmt.Errorf("%d cores: %w\n%s", len(cores), err, bytes.TrimSpace(said))
	}
	return os.Rename(cores[0], to)
}
