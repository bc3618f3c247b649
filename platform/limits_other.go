//go:build !unix

package platform

const limitHint = "this system has no core limit; it uses other means than core files"

func coreLimit() (soft, hard uint64, err error) { return 0, 0, Unsupported("core limit", limitHint) }
func raiseCoreLimit() error                     { return Unsupported("core limit", limitHint) }
