package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Schema is the version of [Manifest]. A field that is added does not change
// it; a field that changes its meaning does.
const Schema = 1

// Method is how a bundle was captured.
type Method string

// The methods, best first.
const (
	MethodMonitor   Method = "monitor"   // the crashing process was held by the hook
	MethodHold      Method = "hold"      // stopped while its memory was written
	MethodFork      Method = "fork"      // a copy-on-write image was written
	MethodSupervise Method = "supervise" // the supervisor collected the kernel's core
	MethodKernel    Method = "kernel"    // the kernel wrote the core
	MethodText      Method = "text"      // no core could be had
)

// Kind is what a file in a bundle is.
type Kind string

// The kinds of files.
const (
	KindManifest   Kind = "manifest"
	KindTraceback  Kind = "traceback"
	KindCore       Kind = "core"
	KindExecutable Kind = "executable"
	KindLibrary    Kind = "library"
	KindVDSO       Kind = "vdso"
)

// Manifest is manifest.json: what, when, where, how it was captured, what is
// missing and why. What is unknown is left out.
type Manifest struct {
	Schema         int    `json:"schema"`
	CorekitVersion string `json:"corekit_version,omitempty"`
	// Complete: all that was to be captured is there. While the bundle is
	// being written it is false, and Reason is [ReasonInProgress].
	Complete bool   `json:"complete"`
	Method   Method `json:"method,omitempty"`
	Reason   string `json:"reason,omitempty"` // "crash", "snapshot", …

	Name    string `json:"name,omitempty"`     // base name of the executable
	Exe     string `json:"exe,omitempty"`      // the executable's member; "" if missing
	ExePath string `json:"exe_path,omitempty"` // its path when it ran
	PID     int    `json:"pid,omitempty"`
	PPID    int    `json:"ppid,omitempty"`
	UID     int    `json:"uid"`
	GID     int    `json:"gid"`

	Time        time.Time `json:"time"`                   // of the capture, UTC
	MonotonicNS int64     `json:"monotonic_ns,omitempty"` // CLOCK_MONOTONIC at the stop
	HeldMS      int64     `json:"held_ms"`                // how long the process stood still

	OS            string `json:"os,omitempty"`
	Arch          string `json:"arch,omitempty"`
	Kernel        string `json:"kernel,omitempty"`
	Hostname      string `json:"hostname,omitempty"`
	ContainerPID1 bool   `json:"container_pid1,omitempty"`

	GoVersion   string `json:"go_version,omitempty"`
	BuildID     string `json:"build_id,omitempty"`
	MainModule  string `json:"main_module,omitempty"`
	VCSRevision string `json:"vcs_revision,omitempty"`
	Threads     int    `json:"threads,omitempty"`

	// Args and Env may hold secrets; they are there only if asked for.
	Args []string `json:"args,omitempty"`
	Env  []string `json:"env,omitempty"`

	Core    CoreInfo  `json:"core,omitzero"`
	Files   []File    `json:"files,omitempty"`
	Missing []Missing `json:"missing,omitempty"`
}

// CoreInfo describes the member "core".
type CoreInfo struct {
	Size   int64 `json:"size,omitempty"`   // of the member
	Stored int64 `json:"stored,omitempty"` // bytes of memory in it, without absent pages
	TID    int   `json:"tid,omitempty"`    // the thread that crashed
}

// File is a member of the bundle.
type File struct {
	Name string `json:"name"`           // of the member
	Path string `json:"path,omitempty"` // where it came from
	Size int64  `json:"size"`
	Kind Kind   `json:"kind,omitempty"`
}

// Missing says what should be in the bundle, and why it is not.
type Missing struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// ReasonInProgress is the [Manifest.Reason] of a bundle that was never
// finished.
const ReasonInProgress = "in progress"

// encode returns m as JSON in exactly space bytes, padded with spaces and a
// newline. If it is too long, it drops what is longest and least needed, and
// says so in Missing.
func (m Manifest) encode(space int) ([]byte, error) {
	for _, drop := range []func() bool{
		func() bool { return true },
		func() bool { return m.dropStrings(&m.Env, "environment") },
		func() bool { return m.dropStrings(&m.Args, "arguments") },
		// The archive itself lists its members too.
		func() bool { return m.dropFiles() },
	} {
		if !drop() {
			continue
		}
		b, err := m.marshal()
		if err != nil {
			return nil, err
		}
		if len(b) <= space {
			pad := bytes.Repeat([]byte(" "), space-len(b))
			// The newline goes last, so that the padding is no line of its own.
			return append(append(b[:len(b)-1], pad...), '\n'), nil
		}
	}
	return nil, fmt.Errorf("manifest does not fit into %d bytes", space)
}

// marshal is for people too: indented, and without HTML's escapes. It ends in
// a newline.
func (m *Manifest) marshal() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return buf.Bytes(), nil
}

const noSpace = "the manifest has no space for it"

func (m *Manifest) dropStrings(s *[]string, what string) bool {
	if *s == nil {
		return false
	}
	*s = nil
	m.missing(what)
	return true
}

func (m *Manifest) dropFiles() bool {
	if m.Files == nil {
		return false
	}
	m.Files = nil
	m.missing("list of files")
	return true
}

// missing does not append in place: the slice is the caller's.
func (m *Manifest) missing(what string) {
	m.Missing = append(m.Missing[:len(m.Missing):len(m.Missing)], Missing{what, noSpace})
}
