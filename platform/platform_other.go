//go:build !linux

package platform

const linuxOnly = "this switch exists on Linux only"

func getCoreFilter() (CoreFilter, error) { return 0, Unsupported("core filter", linuxOnly) }
func addCoreFilter(CoreFilter) error     { return Unsupported("core filter", linuxOnly) }
func disableCore(int) error {
	return Unsupported("core limit of another process", linuxOnly)
}
func allowTracer(int) error { return nil }
func setName(string) error  { return Unsupported("process name", linuxOnly) }
func monotonic() int64      { return 0 }
func kernelRelease() string { return "" }
