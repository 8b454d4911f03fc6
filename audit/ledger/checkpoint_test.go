package ledger

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

var testTime = time.Date(2026, 11, 24, 3, 13, 7, 0, time.UTC)

func testKeys(t testing.TB, name string) *KeyPair {
	t.Helper()
	k, err := OpenKeys(filepath.Join(t.TempDir(), "keys", "log.key"), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func logSigners(t testing.TB, k *KeyPair) (signers []Signer, keys []Verifier) {
	t.Helper()
	signers, err := k.LogSigners()
	if err != nil {
		t.Fatal(err)
	}
	return signers, verifiers(t, signers)
}

func cosigners(t testing.TB, k *KeyPair) (signers []Signer, keys []Verifier) {
	t.Helper()
	signers, err := k.Cosigners(func() time.Time { return testTime })
	if err != nil {
		t.Fatal(err)
	}
	return signers, verifiers(t, signers)
}

func verifiers(t testing.TB, signers []Signer) (keys []Verifier) {
	t.Helper()
	for _, s := range signers {
		v, err := ParseKey(s.Key)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, v)
	}
	return keys
}

func testCheckpoint() Checkpoint {
	return Checkpoint{Origin: "gateway.example/audit", Size: 42, Root: Leaf([]byte("x")), Time: testTime}
}

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	signers, keys := logSigners(t, testKeys(t, "gateway.example/audit"))
	c := testCheckpoint()
	signed, err := c.Sign(signers...)
	if err != nil {
		t.Fatal(err)
	}
	text, lines, _ := strings.Cut(string(signed), "\n\n")
	root, _ := c.Root.MarshalText()
	if want := "gateway.example/audit\n42\n" + string(root) + "\ntime 2026-11-24T03:13:07Z"; text != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if n := strings.Count(lines, "— gateway.example/audit "); n != 2 {
		t.Errorf("%d signatures", n)
	}
	opened, err := OpenCheckpoint(signed, keys)
	if err != nil || opened.Checkpoint != c {
		t.Errorf("%+v, %v", opened, err)
	}

	// Any tool for signed notes checks the Ed25519 signature, and passes over the other.
	public, err := note.NewVerifier(signers[1].Key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(public))
	if err != nil || len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 1 || n.Text != c.Text() {
		t.Errorf("a public tool says %v", err)
	}
}

func TestOpenCheckpointRefuses(t *testing.T) {
	t.Parallel()
	c := testCheckpoint()
	pair := testKeys(t, c.Origin)
	signers, keys := logSigners(t, pair)
	otherSigners, otherKeys := logSigners(t, testKeys(t, c.Origin))
	_, foreignKeys := logSigners(t, testKeys(t, "other.example/audit"))
	witnesses, witnessKeys := cosigners(t, testKeys(t, "witness.example"))
	good, err := c.Sign(signers...)
	if err != nil {
		t.Fatal(err)
	}
	half, _ := c.Sign(signers[0])
	other, _ := c.Sign(otherSigners...)
	witnessed, _ := c.Sign(witnesses...)
	broken := bytes.Replace(good, []byte("\n42\n"), []byte("\n43\n"), 1)
	for name, test := range map[string]struct {
		signed []byte
		keys   []Verifier
	}{
		"nothing":                 {nil, keys},
		"no keys":                 {good, nil},
		"changed":                 {broken, keys},
		"one signature of two":    {half, keys},
		"another key":             {other, keys},
		"keys of both":            {good, append(keys[:2:2], otherKeys...)},
		"a key of another log":    {good, append(keys[:2:2], foreignKeys...)},
		"a witness alone":         {witnessed, witnessKeys},
		"a witness, but not log":  {witnessed, append(keys[:2:2], witnessKeys...)},
		"too large":               {append(good, make([]byte, maxNote)...), keys},
		"not a checkpoint's text": {mustSign(t, "hello\n", signers), keys},
	} {
		if _, err := OpenCheckpoint(test.signed, test.keys); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Sign(); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("signed by nobody: %v", err)
	}
}

