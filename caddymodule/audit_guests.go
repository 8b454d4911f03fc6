package caddymodule

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"licgate/audit/anchor"
	"licgate/audit/ledger"
	"licgate/audit/sink"
)

func init() {
	for _, m := range []caddy.Module{AnchorFile{}, AnchorHTTP{}, AnchorWitness{}, AnchorEVM{}, SinkSyslog{}, SinkLines{}, SinkHTTP{}} {
		caddy.RegisterModule(m)
	}
}

// AnchorFile appends checkpoints to a file, each a JSON string a line: on another system's disk, or one that only appends.
//
// Syntax:
//
//	anchor <name> file <path>
type AnchorFile struct {
	Path string `json:"path"`
}

// CaddyModule returns the Caddy module information.
func (AnchorFile) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: anchorSpace + ".file", New: func() caddy.Module { return new(AnchorFile) }}
}

// UnmarshalCaddyfile parses the line.
func (a *AnchorFile) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return oneArgument(d, &a.Path) }

// Keep appends the checkpoint.
func (a *AnchorFile) Keep(ctx context.Context, log anchor.Log, c *ledger.Signed) (anchor.Kept, error) {
	return anchor.File{Path: a.Path}.Keep(ctx, log, c)
}

// AnchorHTTP posts checkpoints as text/plain to a service that keeps them; its answer is the receipt.
//
// Syntax:
//
//	anchor <name> http <url> {
//		header <name> <value>
//	}
type AnchorHTTP struct {
	Posting
	to anchor.HTTP
}

// CaddyModule returns the Caddy module information.
func (AnchorHTTP) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: anchorSpace + ".http", New: func() caddy.Module { return new(AnchorHTTP) }}
}

// Provision checks the address.
func (a *AnchorHTTP) Provision(caddy.Context) (err error) {
	a.to.URL, a.to.Header, err = a.ready()
	return err
}

// Keep posts the checkpoint.
func (a *AnchorHTTP) Keep(ctx context.Context, log anchor.Log, c *ledger.Signed) (anchor.Kept, error) {
	return a.to.Keep(ctx, log, c)
}

// AnchorWitness has checkpoints cosigned by the witness of another department (C2SP tlog-witness), which refuses a fork.
//
// Syntax:
//
//	anchor <name> witness <url> <verifier key…>
type AnchorWitness struct {
	URL string `json:"url"` // submission prefix
	// Keys are the witness's verifier keys; all of them have to sign.
	Keys []string `json:"keys"`
	to   anchor.Witness
}

// CaddyModule returns the Caddy module information.
func (AnchorWitness) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: anchorSpace + ".witness", New: func() caddy.Module { return new(AnchorWitness) }}
}

// UnmarshalCaddyfile parses the line.
func (a *AnchorWitness) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	args := d.RemainingArgs()
	if len(args) < 2 {
		return d.ArgErr()
	}
	a.URL, a.Keys = args[0], args[1:]
	return nil
}

// Provision checks address and keys.
func (a *AnchorWitness) Provision(caddy.Context) (err error) {
	if a.to.URL, _, err = (Posting{URL: a.URL}).ready(); err != nil {
		return err
	}
	if a.to.Keys, err = parseVerifiers(a.Keys); err == nil && len(a.Keys) == 0 {
		err = errors.New("a witness needs its verifier keys")
	}
	return err
}

// Keep gets the cosignatures.
func (a *AnchorWitness) Keep(ctx context.Context, log anchor.Log, c *ledger.Signed) (anchor.Kept, error) {
	return a.to.Keep(ctx, log, c)
}

// AnchorEVM writes the hash of checkpoints into a chain with Ethereum's JSON-RPC, as the data of a transaction. The node holds the
// account's key.
//
// Syntax:
//
//	anchor <name> evm <url> <account> {
//		header <name> <value>
//	}
type AnchorEVM struct {
	Posting
	// Account sends the transactions, to itself: 0x and 40 hexadecimal digits.
	Account string `json:"account"`
	to      anchor.EVM
}

// CaddyModule returns the Caddy module information.
func (AnchorEVM) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: anchorSpace + ".evm", New: func() caddy.Module { return new(AnchorEVM) }}
}

// UnmarshalCaddyfile parses the line and its block.
func (a *AnchorEVM) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&a.URL, &a.Account) {
		return d.ArgErr()
	}
	return a.unmarshalBlock(d)
}

// Provision checks address and account.
func (a *AnchorEVM) Provision(caddy.Context) (err error) {
	if !anchor.ValidEVMAccount(a.Account) {
		return errors.New("the account must be 0x and 40 hexadecimal digits")
	}
	a.to.From = a.Account
	a.to.URL, a.to.Header, err = a.ready()
	return err
}

// Keep sends the transaction.
func (a *AnchorEVM) Keep(ctx context.Context, log anchor.Log, c *ledger.Signed) (anchor.Kept, error) {
	return a.to.Keep(ctx, log, c)
}

// SinkSyslog sends records as syslog (RFC 5424) over TLS (RFC 5425).
//
// Syntax:
//
//	sink <name> syslog <host:port> {
//		ca          <file>
//		certificate <file> <key file>
//	}
type SinkSyslog struct {
	Address string `json:"address"`
	// CA is a file of root certificates. Default: the system's.
	CA string `json:"ca,omitempty"`
	// Certificate and Key are files of what the receiver is shown. Default: nothing.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
	to          sink.Syslog
}

