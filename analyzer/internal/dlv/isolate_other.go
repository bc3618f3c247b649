//go:build !unix

package dlv

import "os/exec"

func isolate(cmd *exec.Cmd) {
	cmd.Cancel = cmd.Process.Kill
}
