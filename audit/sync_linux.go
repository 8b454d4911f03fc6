package audit

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData makes content and size durable without the times.
func syncData(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// dropCache asks the kernel to forget the clean pages of f, so that they are read from the disk: after a failed sync
// the cache may show what the disk does not hold. It is advice; a refusal changes nothing.
func dropCache(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
