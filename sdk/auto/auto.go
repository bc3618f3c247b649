// Package auto captures the crashes of a program that imports it for its side
// effect:
//
//	import _ "github.com/corekit/corekit/sdk/auto"
//
// It calls [sdk.Start] with defaults and the COREKIT_* variables of the
// environment. COREKIT=off turns it off.
package auto

import "github.com/corekit/corekit/sdk"

func init() { sdk.Start(sdk.Config{}) }
