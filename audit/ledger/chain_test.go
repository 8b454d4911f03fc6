package ledger

import (
	"encoding/json"
	"strings"
	"testing"

	"licgate/gm"
)

func TestChain(t *testing.T) {
	t.Parallel()
	var first Chain
	one := first.Next([]byte("one"))
	leaf := gm.SM3([]byte("\x00one"))
	if want := Chain(gm.SM3([]byte("\x01" + strings.Repeat("\x00", 32) + string(leaf[:])))); one != want {
		t.Errorf("Next = %s, want %s", one, want)
	}
	if one.Next([]byte("two")) == first.Next([]byte("two")) {
		t.Error("the previous value does not count")
	}
	if first != (Chain{}) {
		t.Error("Next changed its receiver")
	}
}

// The bytes of stored journals: they never change.
func TestChainIsFrozen(t *testing.T) {
	t.Parallel()
	const want = "ce2540fb5c932ca93b42bff3b09dfbe6338ebd2627145dc0f26d307c45093cb1"
	if got := (Chain{}).Next([]byte(`{"a":1}`)).Next(nil).String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestChainText(t *testing.T) {
	t.Parallel()
	value := (Chain{}).Next([]byte("x"))
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var back Chain
	if err := json.Unmarshal(text, &back); err != nil || back != value || string(text) != `"`+value.String()+`"` {
		t.Errorf("%s, %v, %v", text, back, err)
	}
	for _, wrong := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("0", 66), strings.Repeat("g", 64)} {
		if err := new(Chain).UnmarshalText([]byte(wrong)); err == nil {
			t.Errorf("%q is read", wrong)
		}
	}
}
