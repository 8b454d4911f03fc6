package sink

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"licgate/audit"
)

var errEnd = errors.New("no more records")

// list is a source of records 1 to n, which ends.
func list(n int) Source {
	return func(_ context.Context, after uint64, visit func(uint64, []byte) error) error {
		shared := make([]byte, 0, 100) // as a journal's buffer
		for i := after + 1; i <= uint64(n); i++ {
			shared = fmt.Appendf(shared[:0], `{"sequence":%d}`, i)
			if err := visit(i, shared); err != nil {
				return err
			}
		}
		return errEnd
	}
}

// flaky takes records, and fails as often as it is told: before it has them, or after.
type flaky struct {
	mu       sync.Mutex
	got      []string
	failures int
	late     bool
	sizes    []int
}

var errFlaky = errors.New("down")

func (f *flaky) Send(_ context.Context, records [][]byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fail := f.failures > 0
	if fail {
		f.failures--
		if !f.late {
			return errFlaky
		}
	}
	f.sizes = append(f.sizes, len(records))
	for _, r := range records {
		f.got = append(f.got, string(r))
	}
	if fail {
		return errFlaky
	}
	return nil
}

func (*flaky) Close() error { return nil }

func noWait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func sequences(from, to int) (want []string) {
	for i := from; i <= to; i++ {
		want = append(want, fmt.Sprintf(`{"sequence":%d}`, i))
	}
	return want
}

func TestForwarder(t *testing.T) {
	t.Parallel()
	cursor := filepath.Join(t.TempDir(), "cursor")
	for i, test := range []struct {
		n, failures int
		late        bool
		from        int
	}{{1200, 0, false, 1}, {1300, 3, false, 1201}, {1300, 0, false, 1301}, {1301, 1, true, 1301}} {
		s := &flaky{failures: test.failures, late: test.late}
		f := &Forwarder{Name: "x", Source: list(test.n), Sink: s, Cursor: cursor, Wait: noWait}
		if err := f.Run(t.Context()); !errors.Is(err, errEnd) {
			t.Fatal(err)
		}
		want := sequences(test.from, test.n)
		if test.late {
			want = append(want, want...) // twice, rather than not at all
		}
		if !slices.Equal(s.got, want) {
			t.Errorf("%d: got %d records, want %d", i, len(s.got), len(want))
		}
		if slices.ContainsFunc(s.sizes, func(n int) bool { return n > batchRecords }) {
			t.Errorf("batches of %v", s.sizes)
		}
		if status := f.Status(); status.Sent != uint64(test.n) || status.Failing != nil {
			t.Errorf("%+v", status)
		}
	}
}

// TestForwarderSaysWhy it fails, stops when it is told to, and sends again what was not confirmed.
func TestForwarderSaysWhy(t *testing.T) {
	t.Parallel()
	cursor := filepath.Join(t.TempDir(), "cursor")
	ctx, cancel := context.WithCancel(t.Context())
	f := &Forwarder{Name: "x", Source: list(5000), Sink: &flaky{failures: 1 << 30}, Cursor: cursor}
	var waits []time.Duration
	f.Wait = func(ctx context.Context, d time.Duration) error {
		if waits = append(waits, d); len(waits) == 15 {
			if status := f.Status(); !errors.Is(status.Failing, errFlaky) || status.FailedAt.IsZero() || status.Sent != 0 {
				t.Errorf("%+v", status)
			}
			cancel()
		}
		return ctx.Err()
	}
	if err := f.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if waits[0] != firstWait || waits[1] != 2*firstWait || waits[14] != longestWait {
		t.Errorf("waits %v", waits)
	}
	s := &flaky{}
	if err := (&Forwarder{Source: list(5), Sink: s, Cursor: cursor}).Run(t.Context()); !errors.Is(err, errEnd) || len(s.got) != 5 {
		t.Errorf("%v, %v", s.got, err)
	}
	if err := os.WriteFile(cursor, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&Forwarder{Source: list(5), Sink: s, Cursor: cursor}).Run(t.Context()); !errors.Is(err, ErrCursor) {
		t.Errorf("%v", err)
	}
	if err := sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	// A cursor that cannot be written is a failure: the records are sent again rather than forgotten.
	f = &Forwarder{Source: list(1), Sink: s, Cursor: filepath.Join(t.TempDir(), "none", "cursor"), Wait: func(context.Context, time.Duration) error { return errFlaky }}
	if err := f.Run(t.Context()); !errors.Is(err, errFlaky) || f.Status().Failing == nil {
		t.Errorf("%v", err)
	}
}

