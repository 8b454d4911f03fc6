// Package e2e drives the real process over TLS: the test binary re-executes itself as licgate, so that under -race the
// gateway is race-checked too.
package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "licgate/caddymodule"
	"licgate/store/storetest"
)

const childMark = "LICGATE_E2E_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childMark) != "" {
		caddycmd.Main()
		return
	}
	os.Exit(storetest.Main(m))
}

// gateway is a licgate process of a test's own: its folder, port and admin socket are nobody else's.
type gateway struct {
	t      *testing.T
	dir    string
	port   string
	config string
	env    []string
	cmd    *exec.Cmd
	log    *logBuffer
	client *http.Client
	// secrets are what apply generated, by kind and key.
	secrets map[string]string
}

type option func(*gateway)

// withEnv adds environment variables of the child.
func withEnv(kv ...string) option {
	return func(g *gateway) { g.env = append(g.env, kv...) }
}

// withConfig replaces the shipped Caddyfile.
func withConfig(text string) option {
	return func(g *gateway) {
		g.config = filepath.Join(g.dir, "Caddyfile")
		write(g.t, g.config, text)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start runs a gateway and waits until it is ready.
func start(t *testing.T, options ...option) *gateway {
	t.Helper()
	g := prepare(t, options...)
	g.run()
	return g
}

func prepare(t *testing.T, options ...option) *gateway {
	t.Helper()
	// Not t.TempDir: a unix socket's path must be short.
	dir, err := os.MkdirTemp("", "lg")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := filepath.Abs("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, dir: dir, port: freePort(t), config: shipped, secrets: map[string]string{}}
	data := filepath.Join(dir, "data")
	g.env = append(os.Environ(), childMark+"=1", "LICGATE_DATA="+data, "LICGATE_PORT="+g.port, "LICGATE_HOST=localhost",
		"LICGATE_ADMIN=unix/"+filepath.Join(data, "admin.sock"), "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	for _, o := range options {
		o(g)
	}
	t.Cleanup(func() {
		g.stop()
		if t.Failed() {
			t.Logf("log of the gateway:\n%s", g.log.String())
		}
		_ = os.RemoveAll(dir)
	})
	return g
}

// nextPort walks below the range from which the kernel gives ports to clients, so that nobody else takes one between here and
// the gateway's start.
var nextPort atomic.Int64

func freePort(t *testing.T) string {
	t.Helper()
	const first, count = 11000, 20000
	for range count {
		port := strconv.FormatInt(first+(int64(os.Getpid())*131+nextPort.Add(1))%count, 10)
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

// run starts the process; it may follow a stop or kill on the same data.
func (g *gateway) run() {
	g.t.Helper()
	g.launch()
	if err := g.waitReady(time.Minute); err != nil {
		g.t.Fatalf("the gateway does not become ready: %v\n%s", err, g.log.String())
	}
}

func (g *gateway) launch() {
	g.t.Helper()
	if g.log == nil {
		g.log = new(logBuffer)
	}
	g.cmd = exec.Command(os.Args[0], "run", "--config", g.config)
	g.cmd.Env, g.cmd.Dir = g.env, g.dir
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) waitReady(limit time.Duration) error {
	exited := make(chan error, 1)
	cmd := g.cmd
	go func() { exited <- cmd.Wait() }()
	var last error
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-exited:
			return fmt.Errorf("it ended: %v", err)
		default:
		}
		if err := g.trust(); err != nil {
			last = err
			continue
		}
		resp, err := g.client.Get(g.url("/healthz"))
		if err != nil {
			last = err
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		last = fmt.Errorf("healthz: %s", resp.Status)
	}
	return last
}

// trust makes a client that knows the gateway's own root certificate and no other.
func (g *gateway) trust() error {
	if g.client != nil {
		return nil
	}
	pem, err := os.ReadFile(filepath.Join(g.dir, "data", "root.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("root.crt holds no certificate")
	}
	g.client = &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	return nil
}

func (g *gateway) url(path string) string { return "https://localhost:" + g.port + path }

// stop ends the process as an operator would.
func (g *gateway) stop() { g.signal(syscall.SIGTERM) }

// kill ends it at once.
func (g *gateway) kill() { g.signal(syscall.SIGKILL) }

func (g *gateway) signal(s syscall.Signal) {
	if g.cmd == nil || g.cmd.Process == nil {
		return
	}
	_ = g.cmd.Process.Signal(s)
	for range 3000 {
		if syscall.Kill(g.cmd.Process.Pid, 0) != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if g.client != nil {
		g.client.CloseIdleConnections()
	}
	g.cmd = nil
}

// command runs a licgate command against the gateway.
func (g *gateway) command(args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env, cmd.Dir = g.env, g.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		g.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must runs a command that has to succeed.
func (g *gateway) must(args ...string) string {
	g.t.Helper()
	out, errs, code := g.command(args...)
	if code != 0 {
		g.t.Fatalf("licgate %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// apply declares a platform and keeps the generated secrets.
func (g *gateway) apply(platform string) string {
	g.t.Helper()
	file := filepath.Join(g.dir, "platform.yaml")
	write(g.t, file, platform)
	out := filepath.Join(g.dir, "secrets-"+strconv.FormatInt(time.Now().UnixNano(), 36)+".json")
	shown := g.must("apply", "-f", file, "--secrets-out", out)
	text, err := os.ReadFile(out)
	if errors.Is(err, fs.ErrNotExist) { // nothing was generated
		return shown
	}
	if err != nil {
		g.t.Fatal(err)
	}
	var generated []struct{ Kind, Key, Value string }
	if err := json.Unmarshal(text, &generated); err != nil {
		g.t.Fatal(err)
	}
	for _, one := range generated {
		g.secrets[one.Kind+"/"+one.Key] = one.Value
	}
	return shown
}

// object is a JSON object.
type object = map[string]any

// answer is what came back: the envelope and the HTTP facts.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   object
}

// ok reports ack_code SUCCESS.
func (a answer) ok() bool { return a.body["ack_code"] == "SUCCESS" }

// code is the number of the first error, "" when there is none.
func (a answer) code() string {
	errs, _ := a.body["errors"].([]any)
	if len(errs) == 0 {
		return ""
	}
	s, _ := errs[0].(object)["code"].(string)
	return s
}

// message is the text of the first error.
func (a answer) message() string {
	errs, _ := a.body["errors"].([]any)
	if len(errs) == 0 {
		return ""
	}
	s, _ := errs[0].(object)["message"].(string)
	return s
}

// data is the data member as an object.
func (a answer) data() object {
	o, _ := a.body["data"].(object)
	return o
}

// rows is the data member as a list.
func (a answer) rows() []any {
	l, _ := a.body["data"].([]any)
	return l
}

// caller calls the interfaces, with or without a session.
type caller struct {
	g     *gateway
	token string
}

// login opens a session with generated or given credentials and must succeed.
func (g *gateway) login(app, account string) *caller {
	g.t.Helper()
	a := (&caller{g: g}).post("/security/login", object{
		"app_key": app, "app_secret": g.secrets["app_secret/"+app], "account": account, "password": g.secrets["password/"+account],
	})
	token, _ := a.body["access_token"].(string)
	if !a.ok() || token == "" {
		g.t.Fatalf("login of %s at %s: %s", account, app, a.raw)
	}
	return &caller{g: g, token: token}
}

func (c *caller) post(path string, body any) answer {
	c.g.t.Helper()
	payload, err := json.Marshal(body)
	if err != nil {
		c.g.t.Fatal(err)
	}
	return c.send(http.MethodPost, path, payload)
}

func (c *caller) get(path string, kv ...string) answer {
	c.g.t.Helper()
	q := url.Values{}
	for i := 0; i+1 < len(kv); i += 2 {
		q.Set(kv[i], kv[i+1])
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return c.send(http.MethodGet, path, nil)
}

// send sends raw bytes with the session's token and reads the envelope.
func (c *caller) send(method, path string, body []byte) answer {
	c.g.t.Helper()
	req, err := http.NewRequest(method, c.g.url(path), bytes.NewReader(body))
	if err != nil {
		c.g.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.g.do(req)
}

func (g *gateway) do(req *http.Request) answer {
	g.t.Helper()
	resp, err := g.client.Do(req)
	if err != nil {
		g.t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.raw, err = io.ReadAll(resp.Body); err != nil {
		g.t.Fatal(err)
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && len(a.raw) > 0 {
		if err := json.Unmarshal(a.raw, &a.body); err != nil {
			g.t.Fatalf("%s %s: not JSON: %v\n%s", req.Method, req.URL.Path, err, a.raw)
		}
	}
	return a
}

// generated runs a command that makes a secret and returns it.
func (g *gateway) generated(args ...string) string {
	g.t.Helper()
	var done struct{ Generated []struct{ Value string } }
	if err := json.Unmarshal([]byte(g.must(append(args, "--json")...)), &done); err != nil || len(done.Generated) != 1 {
		g.t.Fatalf("licgate %s: %v, %d generated", strings.Join(args, " "), err, len(done.Generated))
	}
	return done.Generated[0].Value
}
