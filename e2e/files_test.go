package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// archived fetches a licence's file and keeps it.
func (c *caller) archived(auth, kind string) (path string, content []byte) {
	c.g.t.Helper()
	a := c.get("/license/archive", "auth_code", auth, "file_type", kind)
	if !a.ok() {
		c.g.t.Fatalf("archive as %s: %.300s", kind, a.raw)
	}
	content, err := base64.StdEncoding.DecodeString(a.data()["file_data"].(string))
	if err != nil {
		c.g.t.Fatal(err)
	}
	path = filepath.Join(c.g.t.TempDir(), a.data()["file_name"].(string))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		c.g.t.Fatal(err)
	}
	return path, content
}

// pdfText is what a reader of PDF files sees.
func pdfText(t *testing.T, pdf []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "licence.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("pdftotext", file, "-").Output()
	if err != nil {
		t.Fatalf("pdftotext: %v", err)
	}
	return string(text)
}

type verdicts []struct {
	Good, Whole bool
	Alterations []string
	Signatures  []struct {
		Kind, Name, Department string
		Proven, Trusted        bool
	}
	Licence  string
	Standing *struct{ Status, Issuer string }
}

// TestSealedFiles: what archive hands over is sealed by the issuing department; everybody can tell whether it is whole, and the gateway whether
// the licence still holds.
func TestSealedFiles(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	code := c.made("F-1")
	auth, _ := c.authCode(nil)
	verify := func(path string, args ...string) (verdicts, int) {
		t.Helper()
		out, stderr, exit := g.command(append([]string{"verify", path, "--json"}, args...)...)
		var v verdicts
		if err := json.Unmarshal([]byte(out), &v); err != nil || len(v) != 1 {
			t.Fatalf("verify: %v %s %s", err, out, stderr)
		}
		return v, exit
	}
	for kind, signatures := range map[string]int{"PDF": 2, "OFD": 1} {
		path, content := c.archived(auth, kind)
		v, exit := verify(path)
		if exit != 0 || !v[0].Good || v[0].Licence != code || v[0].Standing == nil || v[0].Standing.Status != "ISSUED" || v[0].Standing.Issuer != "北京市民政局" {
			t.Errorf("%s: exit %d, %+v", kind, exit, v)
		}
		if len(v[0].Signatures) != signatures {
			t.Fatalf("%s: %d signatures", kind, len(v[0].Signatures))
		}
		for _, s := range v[0].Signatures {
			if s.Name != "北京市民政局" || s.Department != civil || !s.Proven || !s.Trusted {
				t.Errorf("%s: %+v", kind, s)
			}
		}
		if bytes.Contains(content, []byte("李大华")) || bytes.Contains(content, []byte(holderID)) {
			t.Errorf("%s: the file shows what is sensitive", kind)
		}
		// One letter changed, anything added.
		for what, altered := range map[string][]byte{
			"a byte changed": func() []byte { b := bytes.Clone(content); b[len(b)/3] ^= 1; return b }(),
			"bytes appended": append(bytes.Clone(content), "\n%%EOF\n"...),
		} {
			other := filepath.Join(t.TempDir(), "altered"+filepath.Ext(path))
			if err := os.WriteFile(other, altered, 0o600); err != nil {
				t.Fatal(err)
			}
			out, stderr, exit := g.command("verify", other)
			if exit != 1 || strings.Contains(out, "完整，签章可信") {
				t.Errorf("%s: %s: exit %d %s%s", kind, what, exit, out, stderr)
			}
		}
		// Somebody else's roots trust nothing of it.
		other := start(t)
		roots := filepath.Join(other.dir, "data", "seal-roots.pem")
		if v, exit := verify(path, "--roots", roots, "--offline"); exit != 1 || v[0].Good || !v[0].Whole || v[0].Standing != nil {
			t.Errorf("%s: by the roots of another platform: exit %d, %+v", kind, exit, v)
		}
	}
	pdf, _ := c.archived(auth, "PDF")
	if out, err := exec.Command("pdfsig", pdf).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("Signature is Valid")) {
		t.Errorf("pdfsig: %v\n%s", err, out)
	}
	if out, err := exec.Command("qpdf", "--check", pdf).CombinedOutput(); err != nil {
		t.Errorf("qpdf: %v\n%s", err, out)
	}
	ofd, content := c.archived(auth, "OFD")
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Doc_0/Signs/Sign_0/Seal.esl", "Doc_0/Attachs/licence.xml"} {
		f, err := z.Open(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, _ := io.ReadAll(f)
		f.Close()
		if bytes.Contains(text, []byte("李大华")) {
			t.Errorf("%s shows what is sensitive", name)
		}
	}
	// The file stays whole; the licence does not hold any more.
	if a := c.post("/license/"+marriage+"/abolish", wrapped(object{"license_code": code, "abolish_reason": "x"})); !a.ok() {
		t.Fatalf("abolishing: %s", a.raw)
	}
	out, _, exit := g.command("verify", pdf, ofd)
	if exit != 1 || strings.Count(out, "完整，签章可信") != 2 || strings.Count(out, "已废止") != 2 {
		t.Errorf("of an abolished licence: exit %d %s", exit, out)
	}
	g.stop()
	if out, _, exit := g.command("verify", pdf); exit != 0 || !strings.Contains(out, "未查询现在的状态") {
		t.Errorf("without the gateway: exit %d %s", exit, out)
	}
	g.refused("没有", "verify", pdf, "--roots", filepath.Join(g.dir, "none.pem"))
	junk := filepath.Join(g.dir, "junk.txt")
	if err := os.WriteFile(junk, []byte("no file of ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.refused("不是可以核验的 PDF 或 OFD 文件", "verify", junk)
}
