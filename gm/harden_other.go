//go:build unix && !linux

package gm

// Harden keeps keys out of core dumps: none is written for this process and its children. It is for the start of the program,
// before keys are read.
func Harden() error { return noCore() }
