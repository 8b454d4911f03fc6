package licence_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"licgate/gm"
	"licgate/licence"
	"licgate/licence/licencetest"
)

func (w *world) checkCode(t *testing.T, l *licence.Licence, expires time.Time) string {
	t.Helper()
	code, err := w.NewCheckCode(l, expires)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestCheckCodeLeadsToItsLicence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.issue(t, making())
	for _, expires := range []time.Time{{}, noon.Add(2 * time.Minute)} {
		code := w.checkCode(t, made.Licence, expires)
		if len(code) != 83 {
			t.Errorf("%d characters, want 83", len(code))
		}
		for _, text := range []string{code, " " + code + "\n"} {
			l, err := w.ByCheckCode(t.Context(), text)
			if err != nil || l.Code != made.Licence.Code || l.HolderName != "李大华" {
				t.Errorf("expires %v: %+v, %v", expires, l, err)
			}
		}
		raw, _ := base64.RawURLEncoding.DecodeString(code)
		if strings.Contains(string(raw), made.Licence.Code) {
			t.Error("the licence's number stands in the code")
		}
	}
}

// One who asks again sees what has become of the licence since.
func TestCheckCodeTellsTheStateOfNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.create(t, making())
	code := w.checkCode(t, made.Licence, time.Time{})
	state := func() licence.State {
		l, err := w.ByCheckCode(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		return l.State
	}
	if got := state(); got != licence.Registered {
		t.Errorf("made: %s", got)
	}
	if _, err := w.Sign(t.Context(), civil, marriage(), at(made.Licence.Code)); err != nil {
		t.Fatal(err)
	}
	if got := state(); got != licence.Issued {
		t.Errorf("signed: %s", got)
	}
	if _, err := w.Abolish(t.Context(), civil, marriage(), at(made.Licence.Code), "离婚"); err != nil {
		t.Fatal(err)
	}
	if got := state(); got != licence.Abolished {
		t.Errorf("abolished: %s", got)
	}
}

func TestCheckCodeOfADeletedLicenceIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.create(t, making())
	code := w.checkCode(t, made.Licence, time.Time{})
	if _, err := w.Delete(t.Context(), civil, marriage(), at(made.Licence.Code)); err != nil {
		t.Fatal(err)
	}
	_, err := w.ByCheckCode(t.Context(), code)
	wantErr(t, "deleted", err, licence.ErrNoCode)
}

func TestCheckCodeExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.issue(t, making())
	code, kept := w.checkCode(t, made.Licence, noon.Add(2*time.Minute)), w.checkCode(t, made.Licence, time.Time{})
	w.pass(2*time.Minute - time.Second)
	if _, err := w.ByCheckCode(t.Context(), code); err != nil {
		t.Errorf("before its end: %v", err)
	}
	w.pass(time.Second)
	_, err := w.ByCheckCode(t.Context(), code)
	wantErr(t, "at its end", err, licence.ErrCheckExpired)
	wantErr(t, "at its end", err, licence.ErrNoCode)
	w.pass(30 * 365 * 24 * time.Hour)
	if _, err := w.ByCheckCode(t.Context(), kept); err != nil {
		t.Errorf("a kept one: %v", err)
	}
}

// Every changed bit, the expiry's among them, makes it nobody's code; so does every other gateway's key.
func TestCheckCodeCannotBeAltered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.issue(t, making())
	raw, err := base64.RawURLEncoding.DecodeString(w.checkCode(t, made.Licence, noon.Add(time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, text string) {
		t.Helper()
		if l, err := w.ByCheckCode(t.Context(), text); !errors.Is(err, licence.ErrNoCode) || errors.Is(err, licence.ErrCheckExpired) || l != nil {
			t.Errorf("%s: %v, %v", what, l, err)
		}
	}
	for i := range 8 * len(raw) {
		changed := append([]byte(nil), raw...)
		changed[i/8] ^= 1 << (i % 8)
		refused("bit "+hex.EncodeToString([]byte{byte(i / 8)}), base64.RawURLEncoding.EncodeToString(changed))
	}
	for n := range raw {
		refused("cut", base64.RawURLEncoding.EncodeToString(raw[:n]))
	}
	keys, err := newKeys()
	if err != nil {
		t.Fatal(err)
	}
	foreign := &licence.Service{Keys: keys}
	code, err := foreign.NewCheckCode(made.Licence, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	refused("foreign", code)
	whole := base64.RawURLEncoding.EncodeToString(raw)
	for _, text := range []string{
		"", " ", "lga1_" + strings.Repeat("A", 32), whole + "=", whole + "A", whole[:40] + "\n" + whole[40:], strings.Repeat("A", 1<<16), "\x00", "证照",
	} {
		refused(text[:min(len(text), 20)], text)
	}
}

// A value of ours that was sealed for something else is no check code.
func TestCheckCodeIsSealedForNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	head := []byte{1, 0, 0, 0, 0}
	sealed, err := w.Keys.SealRoot(make([]byte, 12), append([]byte("licgate/other/"), head...))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.ByCheckCode(t.Context(), base64.RawURLEncoding.EncodeToString(append(head, sealed...)))
	wantErr(t, "sealed for something else", err, licence.ErrNoCode)
}

func TestCheckCodeRefusesWhatItCannotSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for code, expires := range map[string]time.Time{
		"": {}, "11": {}, "11000020260000000a": {}, "11000020260000000!": {}, "-10000202600000001": {},
		"110000202600000001": time.Unix(1<<32, 0), "110000202600000002": time.Unix(-1, 0), "110000202600000003": time.Unix(0, 0),
	} {
		if got, err := w.NewCheckCode(&licence.Licence{Code: code}, expires); err == nil {
			t.Errorf("%q, %v: %s", code, expires, got)
		}
	}
}

