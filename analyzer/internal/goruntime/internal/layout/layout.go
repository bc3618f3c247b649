// Package layout knows where the fields of the Go runtime's structures lie,
// for each Go version and architecture. It reads them from DWARF, and carries
// a table made so for the versions it was generated with. It knows nothing of
// what the fields are for.
package layout

import (
	"debug/elf"
	"strconv"
	"strings"
)

//go:generate go run ../../gen -o ztables.go

// Layout holds byte offsets of fields in the runtime's structures. A field
// that a version does not have is -1. The tag names the field as the runtime
// does: type, then path; "sizeof T" is the size of T.
type Layout struct {
	GSize         int32 `rt:"sizeof g"`
	GStackLo      int32 `rt:"g.stack.lo"`
	GStackHi      int32 `rt:"g.stack.hi"`
	GPanic        int32 `rt:"g._panic"`
	GM            int32 `rt:"g.m"`
	GSchedSP      int32 `rt:"g.sched.sp"`
	GSchedPC      int32 `rt:"g.sched.pc"`
	GSchedLR      int32 `rt:"g.sched.lr"`
	GSchedBP      int32 `rt:"g.sched.bp"`
	GSyscallSP    int32 `rt:"g.syscallsp"`
	GSyscallPC    int32 `rt:"g.syscallpc"`
	GSyscallBP    int32 `rt:"g.syscallbp"`
	GAtomicStatus int32 `rt:"g.atomicstatus"`
	GGoid         int32 `rt:"g.goid"`
	GWaitSince    int32 `rt:"g.waitsince"`
	GWaitReason   int32 `rt:"g.waitreason"`
	GSig          int32 `rt:"g.sig"`
	GSigcode0     int32 `rt:"g.sigcode0"`
	GSigcode1     int32 `rt:"g.sigcode1"`
	GSigpc        int32 `rt:"g.sigpc"`
	GParentGoid   int32 `rt:"g.parentGoid"`
	GGopc         int32 `rt:"g.gopc"`
	GStartpc      int32 `rt:"g.startpc"`
	GLabels       int32 `rt:"g.labels"`
	GCleanups     int32 `rt:"g.runningCleanups"`

	MSize      int32 `rt:"sizeof m"`
	MG0        int32 `rt:"m.g0"`
	MProcid    int32 `rt:"m.procid"`
	MGsignal   int32 `rt:"m.gsignal"`
	MCurg      int32 `rt:"m.curg"`
	MCaughtsig int32 `rt:"m.caughtsig"`
	MThrowing  int32 `rt:"m.throwing"`
	MDying     int32 `rt:"m.dying"`
	MIncgo     int32 `rt:"m.incgo"`
	MAlllink   int32 `rt:"m.alllink"`
	MVdsoSP    int32 `rt:"m.vdsoSP"`
	MVdsoPC    int32 `rt:"m.vdsoPC"`

	PanicSize       int32 `rt:"sizeof _panic"`
	PanicArg        int32 `rt:"_panic.arg"`
	PanicLink       int32 `rt:"_panic.link"`
	PanicRecovered  int32 `rt:"_panic.recovered"`
	PanicRepanicked int32 `rt:"_panic.repanicked"`
	PanicGoexit     int32 `rt:"_panic.goexit"`

	ModSize        int32 `rt:"sizeof moduledata"`
	ModPCHeader    int32 `rt:"moduledata.pcHeader"`
	ModFuncnametab int32 `rt:"moduledata.funcnametab"`
	ModCutab       int32 `rt:"moduledata.cutab"`
	ModFiletab     int32 `rt:"moduledata.filetab"`
	ModPctab       int32 `rt:"moduledata.pctab"`
	ModPclntable   int32 `rt:"moduledata.pclntable"`
	ModFtab        int32 `rt:"moduledata.ftab"`
	ModMinpc       int32 `rt:"moduledata.minpc"`
	ModMaxpc       int32 `rt:"moduledata.maxpc"`
	ModText        int32 `rt:"moduledata.text"`
	ModEtext       int32 `rt:"moduledata.etext"`
	ModNoptrdata   int32 `rt:"moduledata.noptrdata"`
	ModEnoptrdata  int32 `rt:"moduledata.enoptrdata"`
	ModData        int32 `rt:"moduledata.data"`
	ModEdata       int32 `rt:"moduledata.edata"`
	ModBss         int32 `rt:"moduledata.bss"`
	ModEbss        int32 `rt:"moduledata.ebss"`
	ModNoptrbss    int32 `rt:"moduledata.noptrbss"`
	ModEnoptrbss   int32 `rt:"moduledata.enoptrbss"`
	ModTypes       int32 `rt:"moduledata.types"`
	ModEtypes      int32 `rt:"moduledata.etypes"`
	ModGofunc      int32 `rt:"moduledata.gofunc"`
	ModTextsectmap int32 `rt:"moduledata.textsectmap"`
	ModNext        int32 `rt:"moduledata.next"`
}

// table is what one toolchain yields.
type table struct {
	layouts     map[elf.Machine]Layout
	waitReasons []string // runtime.waitReasonStrings
}

// Minor returns the minor version of a Go release, 26 for "go1.26.8", or 0 if
// version is not one of Go 1's.
func Minor(version string) int {
	rest, ok := strings.CutPrefix(version, "go1.")
	if !ok {
		// Development versions are "devel go1.27-0123456789 …".
		if _, rest, ok = strings.Cut(version, " go1."); !ok {
			return 0
		}
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		rest = rest[:end]
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return 0
	}
	return n
}

// Lookup returns the layout for a Go version. exact is false if the table has
// none for it and the nearest version's is returned in its stead; ok is false
// if there is none for the machine at all. Structures do not change within a
// minor version.
func Lookup(version string, machine elf.Machine) (l Layout, exact, ok bool) {
	t, exact := nearest(version)
	if t == nil {
		return Layout{}, false, false
	}
	l, ok = t.layouts[machine]
	// An experiment may add fields: "go1.26.8 X:staticlockranking".
	return l, exact && !strings.Contains(version, "X:"), ok
}

// WaitReasons returns the texts of the runtime's wait reasons for a Go
// version, or the nearest one.
func WaitReasons(version string) []string {
	t, _ := nearest(version)
	if t == nil {
		return nil
	}
	return t.waitReasons
}

func nearest(version string) (t *table, exact bool) {
	minor := Minor(version)
	best := -1
	for have := range tables {
		if d, b := distance(have, minor), distance(best, minor); best < 0 || d < b || d == b && have > best {
			best = have
		}
	}
	if best < 0 {
		return nil, false
	}
	found := tables[best]
	return &found, best == minor
}

func distance(a, b int) int {
	if a < b {
		return b - a
	}
	return a - b
}
