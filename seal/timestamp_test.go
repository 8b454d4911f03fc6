package seal

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stampServer answers queries by a's built-in authority, after spoil.
func stampServer(t *testing.T, a *Authority, spoil func(w http.ResponseWriter, response []byte) []byte) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != TypeQuery {
			t.Errorf("%s, %s: %v", r.Method, r.Header.Get("Content-Type"), err)
		}
		response, err := a.Stamp(r.Context(), query)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", TypeReply)
		if spoil != nil {
			response = spoil(w, response)
		}
		_, _ = w.Write(response)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestExternalStamps: a file is sealed with time-stamps of an authority elsewhere, which the verifier has to trust too.
func TestExternalStamps(t *testing.T) {
	t.Parallel()
	elsewhere := stranger(t)
	external := &HTTPStamper{URL: stampServer(t, elsewhere, nil), Roots: elsewhere.Roots().CAs}
	a := open(t, func(o *Options) { o.Stampers = [2]Stamper{external, external} })
	signed, err := a.SignPDF(t.Context(), licence(t), Signing{Seal: newSeal(t, a)})
	if err != nil {
		t.Fatal(err)
	}
	if r := verified(t, signed, a.Roots()); !r.Whole || r.Good() || !slices.Equal(r.Signatures[0].Faults, []Fault{FaultStamp}) {
		t.Errorf("without the other root: %+v", r)
	}
	roots := a.Roots()
	roots.CAs = append(roots.CAs, elsewhere.Roots().CAs...)
	if r := verified(t, signed, roots); !r.Good() {
		t.Errorf("with the other root: %+v", r)
	}
}

