package seal

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"licgate/gm"
)

// document is what is sealed in these tests.
var document = []byte("a document")

// used returns a signature with a seal over document.
func used(t testing.TB, a *Authority, s *Seal) []byte {
	t.Helper()
	der, err := a.useSeal(t.Context(), s, noon, SM2SM3.digest(document), "a test")
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// goodSeal is what is to be said of whatever newSeal sealed at noon.
func goodSeal() Signature {
	s := plainSpec
	return Signature{
		Kind: KindSeal, Intact: true, Name: s.Name, SealCode: s.Code, Department: s.Department, SealName: s.Name,
		Signed: noon, Stamped: noon, Trusted: true,
	}
}

// TestSealGolden freezes the encodings: the same keys, time and randomness give these bytes.
func TestSealGolden(t *testing.T) {
	t.Parallel()
	a := open(t)
	s := newSeal(t, a)
	golden(t, "seal.esl", s.DER())
	golden(t, "signature.dat", used(t, a, s))
	golden(t, "roots.pem", a.Roots().PEM())
	key, err := os.ReadFile(filepath.Join(a.dir, "maker-sm2.key"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "maker-sm2-2.key", key)
}

// TestGoldenHolds: what was made once is good for ever.
func TestGoldenHolds(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"maker-sm2-2.key", "keys-1/maker-sm2.key"} {
		key, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		f, err := parseKeyFile(key)
		if err != nil || f.name() != (KeyName{Role: RoleMaker}) {
			t.Fatalf("%s: %+v, error %v", name, f.name(), err)
		}
		private, err := f.private(t.Context(), keyring(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.identity(private); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := os.ReadFile("testdata/roots.pem")
	if err != nil {
		t.Fatal(err)
	}
	roots, err := ParseRoots(text)
	if err != nil {
		t.Fatal(err)
	}
	der, err := os.ReadFile("testdata/signature.dat")
	if err != nil {
		t.Fatal(err)
	}
	signature, err := parseSealSignature(append(der, 0, 0)) // as it stands in a PDF
	if err != nil {
		t.Fatal(err)
	}
	want := goodSeal()
	if got := signature.judge(SM2SM3.digest(document), roots); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	again, err := asn1.Marshal(*signature)
	if err != nil || !bytes.Equal(again, der) {
		t.Errorf("encoded again it differs: %v", err)
	}
}

// TestGoldenFilesHold: files that were sealed by the first version stay good. Verify writes the updates of a PDF again, so that their
// bytes are a format.
func TestGoldenFilesHold(t *testing.T) {
	t.Parallel()
	a := open(t)
	pdf := licence(t)
	if *update {
		signed := signedPDF(t, a)
		golden(t, "sealed.pdf.update", signed[len(pdf):])
		golden(t, "sealed.ofd", signedOFD(t, a))
	}
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	roots, err := ParseRoots(read("roots.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"pdf": append(pdf, read("sealed.pdf.update")...), "ofd": read("sealed.ofd")} {
		if r := verified(t, file, roots); !r.Good() {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestSealFaults: each thing that can be wrong is told, and no other.
func TestSealFaults(t *testing.T) {
	t.Parallel()
	a := open(t)
	s := newSeal(t, a)
	other, err := a.Seal(t.Context(), Spec{Code: "OTHER", Name: "别的局", Picture: stampPicture(t, 64)})
	if err != nil {
		t.Fatal(err)
	}
	strangers := stranger(t)
	remake := func(change func(*sealInfo), maker Identity, user *gm.Certificate) *Seal {
		made, err := parseSeal(s.DER())
		if err != nil {
			t.Fatal(err)
		}
		info := made.Info
		info.Raw = nil
		change(&info)
		der, err := makeSeal(newStream(), maker, info, user)
		if err != nil {
			t.Fatal(err)
		}
		changed := *s
		changed.der = der
		return &changed
	}
	same := func(*sealInfo) {}
	for name, c := range map[string]struct {
		seal     *Seal
		at       time.Time
		document []byte
		spoil    func(*sealSignature)
		roots    Roots
		intact   bool
		want     []Fault
	}{
		"good":             {intact: true},
		"another document": {document: []byte("b document"), want: []Fault{FaultContent}},
		"another time":     {spoil: func(s *sealSignature) { s.ToSign.Time = noon.Add(time.Second); s.ToSign.Raw = nil }, want: []Fault{FaultValue}},
		"value changed":    {spoil: func(s *sealSignature) { s.Signature.Bytes[len(s.Signature.Bytes)-1] ^= 1 }, want: []Fault{FaultValue, FaultStamp}},
		"no stamp":         {spoil: func(s *sealSignature) { s.Stamp = asn1.BitString{} }, intact: true, want: []Fault{FaultStamp}},
		"another's stamp":  {spoil: func(x *sealSignature) { x.Stamp = stampOf(t, a, []byte("y")) }, intact: true, want: []Fault{FaultStamp}},
		"other roots":      {roots: strangers.Roots(), intact: true, want: []Fault{FaultStamp, FaultChain, FaultMaker}},
		"unnamed maker":    {roots: Roots{CAs: a.Roots().CAs}, intact: true, want: []Fault{FaultMaker}},
		"made by a signer": {seal: remake(same, other.sm2, s.sm2.Certificate), intact: true, want: []Fault{FaultMaker}},
		"another's seal":   {seal: remake(same, a.maker, other.sm2.Certificate), intact: true, want: []Fault{FaultUser}},
		"seal expired": {
			seal:   remake(func(i *sealInfo) { i.Property.To = noon.Add(-time.Second) }, a.maker, s.sm2.Certificate),
			intact: true, want: []Fault{FaultSealTime},
		},
		"seal not yet": {
			seal:   remake(func(i *sealInfo) { i.Property.From = noon.Add(time.Second) }, a.maker, s.sm2.Certificate),
			intact: true, want: []Fault{FaultSealTime},
		},
		"seal changed": {seal: func() *Seal {
			made, err := parseSeal(s.DER())
			if err != nil {
				t.Fatal(err)
			}
			made.Info.Property.Name, made.Info.Raw, made.Raw = "国务院", nil, nil
			changed := *s
			if changed.der, err = asn1.Marshal(*made); err != nil {
				t.Fatal(err)
			}
			return &changed
		}(), intact: true, want: []Fault{FaultMaker}},
		"a stamp's key signs": {seal: &Seal{der: s.der, sm2: a.builtIn.keys[SM2SM3]}, intact: true, want: []Fault{FaultChain, FaultUser}},
		"said to be old":      {at: noon.AddDate(-1, 0, 0), intact: true, want: []Fault{FaultSealTime}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.seal == nil {
				c.seal = s
			}
			if c.at.IsZero() {
				c.at = noon
			}
			der, err := a.useSeal(t.Context(), c.seal, c.at, SM2SM3.digest(document), "a test")
			if err != nil {
				t.Fatal(err)
			}
			signature, err := parseSealSignature(der)
			if err != nil {
				t.Fatal(err)
			}
			if c.spoil != nil {
				c.spoil(signature)
				if der, err = asn1.Marshal(*signature); err != nil {
					t.Fatal(err)
				}
				if signature, err = parseSealSignature(der); err != nil {
					t.Fatal(err)
				}
			}
			if c.document == nil {
				c.document = document
			}
			if c.roots.CAs == nil {
				c.roots = a.Roots()
			}
			got := signature.judge(SM2SM3.digest(c.document), c.roots)
			if got.Intact != c.intact || !slices.Equal(got.Faults, c.want) || got.Trusted != (len(c.want) == 0) {
				t.Errorf("intact %v, trusted %v, faults %v; want intact %v, %v", got.Intact, got.Trusted, got.Faults, c.intact, c.want)
			}
		})
	}
}

func stampOf(t *testing.T, a *Authority, value []byte) asn1.BitString {
	t.Helper()
	token, err := a.builtIn.Stamp(t.Context(), SM2SM3, SM2SM3.digest(value))
	if err != nil {
		t.Fatal(err)
	}
	return bits(token)
}

// TestEveryBitCounts: no changed bit of a signature passes as trusted.
func TestEveryBitCounts(t *testing.T) {
	t.Parallel()
	a := open(t)
	der := used(t, a, newSeal(t, a))
	roots, hash := a.Roots(), SM2SM3.digest(document)
	for i := range der {
		changed := bytes.Clone(der)
		changed[i] ^= 1 << (i % 8)
		signature, err := parseSealSignature(changed)
		if err == nil && signature.judge(hash, roots).Trusted {
			t.Errorf("a change at %d of %d passes", i, len(der))
		}
	}
}

// TestDigestList: a seal may name its users by digests too.
func TestDigestList(t *testing.T) {
	t.Parallel()
	a := open(t)
	s := newSeal(t, a)
	made, err := parseSeal(s.DER())
	if err != nil {
		t.Fatal(err)
	}
	sum := gm.SM3(s.sm2.Certificate.DER())
	list, err := asn1.Marshal([]certDigest{{"SM3", sum[:]}})
	if err != nil {
		t.Fatal(err)
	}
	made.Info.Property.CertListType, made.Info.Property.CertList = listDigests, asn1.RawValue{FullBytes: list}
	if !made.allows(s.sm2.Certificate) || made.allows(a.maker.Certificate) {
		t.Error("the list of digests does not name the user alone")
	}
}

// TestSealInOpenSSL: another implementation verifies the maker's and the signer's value.
func TestSealInOpenSSL(t *testing.T) {
	t.Parallel()
	a := open(t)
	s := newSeal(t, a)
	signature, err := parseSealSignature(used(t, a, s))
	if err != nil {
		t.Fatal(err)
	}
	seal := signature.ToSign.Seal
	opensslVerifies(t, a.maker.Certificate, seal.Info.Raw, seal.Signature.Bytes)
	opensslVerifies(t, s.sm2.Certificate, signature.ToSign.Raw, signature.Signature.Bytes)
}

// opensslVerifies has OpenSSL check an SM2 signature.
func opensslVerifies(t *testing.T, by *gm.Certificate, message, signature []byte) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"pub.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: by.PublicKeyDER()}), "sig": signature, "msg": message,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tool(t, "openssl", "dgst", "-sm3", "-verify", filepath.Join(dir, "pub.pem"), "-signature", filepath.Join(dir, "sig"),
		"-sigopt", "distid:1234567812345678", filepath.Join(dir, "msg"))
}

func FuzzParseSeal(f *testing.F) {
	a := open(f)
	s := newSeal(f, a)
	f.Add(s.DER())
	f.Fuzz(func(t *testing.T, der []byte) {
		seal, err := parseSeal(der)
		if err != nil {
			return
		}
		seal.allows(s.sm2.Certificate)
		seal.holds(noon)
		_, _ = seal.verify()
	})
}

func FuzzParseSignature(f *testing.F) {
	a := open(f)
	roots := a.Roots()
	f.Add(used(f, a, newSeal(f, a)))
	f.Fuzz(func(t *testing.T, der []byte) {
		signature, err := parseSealSignature(der)
		if err != nil {
			return
		}
		if signature.judge(SM2SM3.digest([]byte("another document")), roots).Intact {
			t.Error("a signature of another document is intact")
		}
	})
}