// TestJournalToLines is the real thing: a journal, followed into a file.
func TestJournalToLines(t *testing.T) {
	t.Parallel()
	j, _, err := audit.OpenJournal(t.TempDir(), audit.Options{Node: "gw-1", SegmentSize: 2000})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "records.jsonl")
	f := &Forwarder{Name: "file", Source: j.Follow, Sink: Lines{Path: path}, Cursor: path + ".cursor"}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f.Run(t.Context()); !errors.Is(err, audit.ErrUnavailable) { // the journal was closed
			t.Errorf("%v", err)
		}
	})
	for i := range 100 {
		if err := j.Append(t.Context(), &audit.Record{ResponseID: fmt.Sprint(i), Time: time.Now(), Event: audit.EventRequest}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	content, err := os.ReadFile(path)
	if err != nil || bytes.Count(content, []byte("\n")) != 100 || !bytes.Contains(content, []byte(`"response_id":"99"`)) {
		t.Errorf("%d lines, %v", bytes.Count(content, []byte("\n")), err)
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x")
	send := func(records ...string) {
		t.Helper()
		var list [][]byte
		for _, r := range records {
			list = append(list, []byte(r))
		}
		if err := (Lines{Path: path}).Send(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	send("a", "b")
	if err := os.WriteFile(path, []byte("a\nb\nhal"), 0o600); err != nil { // a crash
		t.Fatal(err)
	}
	send("c")
	if err := os.Rename(path, path+".1"); err != nil { // rotated
		t.Fatal(err)
	}
	send("d")
	for name, want := range map[string]string{path + ".1": "a\nb\nhal\nc\n", path: "d\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := (Lines{Path: t.TempDir()}).Send(t.Context(), nil); err == nil {
		t.Error("a folder is written to")
	}
	if err := (Lines{Path: os.DevNull}).Send(t.Context(), [][]byte{[]byte("x")}); err != nil {
		t.Errorf("%v", err)
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	status.Store(200)
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-ndjson" || r.Header.Get("Authorization") != "Bearer x" {
			t.Errorf("%s %v %v", r.Method, r.Header, err)
		}
		got = append(got, string(body))
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(status.Load()))
		fmt.Fprint(w, "secret")
	}))
	defer server.Close()
	h := &HTTP{URL: server.URL, Header: http.Header{"Authorization": {"Bearer x"}}}
	send := func() error { return h.Send(t.Context(), [][]byte{[]byte(`{"a":1}`), []byte(`{"b":2}`)}) }
	if err := send(); err != nil || !slices.Equal(got, []string{"{\"a\":1}\n{\"b\":2}\n"}) {
		t.Errorf("%q, %v", got, err)
	}
	for _, code := range []int{302, 307, 400, 429, 503} {
		status.Store(int64(code))
		if err := send(); !errors.Is(err, ErrAnswer) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: %v", code, err)
		}
	}
	if len(got) != 6 {
		t.Errorf("%d requests: a redirect was followed", len(got))
	}
	server.Close()
	if err := send(); err == nil {
		t.Error("nobody there, no error")
	}
	if err := (&HTTP{URL: ":"}).Send(t.Context(), nil); err == nil {
		t.Error("no address, no error")
	}
	if err := errors.Join(h.Close(), (&HTTP{Client: &http.Client{}}).Close()); err != nil {
		t.Error(err)
	}
}

// collector is a syslog receiver over TLS.
type collector struct {
	net.Listener
	pool  *x509.CertPool
	lines chan string
	mu    sync.Mutex
	conns []net.Conn
}

