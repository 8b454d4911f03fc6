package gm

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func noCore() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("gm: forbidding core dumps: %w", os.NewSyscallError("setrlimit", err))
	}
	return nil
}
