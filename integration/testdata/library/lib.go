//go:build linux && cgo

// Command library is a C library in Go that calls Start.
package main

import "C"

import (
	"errors"
	"fmt"

	"github.com/corekit/corekit/sdk"
)

//export Arm
func Arm() {
	r := sdk.Start(sdk.Config{})
	var arm *sdk.ArmError
	fmt.Printf("mode=%s arm=%v err=%v\n", r.Mode(), errors.As(r.Err(), &arm), r.Err())
}

func main() {}
