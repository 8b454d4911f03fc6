package caddymodule

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"

	"go.uber.org/zap"
)

// adminSocket keeps this gateway reachable for its administrators. Caddy puts a new admin endpoint in place before it loads anything
// else: a second gateway on the same data folder unlinks the first one's socket and takes its name, and only then finds the journal in
// use and ends. A unix socket can be reached by every name of its inode, so a second name is kept, and is put back under the first.
type adminSocket struct {
	path string
	own  os.FileInfo // of the socket that this process listens on; nil: there is none to keep
	said bool
}

// adminSocketPath is the file of an admin address, "" when it is no file.
func adminSocketPath(address string) string {
	path, isUnix := strings.CutPrefix(address, "unix/")
	path, _, _ = strings.Cut(path, "|")
	if !isUnix || strings.HasPrefix(path, "@") {
		return ""
	}
	return path
}

// keepAdminSocket gives the socket at LICGATE_ADMIN its second name. It is called with the journal open, so nobody else does, and a name
// left by a process that was killed is replaced. A gateway administered at another address, or whose folder can't hold links, goes
// without.
func keepAdminSocket(logger *zap.Logger) *adminSocket {
	s := &adminSocket{path: adminSocketPath(os.Getenv("LICGATE_ADMIN"))}
	if s.path == "" {
		return s
	}
	var err error
	switch {
	case listens(s.path):
		_ = os.Remove(s.kept())
		err = os.Link(s.path, s.kept())
	case !listens(s.kept()): // else the name is somebody else's just now, and a reload must not forget whose it was
		_ = os.Remove(s.kept())
		return s
	}
	if err == nil {
		s.own, err = os.Lstat(s.kept())
	}
	if err != nil {
		logger.Warn("the admin socket can't be kept: should another process take its name, restart this gateway to administer it", zap.Error(err))
	}
	return s
}

func (s *adminSocket) kept() string { return s.path + ".kept" }

// heal puts the socket back under its name when somebody else took that. A socket that this process has closed, because a reload moved the
// endpoint elsewhere, stays gone.
func (s *adminSocket) heal(logger *zap.Logger) {
	if s.own == nil {
		return
	}
	if there, err := os.Lstat(s.path); err == nil && os.SameFile(there, s.own) || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if kept, err := os.Lstat(s.kept()); err != nil || !os.SameFile(kept, s.own) || !listens(s.kept()) {
		s.drop()
		return
	}
	passing := s.path + ".new"
	_ = os.Remove(passing)
	err := os.Link(s.kept(), passing)
	if err == nil {
		err = os.Rename(passing, s.path)
	}
	if !s.said {
		s.said = true
		logger.Warn("another process took the name of the admin socket; it is put back, now and whenever that happens", zap.String("socket", s.path), zap.Error(err))
	}
}

// drop removes the second name. A name that has become another gateway's is left alone.
func (s *adminSocket) drop() {
	if s.own == nil {
		return
	}
	if kept, err := os.Lstat(s.kept()); err == nil && os.SameFile(kept, s.own) {
		_ = os.Remove(s.kept())
	}
	s.own = nil
}

// listens reports whether a process listens on a socket.
func listens(path string) bool {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
