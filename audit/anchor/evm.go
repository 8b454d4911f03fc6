package anchor

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"licgate/audit/ledger"
)

// EVM writes the hash of checkpoints into a chain with Ethereum's JSON-RPC, as the data of a transaction that an account of the node
// sends to itself: eth_sendTransaction, then eth_getTransactionReceipt until it is in a block. The node holds the account's key; it
// belongs to whoever runs it, not to the gateway. The receipt kept is JSON: chain, transaction, block.
type EVM struct {
	URL    string
	From   string       // the account, 0x and 40 hexadecimal digits
	Header http.Header  // in every request: authorization
	Client *http.Client // nil: one with a timeout that follows no redirects
	// Every is how often is asked whether the transaction is in a block; 0: each second. Within is for how long; 0: two minutes.
	Every, Within time.Duration

	pending string // transaction of a checkpoint that was sent, and is not known to be in a block
	sent    ledger.Hash
}

// EVMReceipt says where a checkpoint's hash stands: the data of the transaction is evmMark and the hash.
type EVMReceipt struct {
	Chain       string      `json:"chain"` // eth_chainId
	Transaction string      `json:"transaction"`
	Block       string      `json:"block"` // number
	BlockHash   string      `json:"block_hash"`
	Hash        ledger.Hash `json:"hash"` // SM3 of the signed note behind a zero byte, as of a leaf (RFC 6962)
}

// evmMark begins the data, so that a transaction says what it is: "licgate1".
const evmMark = "6c69636761746531"

// Keep sends the transaction and waits until it is in a block. One that was sent and not seen in a block is looked for first.
func (e *EVM) Keep(ctx context.Context, _ Log, c *ledger.Signed) (Kept, error) {
	hash := ledger.Leaf(c.Note)
	if e.pending == "" || e.sent != hash {
		transaction := map[string]string{"from": e.From, "to": e.From, "data": "0x" + evmMark + hex.EncodeToString(hash[:])}
		var id string
		if err := e.call(ctx, "eth_sendTransaction", &id, transaction); err != nil {
			return Kept{}, err
		}
		e.pending, e.sent = id, hash
	}
	receipt := EVMReceipt{Transaction: e.pending, Hash: hash}
	if err := e.call(ctx, "eth_chainId", &receipt.Chain); err != nil {
		return Kept{}, err
	}
	mined, err := e.mined(ctx)
	if err == nil || errors.Is(err, errNotMined) {
		e.pending = "" // it is sent again: a node may drop what it took
	}
	if err != nil {
		return Kept{}, err
	}
	if mined.Status != "0x1" {
		return Kept{}, fmt.Errorf("%w: the transaction failed", ErrAnswer)
	}
	receipt.Block, receipt.BlockHash = mined.BlockNumber, mined.BlockHash
	answer, err := json.Marshal(receipt)
	return Kept{Answer: answer}, err
}

// evmMined is what of a transaction's receipt is read.
type evmMined struct {
	Status      string `json:"status"`
	BlockNumber string `json:"blockNumber"`
	BlockHash   string `json:"blockHash"`
}

var errNotMined = errors.New("the transaction is in no block")

func (e *EVM) mined(ctx context.Context) (*evmMined, error) {
	every, within := e.Every, e.Within
	if every <= 0 {
		every = time.Second
	}
	if within <= 0 {
		within = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		var found *evmMined
		err := e.call(ctx, "eth_getTransactionReceipt", &found, e.pending)
		if err == nil && found != nil && found.BlockNumber != "" {
			return found, nil
		}
		if err == nil {
			err = sleep(ctx, every)
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w: %w", ErrAnswer, errNotMined, err)
		}
		if err != nil {
			return nil, err
		}
	}
}

// call asks the node. What it says of an error is not repeated: it may hold what was sent.
func (e *EVM) call(ctx context.Context, method string, into any, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	status, _, text, err := post(ctx, e.Client, e.URL, e.Header, "application/json", body)
	if err != nil {
		return err
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	switch {
	case status != http.StatusOK:
		return fmt.Errorf("%w: %s: HTTP %d", ErrAnswer, method, status)
	case json.Unmarshal(text, &answer) != nil:
		return fmt.Errorf("%w: %s: no JSON", ErrAnswer, method)
	case answer.Error != nil:
		return fmt.Errorf("%w: %s: error %d", ErrAnswer, method, answer.Error.Code)
	case json.Unmarshal(answer.Result, into) != nil:
		return fmt.Errorf("%w: %s: another type", ErrAnswer, method)
	}
	return nil
}

// ValidEVMAccount reports whether text is an account: 0x and 40 hexadecimal digits.
func ValidEVMAccount(text string) bool {
	digits, ok := strings.CutPrefix(text, "0x")
	b, err := hex.DecodeString(digits)
	return ok && err == nil && len(b) == 20
}
