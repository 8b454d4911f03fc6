package gm

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Harden keeps keys out of core dumps, and out of reach of other processes of the same user: no core is written for this process
// and its children, and nobody but root may attach to it or read its memory (PR_SET_DUMPABLE). It is for the start of the
// program, before keys are read. Files under /proc/self then belong to root: an unprivileged process no longer counts its own
// open files there. Keys may still be swapped out: swap is to be off, or encrypted.
func Harden() error {
	if err := noCore(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("gm: closing the process to others: %w", os.NewSyscallError("prctl", err))
	}
	return nil
}
