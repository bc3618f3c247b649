package analyzer

import (
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"io"

	"github.com/corekit/corekit/analyzer/report"
	"github.com/corekit/corekit/platform/elfcore"
)

// describe fills in what is known without looking at memory.
func (a *analysis) describe() {
	t, c := &a.rep.Target, &a.rep.Capture
	c.Missing = []string{}
	if m := a.man; m != nil {
		*t = report.Target{
			Exe: m.ExePath, PID: m.PID, GoVersion: m.GoVersion, BuildID: m.BuildID, OS: m.OS, Arch: m.Arch,
			Time: m.Time, MainModule: m.MainModule, VCSRevision: m.VCSRevision,
		}
		c.Method, c.Complete = string(m.Method), m.Complete && !a.bundle.Truncated()
		for _, miss := range m.Missing {
			c.Missing = append(c.Missing, miss.What+": "+miss.Why)
		}
	} else if a.core != nil {
		*t = report.Target{Exe: a.exePath, PID: a.core.Process.PID, OS: "linux", Arch: arch(a.core.Machine)}
		c.Method, c.Complete = "kernel", true
	}
	if a.exe == nil {
		return
	}
	if t.BuildID == "" {
		t.BuildID, _ = elfcore.BuildID(a.exe)
	}
	a.describeBuild()
}

// describeBuild asks the executable for what the manifest does not say.
func (a *analysis) describeBuild() {
	info, err := readBuildInfo(io.NewSectionReader(a.exe, 0, a.exeSize))
	if err != nil {
		return
	}
	t := &a.rep.Target
	t.GoVersion = info.GoVersion
	if t.MainModule == "" {
		t.MainModule = info.Main.Path
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && t.VCSRevision == "" {
			t.VCSRevision = s.Value
		}
	}
}

// readBuildInfo guards against files that make the parser panic.
func readBuildInfo(r io.ReaderAt) (info *buildinfo.BuildInfo, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("build information: %v", v)
		}
	}()
	return buildinfo.Read(r)
}

func arch(m elf.Machine) string {
	switch m {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	}
	return m.String()
}