// TestRefusedStamps: an answer that is not to the query, or not by whom it should be, gives no token, and no signed file.
func TestRefusedStamps(t *testing.T) {
	t.Parallel()
	a, other := open(t), stranger(t)
	old := func() []byte {
		query, _, err := newQuery(newStream(), SM2SM3, SM2SM3.digest(document))
		if err != nil {
			t.Fatal(err)
		}
		response, err := a.Stamp(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}()
	for name, c := range map[string]struct {
		by    *Authority
		spoil func(w http.ResponseWriter, response []byte) []byte
	}{
		"a stranger":     {by: other},
		"another answer": {by: a, spoil: func(http.ResponseWriter, []byte) []byte { return old }},
		"no token":       {by: a, spoil: func(http.ResponseWriter, []byte) []byte { r, _ := refusal(failPolicy); return r }},
		"changed":        {by: a, spoil: func(_ http.ResponseWriter, r []byte) []byte { return spoiled(r, 100) }},
		"empty":          {by: a, spoil: func(http.ResponseWriter, []byte) []byte { return nil }},
		"too long":       {by: a, spoil: func(_ http.ResponseWriter, r []byte) []byte { return append(r, make([]byte, maxResponse)...) }},
		"another type":   {by: a, spoil: func(w http.ResponseWriter, r []byte) []byte { w.Header().Set("Content-Type", "text/html"); return r }},
		"an error": {by: a, spoil: func(w http.ResponseWriter, r []byte) []byte {
			w.WriteHeader(http.StatusInternalServerError)
			return r
		}},
	} {
		s := &HTTPStamper{URL: stampServer(t, c.by, c.spoil), Roots: a.Roots().CAs}
		if _, err := s.Stamp(t.Context(), SM2SM3, SM2SM3.digest(document)); err == nil {
			t.Errorf("%s: taken", name)
		}
		b := open(t, func(o *Options) { o.Stampers[P256SHA256] = s })
		if _, err := b.SignPDF(t.Context(), licence(t), Signing{Seal: newSeal(t, b)}); err == nil {
			t.Errorf("%s: a file is signed without its time-stamp", name)
		}
	}
	if _, err := (&HTTPStamper{URL: "http://127.0.0.1:1/"}).Stamp(t.Context(), SM2SM3, SM2SM3.digest(document)); err == nil {
		t.Error("nobody answers, and there is a token")
	}
}

// TestRefusedQueries: what the authority does not take is refused with the reason of RFC 3161.
func TestRefusedQueries(t *testing.T) {
	t.Parallel()
	a := open(t)
	good := stampRequest{Version: 1, Imprint: imprint{SM2SM3.digestID(), SM2SM3.digest(document)}, Nonce: big.NewInt(7)}
	for name, c := range map[string]struct {
		change func(*stampRequest)
		want   int // -1: granted
	}{
		"good":       {func(*stampRequest) {}, -1},
		"SHA-256":    {func(q *stampRequest) { q.Imprint.Hash = P256SHA256.digestID() }, -1},
		"no nonce":   {func(q *stampRequest) { q.Nonce = nil }, -1},
		"version":    {func(q *stampRequest) { q.Version = 2 }, failRequest},
		"hash":       {func(q *stampRequest) { q.Imprint.Hash.Algorithm = oidData }, failAlgorithm},
		"short":      {func(q *stampRequest) { q.Imprint.Digest = q.Imprint.Digest[1:] }, failFormat},
		"policy":     {func(q *stampRequest) { q.Policy = oidData }, failPolicy},
		"extensions": {func(q *stampRequest) { q.Extensions = asn1.RawValue{FullBytes: []byte{0xA0, 2, 0x30, 0}} }, failExtensions},
	} {
		q := good
		c.change(&q)
		query, err := asn1.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		response, err := a.Stamp(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		var r stampResponse
		if err := unmarshal(response, &r, name); err != nil {
			t.Fatal(err)
		}
		granted := c.want < 0
		if granted != (r.Status.Status == 0) || granted != (len(r.Token.FullBytes) > 0) || !granted && r.Status.Fail.At(c.want) != 1 {
			t.Errorf("%s: status %d, reason %x", name, r.Status.Status, r.Status.Fail.Bytes)
		}
	}
	if response, err := a.Stamp(t.Context(), []byte("x")); err != nil || !bytes.Contains(response, []byte{2, 1, 2}) {
		t.Errorf("%x: %v", response, err)
	}
}

// TestStampsInOpenSSL: OpenSSL asks, and verifies the answer of the authority for ordinary signatures.
func TestStampsInOpenSSL(t *testing.T) {
	t.Parallel()
	a := open(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	root := pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: a.roots[P256SHA256].Certificate.DER()})
	if err := errors.Join(os.WriteFile(in("root.pem"), root, 0o600), os.WriteFile(in("data"), document, 0o600)); err != nil {
		t.Fatal(err)
	}
	tool(t, "openssl", "ts", "-query", "-data", in("data"), "-sha256", "-cert", "-out", in("query"))
	query, err := os.ReadFile(in("query"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := a.Stamp(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("response"), response, 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "openssl", "ts", "-verify", "-queryfile", in("query"), "-in", in("response"), "-CAfile", in("root.pem"), "-attime", fmt.Sprint(noon.Unix()))
}

// bouncyCastle are the jars of Debian's libbcpkix-java and what it depends on.
const bouncyCastle = "/usr/share/java/bcprov.jar:/usr/share/java/bcpkix.jar:/usr/share/java/bcutil.jar"

// TestStampsInBouncyCastle: another implementation verifies time-stamp and certificate of the authority for SM2.
func TestStampsInBouncyCastle(t *testing.T) {
	t.Parallel()
	a := open(t)
	token, err := a.builtIn.Stamp(t.Context(), SM2SM3, SM2SM3.digest(document))
	if err != nil {
		t.Fatal(err)
	}
	classes := javaClasses(t, bouncyCastle, "testdata/bouncycastle/Stamp.java")
	run := func(token []byte) string {
		return tool(t, "java", "-cp", bouncyCastle+":"+classes, "Stamp", saved(t, "token", token), saved(t, "root", a.roots[SM2SM3].Certificate.DER()),
			saved(t, "data", document))
	}
	if out := run(token); strings.TrimSpace(out) != "valid "+fmt.Sprint(noon.Unix()) {
		t.Errorf("BouncyCastle says %s", out)
	}
	if out := run(stampOf(t, a, []byte("something else")).Bytes); strings.HasPrefix(out, "valid") {
		t.Errorf("BouncyCastle takes the time-stamp of something else: %s", out)
	}
}

func FuzzParseStamp(f *testing.F) {
	a := open(f)
	token, err := a.builtIn.Stamp(f.Context(), SM2SM3, SM2SM3.digest(document))
	if err != nil {
		f.Fatal(err)
	}
	query, _, err := newQuery(newStream(), P256SHA256, P256SHA256.digest(document))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add(query)
	f.Fuzz(func(t *testing.T, der []byte) {
		if _, _, err := checkStamp(der, SM2SM3, SM2SM3.digest([]byte("another document"))); err == nil {
			t.Error("a time-stamp of another document passes")
		}
		if _, err := a.Stamp(t.Context(), der); err != nil {
			t.Error(err)
		}
	})
}