// CaddyModule returns the Caddy module information.
func (SinkSyslog) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: sinkSpace + ".syslog", New: func() caddy.Module { return new(SinkSyslog) }}
}

// UnmarshalCaddyfile parses the line and its block.
func (s *SinkSyslog) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&s.Address) || d.NextArg() {
		return d.ArgErr()
	}
	return words(d, func(word string) error {
		switch word {
		case "ca":
			return one(d, &s.CA)
		case "certificate":
			if !d.AllArgs(&s.Certificate, &s.Key) {
				return d.ArgErr()
			}
			return nil
		}
		return unknownWord(d, word)
	})
}

// Provision reads the certificates.
func (s *SinkSyslog) Provision(caddy.Context) error {
	s.to = sink.Syslog{Address: s.Address, TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
	if s.CA != "" {
		roots, err := os.ReadFile(s.CA)
		if err != nil {
			return fmt.Errorf("root certificates: %w", err)
		}
		if s.to.TLS.RootCAs = x509.NewCertPool(); !s.to.TLS.RootCAs.AppendCertsFromPEM(roots) {
			return fmt.Errorf("%s holds no certificate", s.CA)
		}
	}
	if s.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(s.Certificate, s.Key)
		if err != nil {
			return fmt.Errorf("certificate: %w", err)
		}
		s.to.TLS.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// Send sends the records.
func (s *SinkSyslog) Send(ctx context.Context, records [][]byte) error {
	return s.to.Send(ctx, records)
}

// Close closes the connection.
func (s *SinkSyslog) Close() error { return s.to.Close() }

// SinkLines appends records to a file, one JSON a line.
//
// Syntax:
//
//	sink <name> jsonl <path>
type SinkLines struct {
	Path string `json:"path"`
}

// CaddyModule returns the Caddy module information.
func (SinkLines) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: sinkSpace + ".jsonl", New: func() caddy.Module { return new(SinkLines) }}
}

// UnmarshalCaddyfile parses the line.
func (s *SinkLines) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return oneArgument(d, &s.Path) }

// Send appends the records.
func (s *SinkLines) Send(ctx context.Context, records [][]byte) error {
	return sink.Lines{Path: s.Path}.Send(ctx, records)
}

// Close does nothing: the file is open only while it is written.
func (*SinkLines) Close() error { return nil }

// SinkHTTP posts records as JSON lines; the receiver has them when it answers 2xx.
//
// Syntax:
//
//	sink <name> http <url> {
//		header <name> <value>
//	}
type SinkHTTP struct {
	Posting
	to sink.HTTP
}

// CaddyModule returns the Caddy module information.
func (SinkHTTP) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: sinkSpace + ".http", New: func() caddy.Module { return new(SinkHTTP) }}
}

// Provision checks the address.
func (s *SinkHTTP) Provision(caddy.Context) (err error) {
	s.to.URL, s.to.Header, err = s.ready()
	return err
}

// Send posts the records.
func (s *SinkHTTP) Send(ctx context.Context, records [][]byte) error { return s.to.Send(ctx, records) }

// Close closes idle connections.
func (s *SinkHTTP) Close() error { return s.to.Close() }

// Posting is an address that is posted to.
type Posting struct {
	URL string `json:"url"`
	// Header are added to each request: authorization. Values may hold placeholders such as {env.TOKEN}.
	Header map[string]string `json:"header,omitempty"`
}

// UnmarshalCaddyfile parses the line and its block.
func (p *Posting) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&p.URL) || d.NextArg() {
		return d.ArgErr()
	}
	return p.unmarshalBlock(d)
}

func (p *Posting) unmarshalBlock(d *caddyfile.Dispenser) error {
	return words(d, func(word string) error {
		var name, value string
		switch {
		case word != "header":
			return unknownWord(d, word)
		case !d.AllArgs(&name, &value):
			return d.ArgErr()
		case p.Header == nil:
			p.Header = map[string]string{}
		}
		p.Header[name] = value
		return nil
	})
}

// ready checks the address and fills in placeholders. What is posted is not for everybody: https, except to this machine.
func (p Posting) ready() (string, http.Header, error) {
	repl := caddy.NewReplacer()
	to, err := url.Parse(repl.ReplaceAll(p.URL, ""))
	if err != nil || to.Host == "" || to.User != nil || to.Scheme != "https" && !(to.Scheme == "http" && loopback(to.Hostname())) {
		return "", nil, errors.New("the address must be https (http only to this machine), without user and password")
	}
	header := http.Header{}
	for name, value := range p.Header {
		header.Set(name, repl.ReplaceAll(value, ""))
	}
	return to.String(), header, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func oneArgument(d *caddyfile.Dispenser, into *string) error {
	d.Next()
	if err := one(d, into); err != nil {
		return err
	}
	if d.NextBlock(0) {
		return unknownWord(d, d.Val())
	}
	return nil
}

// An anchor and a sink of each kind.
var (
	_ anchor.Anchor = (*AnchorFile)(nil)
	_ anchor.Anchor = (*AnchorHTTP)(nil)
	_ anchor.Anchor = (*AnchorWitness)(nil)
	_ anchor.Anchor = (*AnchorEVM)(nil)
	_ sink.Sink     = (*SinkSyslog)(nil)
	_ sink.Sink     = (*SinkLines)(nil)
	_ sink.Sink     = (*SinkHTTP)(nil)
)
