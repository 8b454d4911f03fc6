package caddymodule

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"licgate/audit"
	"licgate/audit/ledger"
	"licgate/protocol"
)

// TestDurable: no route's setting lets a write go on record late.
func TestDurable(t *testing.T) {
	t.Parallel()
	create, auth := protocol.Find(protocol.Create), protocol.Find(protocol.Auth)
	for _, test := range []struct {
		what    string
		method  string
		call    *protocol.Call
		foreign bool
		kind    string
		want    audit.Durability
	}{
		{"nothing known", http.MethodGet, nil, false, "", audit.BestEffort},
		{"use", http.MethodPost, &protocol.Call{Endpoint: auth}, false, audit.KindUse, audit.BestEffort},
		{"life cycle", http.MethodPost, &protocol.Call{Endpoint: create}, false, audit.KindLifeCycle, audit.Strict},
		{"read behind a guard", http.MethodGet, &protocol.Call{Endpoint: auth}, true, audit.KindUse, audit.BestEffort},
		{"write behind a guard", http.MethodPost, &protocol.Call{Endpoint: auth}, true, audit.KindUse, audit.Strict},
	} {
		way := &trip{call: test.call, foreign: test.foreign}
		if test.call != nil && !test.foreign {
			way.endpoint = test.call.Endpoint
		}
		if kind := way.kindOf(); kind != test.kind {
			t.Errorf("%s: kind %q, want %q", test.what, kind, test.kind)
		}
		w := &recorder{trip: way, request: httptest.NewRequest(test.method, "/", nil), durability: audit.BestEffort}
		if got := w.durable(); got != test.want {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
	}
}

// TestGuestsRefuse: addresses that would take records or checkpoints to anybody on the way, and keys that are none.
func TestGuestsRefuse(t *testing.T) {
	t.Parallel()
	for address, well := range map[string]bool{
		"https://a.example/x": true, "http://127.0.0.1:1/x": true, "http://localhost/x": true, "http://[::1]/x": true,
		"http://a.example/x": false, "https://user:secret@a.example/": false, "a.example": false, "": false, "file:///etc/passwd": false,
		"http://127.0.0.1.a.example/": false,
	} {
		if _, _, err := (Posting{URL: address}).ready(); (err == nil) != well {
			t.Errorf("%q: %v", address, err)
		}
	}
	if err := (&AnchorWitness{URL: "https://a.example", Keys: []string{"no key"}}).Provision(caddy.Context{}); !errors.Is(err, ledger.ErrKey) {
		t.Errorf("a key that is none: %v", err)
	}
	if (&AnchorWitness{URL: "https://a.example"}).Provision(caddy.Context{}) == nil {
		t.Error("a witness without keys")
	}
	if (&AnchorEVM{Posting: Posting{URL: "https://a.example"}, Account: "0x1"}).Provision(caddy.Context{}) == nil {
		t.Error("an account that is none")
	}
	if (&SinkSyslog{Address: "a.example:6514", CA: "/nosuch"}).Provision(caddy.Context{}) == nil {
		t.Error("root certificates that are not there")
	}
}

// TestQueryValues: what the command asks is what the endpoint reads, large numbers too.
func TestQueryValues(t *testing.T) {
	t.Parallel()
	want := auditQuery{Department: "11110000000021135M", Account: "张&三=1", Limit: 1_000_000}
	text, err := queryValues(want)
	if err != nil {
		t.Fatal(err)
	}
	var got auditQuery
	if err := decodeQuestion(httptest.NewRequest(http.MethodGet, "/?"+text, nil), nil, &got); err != nil || got != want {
		t.Errorf("%s: %+v, %v", text, got, err)
	}
}
