package anchor

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"licgate/audit/ledger"
)

const account = "0x00112233445566778899aabbccddeeff00112233"

// chain answers as a node does: a transaction is mined when it was asked for often enough.
type chain struct {
	mu     sync.Mutex
	sent   []map[string]string
	asked  int
	mined  int    // after so many questions; 0: never
	status string // of the transaction
	fault  string // what is answered instead
}

func (c *chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault != "" {
		_, _ = w.Write([]byte(c.fault))
		return
	}
	var q struct {
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
	}
	_ = json.NewDecoder(r.Body).Decode(&q)
	result := "null"
	switch q.Method {
	case "eth_chainId":
		result = `"0x539"`
	case "eth_sendTransaction":
		var t map[string]string
		_ = json.Unmarshal(q.Params[0], &t)
		c.sent = append(c.sent, t)
		result = `"0xabc"`
	case "eth_getTransactionReceipt":
		if c.asked++; c.mined > 0 && c.asked >= c.mined {
			result = `{"status":"` + c.status + `","blockNumber":"0x7","blockHash":"0xdef"}`
		}
	}
	_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":` + result + `}`))
}

func (c *chain) anchor(t *testing.T) *EVM {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return &EVM{URL: server.URL, From: account, Every: time.Microsecond, Within: 50 * time.Millisecond}
}

func TestEVM(t *testing.T) {
	t.Parallel()
	c := &chain{mined: 3, status: "0x1"}
	signed := &ledger.Signed{Note: []byte("note")}
	kept, err := c.anchor(t).Keep(t.Context(), nil, signed)
	if err != nil {
		t.Fatal(err)
	}
	hash := ledger.Leaf(signed.Note)
	want := map[string]string{"from": account, "to": account, "data": "0x" + hex.EncodeToString([]byte("licgate1")) + hex.EncodeToString(hash[:])}
	if len(c.sent) != 1 || c.sent[0]["data"] != want["data"] || c.sent[0]["from"] != account || c.sent[0]["to"] != account {
		t.Errorf("sent: %v", c.sent)
	}
	var receipt EVMReceipt
	if err := json.Unmarshal(kept.Answer, &receipt); err != nil || receipt != (EVMReceipt{Chain: "0x539", Transaction: "0xabc", Block: "0x7", BlockHash: "0xdef", Hash: hash}) {
		t.Errorf("%s, %v", kept.Answer, err)
	}
}

// TestEVMRefuses: what is not in a block, or failed there, is not kept, and is sent again; errors do not repeat what the node says.
func TestEVMRefuses(t *testing.T) {
	t.Parallel()
	signed := &ledger.Signed{Note: []byte("note")}
	for what, c := range map[string]*chain{
		"never mined": {}, "failed": {mined: 1, status: "0x0"}, "no JSON": {fault: "secret"}, "error": {fault: `{"error":{"code":-32000,"message":"secret"}}`},
		"another type": {fault: `{"result":{"a":1}}`},
	} {
		a := c.anchor(t)
		_, err := a.Keep(t.Context(), nil, signed)
		if !errors.Is(err, ErrAnswer) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", what, err)
		}
		if c.fault != "" {
			continue
		}
		c.mu.Lock()
		c.mined, c.status = 1, "0x1"
		c.mu.Unlock()
		if _, err := a.Keep(t.Context(), nil, signed); err != nil || len(c.sent) != 2 {
			t.Errorf("%s: then %v, sent %d times", what, err, len(c.sent))
		}
	}
	for _, text := range []string{"", "0x", account[2:], account + "0", "0x" + strings.Repeat("g", 40)} {
		if ValidEVMAccount(text) {
			t.Errorf("%q is an account", text)
		}
	}
	if !ValidEVMAccount(account) {
		t.Error("an account is none")
	}
}