// A store that fails is no wrong code.
func TestCheckCodeTellsFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.issue(t, making())
	code := w.checkCode(t, made.Licence, time.Time{})
	w.store.find = func(context.Context, string) (licence.Stored, error) {
		return licence.Stored{}, errors.New("store is down")
	}
	_, err := w.ByCheckCode(t.Context(), code)
	if err == nil || errors.Is(err, licence.ErrNoCode) {
		t.Errorf("error %v", err)
	}
}

// counter gives the bytes 0, 1, 2 and so on.
type counter struct{ next byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.next
		c.next++
	}
	return len(p), nil
}

// goldens are check codes of the keyring whose root is 00 … 1f, with salt and nonce 20 … 37. They are frozen: they are printed.
var goldens = []struct {
	number, code string
	expires      time.Time
}{
	{"110000202600000001", "AQAAAAABV_7woiAhIiMkJSYnKCkqKywtLi8wMTIzNDU2NzyQLFjJpPQD1wG-CakpedN6cUDX2P_RHZDK4lg", time.Time{}},
	{"ZZZZZZZZZZZZZZZ", "AWmpADgBV_7woiAhIiMkJSYnKCkqKywtLi8wMTIzNDU2NxKzyCHljcC-irDkCZAUhMbQfOysune3_DMF", time.Unix(1_772_683_320, 0)},
	{"000000202600000000", "AWmpADgBV_7woiAhIiMkJSYnKCkqKywtLi8wMTIzNDU2NzxjuNN4C_3c1wG-CKc4qVitVCMnS_enOPrJYVs", time.Unix(1_772_683_320, 0)},
}

func goldenService(t *testing.T) *licence.Service {
	t.Helper()
	keys, err := gm.Open(t.TempDir(), io.Reader(new(counter)))
	if err != nil {
		t.Fatal(err)
	}
	return &licence.Service{Keys: keys, Store: licencetest.NewMemory(), Now: func() time.Time { return noon }}
}

func TestCheckCodeIsFrozen(t *testing.T) {
	t.Parallel()
	for _, g := range goldens {
		s := goldenService(t)
		code, err := s.NewCheckCode(&licence.Licence{Code: g.number}, g.expires)
		if err != nil || code != g.code {
			t.Errorf("%s: %s, %v, want %s", g.number, code, err, g.code)
		}
		number, expires, err := licence.OpenCheckCode(s, g.code)
		if err != nil || number != g.number || !expires.Equal(g.expires) {
			t.Errorf("%s: opened %s, %v, %v", g.code, number, expires, err)
		}
	}
}

// FuzzCheckCode: a text is refused as no code, or is byte for byte what it opens to.
func FuzzCheckCode(f *testing.F) {
	for _, g := range goldens {
		f.Add(g.code)
		f.Add(g.code[1:])
		f.Add(g.code + "A")
	}
	f.Add("")
	f.Add("AQAAAAAC")
	f.Add("https://localhost/verify?c=")
	keys, err := gm.Open(f.TempDir(), new(counter))
	if err != nil {
		f.Fatal(err)
	}
	s := &licence.Service{Keys: keys, Store: licencetest.NewMemory(), Now: func() time.Time { return noon }}
	f.Fuzz(func(t *testing.T, text string) {
		number, _, err := licence.OpenCheckCode(s, text)
		if err != nil {
			if !errors.Is(err, licence.ErrNoCode) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		for _, g := range goldens {
			if g.code == text && g.number == number {
				return
			}
		}
		t.Errorf("%q opens to %s: it was never made", text, number)
	})
}