func mustSign(t *testing.T, text string, signers []Signer) []byte {
	t.Helper()
	signed, err := sign(text, signers)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestCosignatures(t *testing.T) {
	t.Parallel()
	c := testCheckpoint()
	signers, keys := logSigners(t, testKeys(t, c.Origin))
	witnesses, witnessKeys := cosigners(t, testKeys(t, "witness.example"))
	signed := mustSign(t, c.Text()+"unknown line\n", signers) // to the byte what the log signed is cosigned
	opened, err := OpenCheckpoint(signed, keys)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := opened.Cosign(witnesses...)
	if err != nil || bytes.Count(lines, []byte("\n")) != 2 {
		t.Fatalf("%s, %v", lines, err)
	}
	all := append(keys, witnessKeys...)
	both, err := OpenCheckpoint(append(signed, lines...), all)
	if err != nil || len(both.CosignedBy(all)) != 2 {
		t.Fatalf("%v, %d", err, len(both.CosignedBy(all)))
	}
	for _, s := range both.By {
		if s.Name == "witness.example" {
			if at, err := CosignedAt(s); err != nil || !at.Equal(testTime) {
				t.Errorf("%v, %v", at, err)
			}
		}
	}
	// A wrong cosignature by a known witness is no checkpoint; by an unknown one it is passed over.
	wrong := bytes.Replace(lines, []byte("A"), []byte("B"), -1)
	if _, err := OpenCheckpoint(append(bytes.Clone(signed), wrong...), all); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("a wrong cosignature: %v", err)
	}
	if alone, err := OpenCheckpoint(append(bytes.Clone(signed), wrong...), keys); err != nil || len(alone.CosignedBy(all)) != 0 {
		t.Errorf("an unknown witness: %v", err)
	}
	if _, err := CosignedAt(note.Signature{Base64: "AAAA"}); err == nil {
		t.Error("no time, no error")
	}
}

func TestParseCheckpointRefuses(t *testing.T) {
	t.Parallel()
	good := testCheckpoint().Text()
	root := strings.Split(good, "\n")[2]
	for _, text := range []string{
		"", "a", "a\n", "a\n1\n", "a\n1\n" + root, "\n1\n" + root + "\n", "a b\n1\n" + root + "\n", "a+b\n1\n" + root + "\n",
		"a\n01\n" + root + "\n", "a\n-1\n" + root + "\n", "a\n\n" + root + "\n", "a\n9223372036854775808\n" + root + "\n",
		"a\n1\n" + root[:43] + "\n", "a\n1\n" + root + "=\n", "a\n1\nAAAA\n", "a\n1\n" + root + "\n\n", "a\n1\n" + root + "\nx\n\ny\n",
		"a\n1\n" + root + "\ntime 2026-11-24T03:13:07+08:00\n", "a\n1\n" + root + "\ntime x\n", "a\n1\n" + strings.ToLower(root) + "x\n",
	} {
		if c, err := ParseCheckpoint(text); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%q is %+v, %v", text, c, err)
		}
	}
	if c, err := ParseCheckpoint(good + "more\n"); err != nil || c != testCheckpoint() {
		t.Errorf("an extension line: %v", err)
	}
	if c, err := ParseCheckpoint("a\n0\n" + root + "\n"); err != nil || !c.Time.IsZero() {
		t.Errorf("without a time: %v", err)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	signers, _ := logSigners(t, testKeys(t, "a.example"))
	for _, key := range []string{
		"", "a", "a+b", "a+00000000+AA==", signers[0].Key + "A", strings.Replace(signers[0].Key, "a.example", "b.example", 1),
		strings.ToUpper(signers[1].Key), "a+x+" + signers[1].Key, vkey("a", "\x02aaaa"), vkey("a", ""), vkey("a", kindEd25519+"short"),
		vkey("a", kindSM2+"short"), vkey("a", kindSM2+strings.Repeat("\x04", 65)), vkey("a b", kindEd25519+strings.Repeat("k", 32)),
	} {
		if _, err := ParseKey(key); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", key, err)
		}
	}
	for _, name := range []string{"", "a b", "a+b", "a\u3000b", "\xff"} {
		if _, err := Ed25519Signer(name, ed25519.NewKeyFromSeed(make([]byte, 32))); !errors.Is(err, ErrKey) {
			t.Errorf("name %q: %v", name, err)
		}
		if _, err := OpenKeys(filepath.Join(t.TempDir(), "k"), name, nil); !errors.Is(err, ErrKey) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	list, err := ParseKeys("# keys\n\n " + signers[0].Key + " \n" + signers[1].Key)
	if err != nil || len(list) != 2 {
		t.Errorf("%d, %v", len(list), err)
	}
	if _, err := ParseKeys("x"); !errors.Is(err, ErrKey) {
		t.Errorf("%v", err)
	}
}

