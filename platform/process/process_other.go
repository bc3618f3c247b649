//go:build !linux

package process

import (
	"os"

	"github.com/corekit/corekit/platform"
)

type (
	processData struct{}
	heldData    struct{}
)

func errLook() error {
	return platform.Unsupported("look into another process", "corekit captures on Linux only so far; bundles can be analysed anywhere")
}

func (p *Process) open() error                         { return errLook() }
func (p *Process) close() error                        { return nil }
func (p *Process) stat() (Stat, error)                 { return Stat{}, errLook() }
func (p *Process) regions() ([]Region, error)          { return nil, errLook() }
func (p *Process) auxv() ([]byte, error)               { return nil, errLook() }
func (p *Process) openExe() (*os.File, string, error)  { return nil, "", errLook() }
func (p *Process) openMapped(Region) (*os.File, error) { return nil, errLook() }
func (p *Process) readAt([]byte, int64) (int, error)   { return 0, errLook() }
func (p *Process) populated(Region) ([]Range, error)   { return nil, errLook() }
func (h *Held) hold() error                            { return errLook() }
func (h *Held) release() error                         { return errLook() }
func (h *Held) writing(func(int) bool) int             { return 0 }
func (h *Held) watchDeath(Watch) (bool, error)         { return false, errLook() }
func (h *Held) exit(int) error                         { return errLook() }

func (p *Process) sameFile(int, uint64, uint64) bool { return false }

func (p *Process) environ() ([]string, error) { return nil, errLook() }
