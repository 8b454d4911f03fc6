package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// licence is a PDF/A-1b as the gateway draws it, of an invented licence.
func licence(t testing.TB) []byte {
	t.Helper()
	pdf, err := os.ReadFile("testdata/licence.pdf")
	if err != nil {
		t.Fatal(err)
	}
	return pdf
}

// sealBox is where the seal stands.
var sealBox = Box{X: 140, Y: 200, Width: 42, Height: 42}

func signedPDF(t testing.TB, a *Authority) []byte {
	t.Helper()
	signed, err := a.SignPDF(t.Context(), licence(t), Signing{Seal: newSeal(t, a), Box: sealBox})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func verified(t testing.TB, file []byte, roots Roots) Report {
	t.Helper()
	r, err := Verify(file, roots)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// signaturesOf reads seal and ordinary signature of a file.
func signaturesOf(t *testing.T, pdf []byte) []pdfSignature {
	t.Helper()
	f, err := readPDF(pdf)
	if err != nil {
		t.Fatal(err)
	}
	signatures, err := f.signatures()
	if err != nil || len(signatures) != 2 {
		t.Fatalf("%d signatures: %v", len(signatures), err)
	}
	return signatures
}

func TestSignPDF(t *testing.T) {
	t.Parallel()
	a := open(t)
	signed := signedPDF(t, a)
	if again := signedPDF(t, open(t)); !bytes.Equal(again, signed) {
		t.Error("the same input, keys, time and randomness give other bytes")
	}
	if !bytes.HasPrefix(signed, licence(t)) {
		t.Error("the bytes of the file were changed")
	}
	t.Logf("%d bytes more", len(signed)-len(licence(t)))
	both, cms := goodSeal(), goodSeal()
	cms.Kind, cms.SealName = KindCMS, ""
	want := Report{Format: "pdf", Whole: true, Signatures: []Signature{both, cms}}
	if got := verified(t, signed, a.Roots()); fmt.Sprint(got) != fmt.Sprint(want) || !got.Good() {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	strangers := verified(t, signed, stranger(t).Roots())
	if !strangers.Whole || strangers.Good() || strangers.Signatures[0].Trusted || strangers.Signatures[1].Trusted {
		t.Errorf("by other roots: %+v", strangers)
	}
}

// TestSigningPlaces: an invisible field, a given time, a page that is not there.
func TestSigningPlaces(t *testing.T) {
	t.Parallel()
	a := open(t)
	s := newSeal(t, a)
	at := noon.Add(-time.Minute)
	signed, err := a.SignPDF(t.Context(), licence(t), Signing{Seal: s, At: at})
	if err != nil {
		t.Fatal(err)
	}
	if r := verified(t, signed, a.Roots()); !r.Good() || !r.Signatures[0].Signed.Equal(at) || !r.Signatures[1].Signed.Equal(at) {
		t.Errorf("%+v", r)
	}
	for name, signing := range map[string]Signing{
		"no such page": {Seal: s, Page: 1}, "before the first": {Seal: s, Page: -1},
		"inside out": {Seal: s, Box: Box{Width: -1}}, "far away": {Seal: s, Box: Box{X: 1e12, Width: 1}},
	} {
		if _, err := a.SignPDF(t.Context(), licence(t), signing); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	twice, err := a.SignPDF(t.Context(), signed, Signing{Seal: s, Box: sealBox})
	if err != nil {
		t.Fatal(err)
	}
	if r := verified(t, twice, a.Roots()); !r.Good() || len(r.Signatures) != 4 {
		t.Errorf("signed twice: %+v", r)
	}
}

// TestChangedPDF: whatever is done to a sealed file is told.
func TestChangedPDF(t *testing.T) {
	t.Parallel()
	a := open(t)
	plain, signed, roots := licence(t), signedPDF(t, a), a.Roots()
	good := verified(t, signed, roots)
	signatures := signaturesOf(t, signed)
	firstEnd := min(signatures[0].end, signatures[1].end)
	for name, c := range map[string]struct {
		file  []byte
		want  AlterationKind
		whole bool
	}{
		"not signed":         {file: plain, want: Unsigned},
		"a byte appended":    {file: append(slices.Clone(signed), '\n'), want: Appended},
		"an update appended": {file: rogueUpdate(t, signed), want: Appended},
		"sealed alone":       {file: signed[:firstEnd], whole: true},
		"content changed":    {file: spoiled(signed, len(plain)/2)},
		"an update between":  {file: signedAgain(t, a, rogueUpdate(t, signed)), want: Updated},
	} {
		got := verified(t, c.file, roots)
		if got.Whole != c.whole || c.want != "" && (len(got.Alterations) != 1 || got.Alterations[0].What != c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// No byte can be changed unnoticed, but the case of a hexadecimal digit.
	step := 1 + len(signed)/400
	for i := 0; i < len(signed); i += step {
		changed := spoiled(signed, i)
		if bytes.EqualFold(changed[i:i+1], signed[i:i+1]) {
			continue
		}
		if r, err := Verify(changed, roots); err == nil && r.Good() {
			t.Errorf("a change at %d of %d passes", i, len(signed))
		}
	}
	for i := len(plain); i < len(signed); i++ { // a file that is cut off
		if i%97 == 0 || i > len(signed)-40 {
			if r, err := Verify(signed[:i], roots); err == nil && r.Good() && i != firstEnd {
				t.Errorf("cut off at %d it passes", i)
			}
		}
	}
	if !good.Good() {
		t.Errorf("%+v", good)
	}
}

func spoiled(file []byte, at int) []byte {
	file = bytes.Clone(file)
	file[at] ^= 1
	return file
}

// rogueUpdate appends an update that takes all content off the first page.
func rogueUpdate(t *testing.T, pdf []byte) []byte {
	t.Helper()
	f, err := readPDF(pdf)
	if err != nil {
		t.Fatal(err)
	}
	number, _, err := f.page(0)
	if err != nil {
		t.Fatal(err)
	}
	page, _, err := f.dict(fmt.Appendf(nil, "%d 0 R", number))
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.Clone(pdf)
	offset := len(out)
	out = page.with("Contents", []byte("[]")).appendTo(fmt.Appendf(out, "%d 0 obj\n", number))
	start := len(out) + len("\nendobj\n")
	out = fmt.Appendf(out, "\nendobj\nxref\n%d 1\n%010d 00000 n \n", number, offset)
	out = f.trailer.with("Prev", fmt.Append(nil, f.start)).appendTo(append(out, "trailer\n"...))
	return fmt.Appendf(out, "\nstartxref\n%d\n%%%%EOF\n", start)
}

func signedAgain(t *testing.T, a *Authority, pdf []byte) []byte {
	t.Helper()
	signed, err := a.SignPDF(t.Context(), pdf, Signing{Seal: newSeal(t, a)})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestNotAPDF: what cannot be read is an error, not a report.
func TestNotAPDF(t *testing.T) {
	t.Parallel()
	a := open(t)
	for name, file := range map[string]string{
		"empty": "", "text": "hello", "head alone": "%PDF-1.4\n", "no table": "%PDF-1.4\nstartxref\n0\n%%EOF\n",
		"loop":        "%PDF-1.4\nxref\n0 0\ntrailer << /Prev 9 >>\nstartxref\n9\n%%EOF\n",
		"no root":     "%PDF-1.4\nxref\n0 0\ntrailer << >>\nstartxref\n9\n%%EOF\n",
		"cut table":   "%PDF-1.4\nxref\n0 99999999\ntrailer << >>\nstartxref\n9\n%%EOF\n",
		"deep":        "%PDF-1.4\nxref\n0 0\ntrailer << /A " + strings.Repeat("[", 1000) + " >>\nstartxref\n9\n%%EOF\n",
		"two keys":    "%PDF-1.4\nxref\n0 0\ntrailer << /A 1 /A 2 >>\nstartxref\n9\n%%EOF\n",
		"many keys":   "%PDF-1.4\nxref\n0 0\ntrailer << " + manyKeys(maxKeys+1) + ">>\nstartxref\n9\n%%EOF\n",
		"many tables": "%PDF-1.4\nxref\n" + strings.Repeat("0 0\n", maxTables+1) + "trailer << >>\nstartxref\n9\n%%EOF\n",
		"many fields": manyFields(maxFields + 1),
		"encrypted":   "%PDF-1.4\nxref\n0 0\ntrailer << /Encrypt 1 0 R >>\nstartxref\n9\n%%EOF\n",
	} {
		if r, err := Verify([]byte(file), a.Roots()); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if _, err := a.SignPDF(t.Context(), []byte(file), Signing{Seal: newSeal(t, a)}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: signed: %v", name, err)
		}
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "/K%d 1 ", i)
	}
	return b.String()
}

// manyFields is a PDF whose form has n fields.
func manyFields(n int) string {
	const catalog = "<< /Type /Catalog /AcroForm << /Fields ["
	head := "%PDF-1.4\n1 0 obj\n" + catalog + strings.Repeat("1 0 R ", n) + "] >> >>\nendobj\n"
	return fmt.Sprintf("%sxref\n1 1\n%010d 00000 n \ntrailer << /Root 1 0 R /Size 2 >>\nstartxref\n%d\n%%%%EOF\n", head, 9, len(head))
}

// TestLimitsAreReached: what is at a limit, and not above it, is judged.
func TestLimitsAreReached(t *testing.T) {
	t.Parallel()
	if r, err := Verify([]byte(manyFields(maxFields)), Roots{}); err != nil || r.Whole {
		t.Errorf("%+v: %v", r, err)
	}
	tables := strings.Replace(string(tinyPDF()), "xref\n", "xref\n"+strings.Repeat("9 0\n", maxTables-1), 1)
	if r, err := Verify([]byte(tables), Roots{}); err != nil || r.Whole {
		t.Errorf("%+v: %v", r, err)
	}
}

// TestSignedPDFInOtherTools: qpdf finds no fault, pdfsig accepts the ordinary signature, OpenSSL the value of the seal.
func TestSignedPDFInOtherTools(t *testing.T) {
	t.Parallel()
	a := open(t)
	signed := signedPDF(t, a)
	file := saved(t, "signed.pdf", signed)
	tool(t, "qpdf", "--check", file)
	out := tool(t, "pdfsig", "-nocert", file)
	if !strings.Contains(out, "Signature is Valid") || !strings.Contains(out, "ETSI.CAdES.detached") || !strings.Contains(out, "Total document signed") {
		t.Errorf("pdfsig: %s", out)
	}
	changed := saved(t, "changed.pdf", spoiled(signed, 5000))
	if out, _ := exec.CommandContext(t.Context(), "pdfsig", "-nocert", changed).CombinedOutput(); strings.Contains(string(out), "Signature is Valid") {
		t.Errorf("pdfsig accepts a changed file: %s", out)
	}
	signatures := signaturesOf(t, signed)
	s := signatures[0]
	value, err := parseSealSignature(s.value)
	if err != nil {
		t.Fatal(err)
	}
	sum := tool(t, "openssl", "dgst", "-sm3", "-r", saved(t, "ranges", slices.Concat(signed[:s.before], signed[s.after:s.end])))
	if digest, err := hex.DecodeString(strings.Fields(sum)[0]); err != nil || !bytes.Equal(digest, value.ToSign.Hash.Bytes) {
		t.Errorf("OpenSSL's digest of the file is %s", sum)
	}
	opensslVerifies(t, newSeal(t, a).sm2.Certificate, value.ToSign.Raw, value.Signature.Bytes)
}

// pdfbox are the jars of Debian's libpdfbox2-java and what it depends on.
const pdfbox = "/usr/share/java/preflight.jar:/usr/share/java/pdfbox2.jar:/usr/share/java/fontbox2.jar:" +
	"/usr/share/java/xmpbox.jar:/usr/share/java/commons-logging.jar"

// javaClasses compiles Java sources, and returns the folder of the classes.
func javaClasses(t *testing.T, path string, sources ...string) string {
	t.Helper()
	dir := t.TempDir()
	tool(t, "javac", append([]string{"-nowarn", "-cp", path, "-d", dir}, sources...)...)
	return dir
}

// TestSignedPDFStaysArchival: PDFBox finds the file to be PDF/A-1b before and after, and with a large seal.
func TestSignedPDFStaysArchival(t *testing.T) {
	t.Parallel()
	var sources []string
	for _, pattern := range []string{"*.java", "javax/*/*.java", "javax/*/*/*.java"} {
		found, err := filepath.Glob(filepath.Join("../render/testdata/preflight", pattern))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, found...)
	}
	classes := javaClasses(t, pdfbox, sources...)
	a := open(t)
	large := spec(t)
	large.Picture = append(large.Picture, make([]byte, maxPicture-len(large.Picture))...)
	s, err := a.Seal(t.Context(), large)
	if err != nil {
		t.Fatal(err)
	}
	withLarge, err := a.SignPDF(t.Context(), licence(t), Signing{Seal: s})
	if err != nil {
		t.Fatal(err)
	}
	files := []string{saved(t, "plain.pdf", licence(t)), saved(t, "signed.pdf", signedPDF(t, a)), saved(t, "large.pdf", withLarge)}
	out := tool(t, "java", append([]string{"-cp", pdfbox + ":" + classes, "Preflight"}, files...)...)
	if strings.Count(out, " valid\n") != len(files) {
		t.Errorf("preflight: %s", out)
	}
}

// TestOrdinarySignatureInOpenSSL: OpenSSL verifies the CMS signature and its certificate, and the time-stamp.
func TestOrdinarySignatureInOpenSSL(t *testing.T) {
	t.Parallel()
	a := open(t)
	signed := signedPDF(t, a)
	signatures := signaturesOf(t, signed)
	s := signatures[1]
	m, err := parseCMS(s.value)
	if err != nil {
		t.Fatal(err)
	}
	der := bytes.TrimRight(s.value, "\x00")
	root := saved(t, "root.pem", pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: a.roots[P256SHA256].Certificate.DER()}))
	time := fmt.Sprint(noon.Unix())
	content := saved(t, "content", slices.Concat(signed[:s.before], signed[s.after:s.end]))
	tool(t, "openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", saved(t, "cms", der), "-content", content,
		"-CAfile", root, "-attime", time, "-purpose", "any", "-out", os.DevNull)
	tool(t, "openssl", "ts", "-verify", "-token_in", "-in", saved(t, "token", m.stamp), "-data", saved(t, "value", m.value),
		"-CAfile", root, "-attime", time)
}

func FuzzVerifyPDF(f *testing.F) {
	a := open(f)
	signed, roots := signedPDF(f, a), a.Roots()
	f.Add(signed[len(licence(f))-2000:])
	f.Add([]byte("%PDF-1.4\nxref\n0 0\ntrailer << /Prev 9 >>\nstartxref\n9\n%%EOF\n"))
	f.Add(tinyPDF())
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, data := range [][]byte{file, slices.Concat(signed, file)} {
			r, err := Verify(data, roots)
			if err == nil && len(file) > 0 && r.Good() {
				t.Error("a file that nobody sealed is good")
			}
		}
		if out, err := a.SignPDF(t.Context(), file, Signing{Seal: newSeal(t, a)}); err == nil {
			if r, err := Verify(out, roots); err != nil || len(r.Signatures) < 2 {
				t.Errorf("what was signed cannot be judged: %+v, %v", r, err)
			}
		}
	})
}

// tinyPDF is a PDF of one empty page.
func tinyPDF() []byte {
	out := []byte("%PDF-1.4\n")
	var offsets []int
	for i, object := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 10 10] >>",
	} {
		offsets = append(offsets, len(out))
		out = fmt.Appendf(out, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := len(out)
	out = append(out, "xref\n0 4\n0000000000 65535 f \n"...)
	for _, o := range offsets {
		out = fmt.Appendf(out, "%010d 00000 n \n", o)
	}
	return fmt.Appendf(out, "trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", start)
}

// BenchmarkSignPDF is both signatures and both time-stamps.
func BenchmarkSignPDF(b *testing.B) {
	a, err := openIn(b.Context(), b.TempDir(), keyring(b), Options{})
	if err != nil {
		b.Fatal(err)
	}
	signing := Signing{Seal: newSeal(b, a), Box: sealBox}
	pdf := licence(b)
	b.ReportMetric(float64(len(pdf)), "bytes-in")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.SignPDF(b.Context(), pdf, signing); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyPDF is all checks of such a file.
func BenchmarkVerifyPDF(b *testing.B) {
	a := open(b)
	signed, roots := signedPDF(b, a), a.Roots()
	b.ReportAllocs()
	for b.Loop() {
		if r, err := Verify(signed, roots); err != nil || !r.Good() {
			b.Fatal(r, err)
		}
	}
}
