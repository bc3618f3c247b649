// Package integration crashes real programs in real ways and checks what
// corekit makes of it. It has no code of its own but tests: every example,
// the environments in which cores are usually lost, the ways in which a
// capture itself can fail, and the tools that must be able to read a bundle.
package integration
