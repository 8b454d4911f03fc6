package gm_test

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The test binary, run with this variable, is a Transit service: a second process that speaks the engine's protocol over TLS on loopback,
// with keys of its own that never leave it. The value is the folder where it leaves its certificate.
const serverVariable = "LICGATE_TEST_TRANSIT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverVariable); dir != "" {
		if err := serveTransit(dir, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if hardened() {
		return
	}
	os.Exit(m.Run())
}

// service is the state of the process: keys by name, versions from 1.
type service struct {
	mu            sync.Mutex
	token         string
	keys          map[string][]cipher.AEAD
	minDecryption int
	sealed        bool
	status        int // instead of an answer
	body          string
	delay         time.Duration
}

// serveTransit answers until commands ends. A command is a line, answered by a line when it is done.
func serveTransit(dir string, commands io.Reader, out io.Writer) error {
	certificate, err := selfSigned(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &service{token: "s.first", keys: map[string][]cipher.AEAD{}}
	server := &http.Server{Handler: s, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}, ErrorLog: nil, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	if _, err := fmt.Fprintln(out, "https://"+listener.Addr().String()); err != nil {
		return err
	}
	lines := bufio.NewScanner(commands)
	for lines.Scan() {
		s.command(lines.Text())
		if _, err := fmt.Fprintln(out, "done"); err != nil {
			return err
		}
	}
	return server.Close()
}

// selfSigned makes a certificate for 127.0.0.1, and leaves it at path for those who are to trust it.
func selfSigned(path string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "transit"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(path, content, 0o600)
}

func (s *service) command(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "key": // makes a key, or its next version
		secret := make([]byte, 32)
		_, _ = rand.Read(secret)
		block, _ := aes.NewCipher(secret)
		aead, _ := cipher.NewGCM(block)
		s.keys[rest] = append(s.keys[rest], aead)
	case "min":
		s.minDecryption, _ = strconv.Atoi(rest)
	case "token":
		s.token = rest
	case "seal":
		s.sealed = rest == "true"
	case "answer": // status and body instead of an answer; "0": none
		status, body, _ := strings.Cut(rest, " ")
		s.status, _ = strconv.Atoi(status)
		s.body = body
	case "delay":
		s.delay, _ = time.ParseDuration(rest)
	}
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	delay := s.delay
	s.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	status, answer := s.answer(r, body)
	w.Header().Set("Content-Type", "application/json")
	if status >= 300 && status < 400 {
		w.Header().Set("Location", "https://127.0.0.1:1/"+r.URL.Path)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

// answer is that of a Transit engine at the mount "transit".
func (s *service) answer(r *http.Request, body []byte) (int, string) {
	fail := func(status int, text string) (int, string) {
		content, _ := json.Marshal(map[string][]string{"errors": {text}})
		return status, string(content)
	}
	switch {
	case s.status != 0:
		// An error text may hold what was sent: ours must not repeat it.
		echo := string(body) + r.Header.Get("X-Vault-Token")
		return s.status, strings.NewReplacer("ECHO", echo, "BIG", strings.Repeat("x", 70_000)).Replace(s.body)
	case s.sealed:
		return fail(http.StatusServiceUnavailable, "Vault is sealed")
	case r.Header.Get("X-Vault-Token") != s.token || r.Header.Get("X-Vault-Request") != "true":
		return fail(http.StatusForbidden, "permission denied")
	case r.Method != http.MethodPost && r.Method != http.MethodPut:
		return fail(http.StatusMethodNotAllowed, "unsupported operation")
	}
	var ask struct{ Plaintext, Ciphertext string }
	if json.Unmarshal(body, &ask) != nil {
		return fail(http.StatusBadRequest, "failed to parse JSON input")
	}
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/transit/"), "/")
	if len(path) != 2 {
		return http.StatusNotFound, `{"errors":[]}`
	}
	versions := s.keys[path[1]]
	if len(versions) == 0 {
		return fail(http.StatusBadRequest, "encryption key not found")
	}
	data := map[string]any{}
	switch path[0] {
	case "encrypt":
		plaintext, err := base64.StdEncoding.DecodeString(ask.Plaintext)
		if err != nil {
			return fail(http.StatusBadRequest, "failed to base64-decode plaintext")
		}
		aead := versions[len(versions)-1]
		nonce := make([]byte, aead.NonceSize())
		_, _ = rand.Read(nonce)
		data["ciphertext"] = fmt.Sprintf("vault:v%d:%s", len(versions), base64.StdEncoding.EncodeToString(aead.Seal(nonce, nonce, plaintext, nil)))
		data["key_version"] = len(versions)
	case "decrypt":
		parts := strings.SplitN(ask.Ciphertext, ":", 3)
		if len(parts) != 3 || parts[0] != "vault" || !strings.HasPrefix(parts[1], "v") {
			return fail(http.StatusBadRequest, "invalid ciphertext: no prefix")
		}
		version, err := strconv.Atoi(parts[1][1:])
		if err != nil || version < 1 || version > len(versions) {
			return fail(http.StatusBadRequest, "invalid ciphertext: version is too new")
		}
		if version < s.minDecryption {
			return fail(http.StatusBadRequest, "ciphertext or signature version is disallowed by policy (too old)")
		}
		aead := versions[version-1]
		sealed, err := base64.StdEncoding.DecodeString(parts[2])
		if err != nil || len(sealed) < aead.NonceSize() {
			return fail(http.StatusBadRequest, "invalid ciphertext: could not decode base64")
		}
		plaintext, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
		if err != nil {
			return fail(http.StatusBadRequest, "cipher: message authentication failed")
		}
		data["plaintext"] = base64.StdEncoding.EncodeToString(plaintext)
	default:
		return http.StatusNotFound, `{"errors":[]}`
	}
	content, _ := json.Marshal(map[string]any{
		"request_id": "8375227a-4a9f-a108-0b89-84c448419e80", "lease_id": "", "renewable": false, "lease_duration": 0,
		"data": data, "wrap_info": nil, "warnings": nil, "auth": nil,
	})
	return http.StatusOK, string(content)
}

// vault is a running Transit service, as its users see it.
type vault struct {
	t        *testing.T
	address  string
	dir      string
	commands io.Writer
	answers  *bufio.Reader
}

func startVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{t: t, dir: t.TempDir()}
	c := exec.Command(os.Args[0], "-test.run", "^$")
	c.Env = append(os.Environ(), serverVariable+"="+v.dir)
	var said bytes.Buffer
	c.Stderr = &said
	commands, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = commands.Close()
		if err := c.Wait(); err != nil {
			t.Errorf("the Transit service: %v: %s", err, said.String())
		}
	})
	v.commands, v.answers = commands, bufio.NewReader(out)
	line, err := v.answers.ReadString('\n')
	if err != nil {
		t.Fatalf("the Transit service says nothing: %v: %s", err, said.String())
	}
	v.address = strings.TrimSpace(line)
	v.do("key licgate")
	v.writeToken("s.first\n")
	return v
}

// do changes the service.
func (v *vault) do(format string, args ...any) {
	v.t.Helper()
	if _, err := fmt.Fprintf(v.commands, format+"\n", args...); err != nil {
		v.t.Fatal(err)
	}
	if line, err := v.answers.ReadString('\n'); err != nil || line != "done\n" {
		v.t.Fatalf("the Transit service answers %q, error %v", line, err)
	}
}

func (v *vault) tokenFile() string { return filepath.Join(v.dir, "token") }

func (v *vault) writeToken(token string) {
	v.t.Helper()
	if err := os.WriteFile(v.tokenFile(), []byte(token), 0o600); err != nil {
		v.t.Fatal(err)
	}
}
