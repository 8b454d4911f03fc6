//go:build linux

package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// childMark makes this test binary a licgate.
const childMark = "LICGATE_BENCH_CHILD"

// process is a Caddy of our own: its folder and port are nobody else's.
type process struct {
	dir, port, config, root string // root: the file of the internal root certificate
	env                     []string
	cmd                     *exec.Cmd
	exited                  chan struct{}
	log                     bytes.Buffer // read once exited
	trust                   *tls.Config
	pool                    []*conn
}

// prepare makes a folder and writes the configuration that text makes of a port.
func prepare(text func(port string) string, root string) (*process, error) {
	// Short, for the admin socket's sake.
	dir, err := os.MkdirTemp("", "lgb")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	p := &process{dir: dir, port: port, config: filepath.Join(dir, "Caddyfile"), root: filepath.Join(dir, root)}
	// LICGATE_ variables of the caller would make another gateway than the one described.
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "LICGATE_") {
			p.env = append(p.env, kv)
		}
	}
	p.env = append(p.env, childMark+"=1", "LICGATE_DATA="+data, "LICGATE_PORT="+port, "LICGATE_HOST=localhost",
		"LICGATE_ADMIN=unix/"+filepath.Join(data, "admin.sock"), "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	return p, os.WriteFile(p.config, []byte(text(port)), 0o600)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// start runs the process and returns how long it took until path was answered with 200.
func (p *process) start(path string) (time.Duration, error) {
	begin := time.Now()
	p.cmd = exec.Command(os.Args[0], "run", "--config", p.config)
	p.cmd.Env, p.cmd.Dir = p.env, p.dir
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		return 0, err
	}
	p.exited = make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // why it ended stands in its log
		close(p.exited)
	}()
	last := errors.New("never tried")
	for time.Since(begin) < time.Minute {
		select {
		case <-p.exited:
			return 0, fmt.Errorf("the process ended: %s", p.log.String())
		case <-time.After(2 * time.Millisecond):
		}
		if last = p.ready(path); last == nil {
			return time.Since(begin), nil
		}
	}
	return 0, fmt.Errorf("the process does not become ready: %w", last)
}

func (p *process) ready(path string) error {
	if p.trust == nil {
		pem, err := os.ReadFile(p.root)
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return errors.New("no certificate in the root file yet")
		}
		p.trust = &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}}
	}
	c, err := p.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.do(request("GET", path, "", nil))
	return err
}

// stop ends the process and removes its folder.
func (p *process) stop() {
	for _, c := range p.pool {
		_ = c.Close()
	}
	if p.exited != nil {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(20 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.exited
		}
	}
	_ = os.RemoveAll(p.dir)
}

// command runs a licgate command against the process.
func (p *process) command(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env, cmd.Dir = p.env, p.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("licgate %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// cpu is the processor time that a process has used, user and system together. The clock of clock_getcpuclockid(3) counts
// nanoseconds; /proc/PID/stat counts hundredths of a second, too coarse for a slice.
func cpu(pid int) (time.Duration, error) {
	const schedulerClock = 2
	var at syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(^pid<<3|schedulerClock), uintptr(unsafe.Pointer(&at)), 0)
	if errno != 0 {
		return 0, fmt.Errorf("processor time of %d: %w", pid, errno)
	}
	return time.Duration(at.Nano()), nil
}

// memory is a member of /proc/PID/status, in MiB: VmRSS is resident now, VmHWM at most so far.
func (p *process) memory(member string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, member+":"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in the status of a process", member)
}
