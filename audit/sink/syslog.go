package sink

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Syslog sends records as syslog messages (RFC 5424) over TLS (RFC 5425), each with its length before it. The message is
// the record as JSON.
//
// Syslog has no acknowledgement. Send returns when the receiver's system has taken in all bytes (Linux; elsewhere, when
// they were written): what a receiver loses by itself is not sent again. Who cannot afford that takes HTTP.
type Syslog struct {
	Address string      // host:port; RFC 5425 gives port 6514
	TLS     *tls.Config // never nil; records leave encrypted, to a server that is known
	AppName string      // at most 48 visible ASCII characters; empty: licgate
	Timeout time.Duration

	conn *tls.Conn
	raw  net.Conn
	gone *atomic.Bool // the receiver closed conn
}

// Facility and severities (RFC 5424, section 6.2.1).
const (
	logAudit = 13
	warning  = 4 // not allowed
	notice   = 5 // failed
	info     = 6
)

// Limits of header fields (RFC 5424, section 6).
const (
	maxHost  = 255
	maxApp   = 48
	maxMsgID = 32
)

// defaultTimeout bounds connecting, and writing a batch.
const defaultTimeout = 30 * time.Second

// ErrNoTLS says that a syslog sink has no TLS configuration.
var ErrNoTLS = errors.New("sink: syslog needs a TLS configuration")

var errGone = errors.New("the receiver closed the connection")

// Send writes the records, on a new connection when there is none that is well.
func (s *Syslog) Send(ctx context.Context, records [][]byte) error {
	var b []byte
	for _, r := range records {
		m := s.message(r)
		b = append(strconv.AppendInt(b, int64(len(m)), 10), ' ')
		b = append(b, m...)
	}
	if err := s.connect(ctx); err != nil {
		return fmt.Errorf("connecting to %s: %w", s.Address, err)
	}
	if err := s.write(ctx, b); err != nil {
		return fmt.Errorf("sending to %s: %w", s.Address, errors.Join(err, s.Close()))
	}
	return nil
}

func (s *Syslog) timeout() time.Duration {
	if s.Timeout > 0 {
		return s.Timeout
	}
	return defaultTimeout
}

func (s *Syslog) connect(ctx context.Context) error {
	if s.TLS == nil {
		return ErrNoTLS
	}
	if s.conn != nil && !s.gone.Load() {
		return nil
	}
	_ = s.Close() // it is gone already
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return err
	}
	config := s.TLS
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(s.Address)
		if err != nil {
			return errors.Join(err, raw.Close())
		}
		config = config.Clone()
		config.ServerName = host
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return errors.Join(err, raw.Close())
	}
	gone := new(atomic.Bool)
	go func() { // a receiver says nothing; when reading ends, it is gone
		_, _ = io.Copy(io.Discard, conn)
		gone.Store(true)
	}()
	s.conn, s.raw, s.gone = conn, raw, gone
	return nil
}

func (s *Syslog) write(ctx context.Context, b []byte) error {
	deadline := time.Now().Add(s.timeout())
	if err := s.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.raw.Close() })
	defer stop()
	if _, err := s.conn.Write(b); err != nil {
		return err
	}
	if err := drained(s.raw, deadline); err != nil {
		return err
	}
	if s.gone.Load() {
		return errGone
	}
	return nil
}

// facts are what of a record stands in the header of its message.
type facts struct {
	Time    string `json:"time"`
	Node    string `json:"node"`
	Event   string `json:"event"`
	Allow   bool   `json:"allow"`
	Outcome string `json:"outcome"`
}

// message writes a record as RFC 5424 says: PRI, version, time, host, application, process, message id, no structured
// data, and the text in UTF-8, marked as such. What cannot be read as a record, which only an alteration explains, is sent
// all the same, as a warning.
func (s *Syslog) message(record []byte) []byte {
	f := facts{Event: "request"}
	stamp := "-"
	if json.Unmarshal(record, &f) == nil {
		if at, err := time.Parse(time.RFC3339Nano, f.Time); err == nil {
			stamp = at.Format("2006-01-02T15:04:05.000000Z07:00")
		}
	}
	severity := info
	switch {
	case f.Event == "request" && !f.Allow:
		severity = warning
	case f.Outcome == "FAILURE":
		severity = notice
	}
	app := s.AppName
	if app == "" {
		app = "licgate"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%d>1 %s %s %s - %s - \ufeff", logAudit*8+severity, stamp, visible(f.Node, maxHost), visible(app, maxApp), visible(f.Event, maxMsgID))
	b.Write(record)
	return b.Bytes()
}

// visible makes a header field: printable ASCII without blanks, or "-".
func visible(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, text)
	if text == "" {
		return "-"
	}
	return text[:min(len(text), limit)]
}

// Close closes the connection.
func (s *Syslog) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn, s.raw = nil, nil
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
