//go:build !linux || !amd64

package main

import "github.com/rogpeppe/go-internal/testscript"

// Programs cannot be crashed and captured here.
var crashCommands map[string]func(*testscript.TestScript, bool, []string)

func kernelCore() (bool, error) { return false, nil }