func vkey(name, encoded string) string {
	s, err := newSigner("x", encoded, nil, nil)
	if err != nil {
		panic(err)
	}
	_, b64, _ := strings.Cut(s.Key[2:], "+")
	return fmt.Sprintf("%s+%08x+%s", name, keyID(name, []byte(encoded)), b64)
}

func TestOpenKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log.key")
	first, err := OpenKeys(path, "a.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := OpenKeys(path, "a.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := logSigners(t, first)
	two, _ := logSigners(t, second)
	if one[0].Key != two[0].Key || one[1].Key != two[1].Key || one[0].Key == one[1].Key {
		t.Error("the keys changed")
	}
	if _, err := OpenKeys(path, "b.example", nil); !errors.Is(err, ErrKeyFile) {
		t.Errorf("another name: %v", err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"{}", "x", strings.Replace(string(content), `"version":1`, `"version":2`, 1), strings.Replace(string(content), `"sm2":"`, `"sm2":"AAAA`, 1)} {
		if err := os.WriteFile(path, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeys(path, "a.example", nil); !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x"} {
		if text := fmt.Sprintf(verb, first) + fmt.Sprintf(verb, *first); strings.ReplaceAll(text, "ledger.KeyPair(a.example)", "") != "" {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

// TestKeysAreFrozen: verifier keys and checkpoints that third parties hold stay good.
func TestKeysAreFrozen(t *testing.T) {
	t.Parallel()
	keys, err := ParseKeys(goldenKeys)
	if err != nil || len(keys) != 4 {
		t.Fatalf("%d, %v", len(keys), err)
	}
	c, err := OpenCheckpoint([]byte(goldenNote), keys)
	if err != nil || c.Checkpoint != testCheckpoint() || len(c.CosignedBy(keys)) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

// FuzzCheckpoint: what parses is what would be written, but for extension lines; nothing panics.
func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte(goldenNote))
	f.Add([]byte(testCheckpoint().Text()))
	f.Add([]byte("a\n0\n\n— a AAAA\n"))
	keys, err := ParseKeys(goldenKeys)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseCheckpoint(string(b)); err == nil && !strings.HasPrefix(string(b), c.Text()) {
			t.Errorf("%q is read as %q", b, c.Text())
		}
		if c, err := OpenCheckpoint(b, keys); err == nil && c.Checkpoint != testCheckpoint() {
			t.Errorf("forged: %q", b)
		}
		if v, err := ParseKey(string(b)); err == nil && v.Key != string(b) {
			t.Errorf("%q is read as %q", b, v.Key)
		}
		var h Hash
		if err := h.UnmarshalText(b); err == nil {
			if text, _ := h.MarshalText(); !bytes.Equal(text, b) {
				t.Errorf("%q is read as %s", b, text)
			}
		}
	})
}

func TestReceipt(t *testing.T) {
	t.Parallel()
	r := Receipt{Sequence: 42, Leaf: Leaf([]byte("x"))}
	if got, err := ParseReceipt(r.String()); err != nil || got != r || r.String() != "42:"+r.Leaf.String() {
		t.Errorf("%s, %v", r, err)
	}
	for _, text := range []string{"", "42", "42:", ":" + r.Leaf.String(), "0:" + r.Leaf.String(), "042:" + r.Leaf.String(), "42:" + r.Leaf.String()[1:], strings.ToUpper(r.String())} {
		if _, err := ParseReceipt(text); !errors.Is(err, ErrReceipt) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
