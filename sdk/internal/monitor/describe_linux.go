package monitor

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/corekit/corekit/platform"
	"github.com/corekit/corekit/sdk/bundle"
)

func monotonicNow() int64       { return platform.Monotonic() }
func disableCore(pid int) error { return platform.DisableCore(pid) }

// describe fills in the manifest with what is known of the program. Much of it
// is known of ourselves: we are the same executable.
func (m *monitor) describe() {
	path, _ := os.Readlink(self)
	path = strings.TrimSuffix(path, " (deleted)")
	host, _ := os.Hostname()
	m.man = bundle.Manifest{
		Schema: bundle.Schema, Method: bundle.MethodMonitor, Reason: "crash",
		Name: filepath.Base(path), ExePath: path, PID: m.PID,
		Time: time.Now().UTC(), MonotonicNS: monotonicNow(),
		OS: runtime.GOOS, Arch: runtime.GOARCH,
		Kernel: platform.KernelRelease(), Hostname: host,
		GoVersion: runtime.Version(), CorekitVersion: version(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		m.man.MainModule = info.Main.Path
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				m.man.VCSRevision = s.Value
			}
		}
	}
	st, err := m.proc.Stat()
	if err != nil {
		return
	}
	m.man.PPID, m.man.UID, m.man.GID = st.PPID, int(st.UID), int(st.GID)
	m.man.Threads = st.Threads
	m.man.ContainerPID1 = st.NamespacePID == 1
	if m.WithArgs {
		m.man.Args = st.Args
	}
	if m.WithEnv {
		m.man.Env, _ = m.proc.Environ()
	}
}

// version returns the version of corekit that is linked into the program.
func version() string {
	const path = "github.com/corekit/corekit"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	if info.Main.Path == path {
		return info.Main.Version
	}
	for _, d := range info.Deps {
		if d.Path == path {
			return d.Version
		}
	}
	return ""
}
