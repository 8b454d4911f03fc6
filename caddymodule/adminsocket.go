package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

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

// refuseSharedAdmin fails when another gateway, on a data folder of its own, is administered at LICGATE_ADMIN: either would take the name
// from the other time and again, and orders for one reach the other. Second names that processes left when they were killed are removed.
func refuseSharedAdmin() error {
	s := newAdminSocket()
	if s.path == "" {
		return nil
	}
	folder, seconds, own := filepath.Dir(s.path), filepath.Base(s.path)+keptSuffix, filepath.Base(s.kept())
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil // no names to be seen
	}
	for _, entry := range entries {
		name := entry.Name()
		// Versions before this one kept the name without a process.
		if !strings.HasPrefix(name, seconds) || entry.Type() != fs.ModeSocket || running.Load() != nil && name == own {
			continue
		}
		path := filepath.Join(folder, name)
		switch there, err := listens(path); {
		case err != nil: // who knows
		case !there:
			_ = os.Remove(path)
		default:
			return fmt.Errorf("管理端点 %s 属于另一个正在运行的网关（%s），它会收回这个套接字，本网关将无法管理，所以不启动（或不换用这份配置）。"+
				"请给每个网关各自的 LICGATE_ADMIN；用 ss -lxp 查明是哪个进程", s.path, path)
		}
	}
	return nil
}

func newAdminSocket() *adminSocket {
	return &adminSocket{path: adminSocketPath(os.Getenv("LICGATE_ADMIN"))}
}

// keepAdminSocket gives the socket at LICGATE_ADMIN its second name, or after a reload takes over the one that it has. A gateway
// administered at another address, or whose folder can't hold links, goes without.
func keepAdminSocket(logger *zap.Logger) *adminSocket {
	s := newAdminSocket()
	if s.path == "" {
		return s
	}
	// After a reload the first name may be somebody else's just now; whose it was must not be forgotten.
	there, err := listens(s.kept())
	if running.Load() == nil || err == nil && !there {
		_ = os.Remove(s.kept())
		if there, err = listens(s.path); err == nil && !there {
			return s
		}
		err = os.Link(s.path, s.kept())
	}
	if err == nil {
		s.own, err = os.Lstat(s.kept())
	}
	if err != nil {
		logger.Warn("the admin socket can't be kept: should another process take its name, restart this gateway to administer it", zap.Error(err))
	}
	return s
}

// keptSuffix marks second names. The number of the process follows, so that no gateway takes another one's.
const keptSuffix = ".kept"

func (s *adminSocket) kept() string { return fmt.Sprintf("%s%s.%d", s.path, keptSuffix, os.Getpid()) }

// heal puts the socket back under its name when somebody else took that. A socket that this process has closed, because a reload moved the
// endpoint elsewhere, stays gone.
func (s *adminSocket) heal(logger *zap.Logger) {
	if s.own == nil {
		return
	}
	if there, err := os.Lstat(s.path); err == nil && os.SameFile(there, s.own) || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	there, err := listens(s.kept())
	if err != nil {
		return // not known now
	}
	if kept, err := os.Lstat(s.kept()); !there || err != nil || !os.SameFile(kept, s.own) {
		logger.Warn("the admin socket is closed, as when a reload moved the endpoint, or has lost its second name; it is not put back", zap.String("socket", s.path))
		s.drop()
		return
	}
	passing := s.path + ".new"
	_ = os.Remove(passing)
	err = os.Link(s.kept(), passing)
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

// listens reports whether a process listens on a socket; an error is for not knowing.
func listens(path string) (bool, error) {
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return true, nil
	case errors.Is(err, syscall.EAGAIN): // so many callers wait that it takes no more
		return true, nil
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, err
}
