package caddymodule

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBusySocketIsAlive: a socket whose queue is full has somebody who listens; a closed one, and a file that is gone, surely have nobody.
func TestBusySocketIsAlive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(listener, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(listener, 0); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the queue takes one, and nobody accepts
		if there, err := listens(path); !there || err != nil {
			t.Errorf("while it is open: %v %v", there, err)
		}
	}
	if err := unix.Close(listener); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{path, path + ".gone"} {
		if there, err := listens(gone); there || err != nil {
			t.Errorf("%s: %v %v", gone, there, err)
		}
	}
}
