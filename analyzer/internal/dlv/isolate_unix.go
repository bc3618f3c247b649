//go:build unix

package dlv

import (
	"os/exec"
	"syscall"
)

// isolate gives the child a process group of its own, so that a terminal's
// signals do not reach it, and kills all of the group when the command is
// canceled.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}
