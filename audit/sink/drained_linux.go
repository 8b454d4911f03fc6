package sink

import (
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// established is TCP_ESTABLISHED (tcp(7)).
const established = 1

// drained returns when the other side's kernel has acknowledged all that was written, on a connection that still stands.
func drained(conn net.Conn, deadline time.Time) error {
	control, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := control.SyscallConn()
	if err != nil {
		return err
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		left, state := 0, 0
		var failed error
		if err := raw.Control(func(fd uintptr) { left, state, failed = unsent(int(fd)) }); err != nil {
			return err
		}
		switch {
		case failed != nil:
			return failed
		case state != established:
			return errGone
		case left == 0:
			return nil
		case time.Now().After(deadline):
			return os.ErrDeadlineExceeded
		}
		time.Sleep(wait)
	}
}

// unsent returns the bytes that the other side has not acknowledged, and then the state of the connection.
func unsent(fd int) (left, state int, _ error) {
	left, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0, 0, os.NewSyscallError("ioctl", err)
	}
	tcp, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, 0, os.NewSyscallError("getsockopt", err)
	}
	return left, int(tcp.State), nil
}
