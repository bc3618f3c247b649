package goruntime

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/corekit/corekit/analyzer/internal/goruntime/internal/layout"
)

// Process is a Go process that died, or was dumped. Its methods may be called
// from several goroutines at once if Input.Mem's may be.
type Process struct {
	in      Input
	mem     memory
	arch    arch
	version string
	minor   int
	lay     layout.Layout
	symbols map[string]uint64 // those of the wanted globals that the ELF symbol table has
	modules []*module

	threads map[int]Thread
	ms      []*m // all that were found, the newest first
	byTID   map[int]*m
	mCache  map[uint64]*m // by address; guarded by mu
	allgs   []uint64

	gbufs    sync.Pool // *[]byte of GSize
	mu       sync.RWMutex
	pcs      map[pcKey]*pcInfo
	strings  map[string]string
	creators map[uint64]*Frame
	system   map[uint64]bool
	warnings []string

	reasonsOnce sync.Once
	reasons     []string
	crashOnce   sync.Once
	crash       *Crash
	crashErr    error
}

// arch is what differs between the architectures.
type arch struct {
	quantum uint64 // sys.PCQuantum
	usesLR  bool   // sys.MinFrameSize > 0
	lrSlot  uint64 // bytes that sigpanic's injected call takes: alignUp(MinFrameSize, StackAlign)
}

var archs = map[elf.Machine]arch{
	elf.EM_X86_64:  {quantum: 1},
	elf.EM_AARCH64: {quantum: 4, usesLR: true, lrSlot: 16},
}

// wanted are the runtime's globals that help if the executable still has its
// symbol table.
var wanted = []string{
	"runtime.firstmoduledata",
	"runtime.allgs",
	"runtime.allm",
	"runtime.printBacklog",
	"runtime.printBacklogIndex",
	"runtime.waitReasonStrings",
	"runtime.fingStatus",
}

// Open finds the Go runtime in a dead process. It fails if the executable is
// not a Go program of a version and architecture that the engine knows, or
// if the memory lacks the runtime's tables; less than that is a warning.
func Open(in Input) (*Process, error) {
	a, ok := archs[in.Machine]
	if !ok {
		return nil, fmt.Errorf("goruntime: %v: %w", in.Machine, errors.ErrUnsupported)
	}
	if in.Mem == nil || in.Exe == nil {
		return nil, errors.New("goruntime: no memory or no executable")
	}
	exe, err := elf.NewFile(in.Exe)
	if err != nil {
		return nil, fmt.Errorf("goruntime: read the executable: %w", err)
	}
	if exe.Machine != in.Machine || exe.Data != elf.ELFDATA2LSB || exe.Class != elf.ELFCLASS64 {
		return nil, fmt.Errorf("goruntime: the executable is for %v, the process for %v", exe.Machine, in.Machine)
	}
	p := &Process{
		in:       in,
		mem:      memory{in.Mem},
		arch:     a,
		symbols:  make(map[string]uint64),
		threads:  make(map[int]Thread, len(in.Threads)),
		byTID:    make(map[int]*m),
		mCache:   make(map[uint64]*m),
		pcs:      make(map[pcKey]*pcInfo),
		strings:  make(map[string]string),
		creators: make(map[uint64]*Frame),
		system:   make(map[uint64]bool),
	}
	for _, t := range in.Threads {
		p.threads[t.TID] = t
	}
	if bi, err := buildinfo.Read(in.Exe); err == nil {
		p.version = bi.GoVersion
	} else {
		p.warnf("no build information in the executable: %v", err)
	}
	p.minor = layout.Minor(p.version)
	p.readSymbols(exe)
	if err := p.chooseLayout(exe); err != nil {
		return nil, err
	}
	p.gbufs.New = func() any { b := make([]byte, p.lay.GSize); return &b }
	addr, err := p.findModuledata(exe)
	if err != nil {
		return nil, err
	}
	if p.modules, err = p.readModules(addr); err != nil {
		return nil, err
	}
	p.findGoroutines()
	p.findMs()
	return p, nil
}

// readSymbols looks the wanted globals up in the executable's symbol table.
func (p *Process) readSymbols(exe *elf.File) {
	syms, err := exe.Symbols()
	if err != nil {
		return // stripped
	}
	for _, s := range syms {
		if s.Value != 0 && elf.ST_TYPE(s.Info) == elf.STT_OBJECT && slices.Contains(wanted, s.Name) {
			p.symbols[s.Name] = s.Value + p.in.Bias
		}
	}
}

// GoVersion returns the version of Go that the program was built with, as
// [runtime.Version] reports it, or "" if that is unknown.
func (p *Process) GoVersion() string { return p.version }

// Warnings returns what could not be found out so far, and what is doubtful.
func (p *Process) Warnings() []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Clone(p.warnings)
}

// maxWarnings keeps a badly damaged core from filling memory with complaints.
const maxWarnings = 100

func (p *Process) warnf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := fmt.Sprintf(format, args...); len(p.warnings) < maxWarnings && !slices.Contains(p.warnings, w) {
		p.warnings = append(p.warnings, w)
	}
}