func collect(t *testing.T) *collector {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "localhost:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{Listener: l, pool: x509.NewCertPool(), lines: make(chan string, 1000)}
	c.pool.AddCert(cert)
	go c.accept()
	t.Cleanup(func() { l.Close(); c.drop() })
	return c
}

func (c *collector) accept() {
	for {
		conn, err := c.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.conns = append(c.conns, conn)
		c.mu.Unlock()
		go func() {
			in := bufio.NewReader(conn)
			for {
				length, err := in.ReadString(' ')
				if err != nil {
					return
				}
				n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
				if err != nil {
					c.lines <- "bad length " + length
					return
				}
				m := make([]byte, n)
				if _, err := io.ReadFull(in, m); err != nil {
					return
				}
				c.lines <- string(m)
			}
		}()
	}
}

// drop closes what was accepted.
func (c *collector) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

func (c *collector) sink() *Syslog {
	_, port, _ := net.SplitHostPort(c.Addr().String())
	return &Syslog{Address: net.JoinHostPort("localhost", port), TLS: &tls.Config{RootCAs: c.pool}, Timeout: 5 * time.Second}
}

// rfc5424 is the grammar of the header as far as we use it.
var rfc5424 = regexp.MustCompile(`^<(\d+)>1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d\d:\d\d)) ([!-~]{1,255}) ([!-~]{1,48}) - ([!-~]{1,32}) - \x{FEFF}(.*)$`)

func TestSyslog(t *testing.T) {
	t.Parallel()
	c := collect(t)
	s := c.sink()
	defer s.Close()
	for _, test := range []struct{ record, want string }{
		{`{"node":"gw-1","time":"2020-05-22T10:30:00.123456789+08:00","event":"request","allow":true,"outcome":"SUCCESS"}`, "110 2020-05-22T10:30:00.123456+08:00 gw-1 licgate request"},
		{`{"node":"北京 1","time":"2020-05-22T10:30:00Z","event":"request","allow":false,"outcome":"FAILURE"}`, "108 2020-05-22T10:30:00.000000Z ___1 licgate request"},
		{`{"node":"","time":"2020-05-22T10:30:00Z","event":"admin","allow":false,"outcome":"FAILURE"}`, "109 2020-05-22T10:30:00.000000Z - licgate admin"},
		{`{"node":"` + strings.Repeat("n", 300) + `","time":"2020-05-22T10:30:00Z","event":"stop","outcome":"SUCCESS"}`, "110 2020-05-22T10:30:00.000000Z " + strings.Repeat("n", 255) + " licgate stop"},
		{`garbage`, "108 - - licgate request"},
	} {
		if err := s.Send(t.Context(), [][]byte{[]byte(test.record), []byte(test.record)}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			m := rfc5424.FindStringSubmatch(<-c.lines)
			if m == nil || strings.Join(m[1:6], " ") != test.want || m[6] != test.record {
				t.Errorf("got  %q\nwant %s", m, test.want)
			}
		}
	}
}

// TestSyslogComesBack: when the receiver goes away, sending fails rather than losing records, and then connects again.
func TestSyslogComesBack(t *testing.T) {
	t.Parallel()
	c := collect(t)
	s := c.sink()
	records := [][]byte{[]byte(`{"time":"2020-05-22T10:30:00Z"}`)}
	if err := s.Send(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	<-c.lines
	c.drop()
	for !s.gone.Load() {
		time.Sleep(time.Millisecond)
	}
	if err := s.Send(t.Context(), records); err != nil { // a new connection
		t.Fatal(err)
	}
	<-c.lines
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Send(ctx, records); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	other := c.sink()
	other.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
	if err := other.Send(t.Context(), records); err == nil {
		t.Error("an unknown receiver gets records")
	}
	other.TLS = nil
	if err := other.Send(t.Context(), records); !errors.Is(err, ErrNoTLS) {
		t.Errorf("%v", err)
	}
	c.Listener.Close()
	c.drop()
	for range 100 { // whatever the moment, no record is taken for sent that was not
		if err := s.Send(t.Context(), records); err != nil {
			return
		}
		<-c.lines
	}
	t.Error("the receiver is gone, and records are sent")
}
