package goruntime

import (
	"fmt"
	"strings"
)

// signalTexts is the runtime's sigtable for Linux
// (runtime/sigtab_linux_generic.go).
var signalTexts = [...]string{
	1:  "SIGHUP: terminal line hangup",
	2:  "SIGINT: interrupt",
	3:  "SIGQUIT: quit",
	4:  "SIGILL: illegal instruction",
	5:  "SIGTRAP: trace trap",
	6:  "SIGABRT: abort",
	7:  "SIGBUS: bus error",
	8:  "SIGFPE: floating-point exception",
	9:  "SIGKILL: kill",
	10: "SIGUSR1: user-defined signal 1",
	11: "SIGSEGV: segmentation violation",
	12: "SIGUSR2: user-defined signal 2",
	13: "SIGPIPE: write to broken pipe",
	14: "SIGALRM: alarm clock",
	15: "SIGTERM: termination",
	16: "SIGSTKFLT: stack fault",
	17: "SIGCHLD: child status has changed",
	18: "SIGCONT: continue",
	19: "SIGSTOP: stop, unblockable",
	20: "SIGTSTP: keyboard stop",
	21: "SIGTTIN: background read from tty",
	22: "SIGTTOU: background write to tty",
	23: "SIGURG: urgent condition on socket",
	24: "SIGXCPU: cpu limit exceeded",
	25: "SIGXFSZ: file size limit exceeded",
	26: "SIGVTALRM: virtual alarm clock",
	27: "SIGPROF: profiling alarm clock",
	28: "SIGWINCH: window size change",
	29: "SIGIO: i/o now possible",
	30: "SIGPWR: power failure restart",
	31: "SIGSYS: bad system call",
}

// signalText is how the runtime announces a signal.
func signalText(sig uint32) string {
	if int(sig) < len(signalTexts) && signalTexts[sig] != "" {
		return signalTexts[sig]
	}
	return fmt.Sprintf("signal %d", sig)
}

// signalName is the signal's constant.
func signalName(sig uint32) string {
	name, _, _ := strings.Cut(signalText(sig), ":")
	return name
}

// hasAddress reports whether the kernel gives the signal's cause as an
// address: SIGILL, SIGTRAP, SIGBUS, SIGFPE and SIGSEGV have si_addr, but only
// for a bad access is that more than the PC.
func hasAddress(sig uint32) bool { return sig == 7 || sig == 11 }
