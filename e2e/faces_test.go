package e2e

import (
	"database/sql"
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const faced = `
    faces:
      - declaration: |
          face: 1
          name: 试用证面
          pages:
            - size: [120, 90]
              elements:
                - {picture: bg.png, box: [90, 60, 20, 20]}
                - {text: 第一版证面, box: [10, 10, 80, 10]}
                - {field: CZR, label: 持证人, label_width: 20, box: [10, 24, 80, 8]}
                - {field: CYRSFZJHM, label: 证件号, label_width: 20, box: [10, 34, 80, 8]}
        assets:
          bg.png: iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
`

// licencePage fetches the desktop page of a licence, as a business system does.
func (c *caller) licencePage(code string) string {
	c.g.t.Helper()
	a := (&caller{g: c.g}).get("/license/view_license", "license_access_token", c.pageToken(code))
	if a.status != http.StatusOK || !strings.Contains(string(a.raw), code) {
		c.g.t.Fatalf("the page of %s: %d %.300s", code, a.status, a.raw)
	}
	return string(a.raw)
}

func (c *caller) pageToken(code string) string {
	c.g.t.Helper()
	return c.get("/license/token", "auth_code", c.authCodeOf(code)).data()["license_access_token"].(string)
}

// authCodeOf is the use code of one of the holder's licences.
func (c *caller) authCodeOf(code string) string {
	c.g.t.Helper()
	_, a := c.authCode(nil)
	for i, l := range a.body["data"].([]any) {
		if l.(map[string]any)["license_code"] == code {
			return a.body["auth_codes"].([]any)[i].(string)
		}
	}
	c.g.t.Fatalf("no licence %s in %s", code, a.raw)
	return ""
}

// TestLicenceKeepsItsFace: a licence looks as it did when it was issued, on page and PDF, whatever face its item has later, and after a restart;
// one from before any face has that of today. When its face was altered in the database, it is still seen.
func TestLicenceKeepsItsFace(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	c := g.login("hydj", "zhangbin")
	before := c.made("F-0")
	if page := c.licencePage(before); strings.Contains(page, "第一版证面") {
		t.Fatal("a face out of nothing")
	}
	last := "      - {key: FZRQ, label: 发证日期, type: date, role: issue_date}\n"
	first := edited(last, last+strings.TrimPrefix(faced, "\n"))
	if out := g.apply(first); !strings.Contains(out, "faces.* （无） → 自定义模板") {
		t.Errorf("told: %s", out)
	}
	if out := g.apply(first); !strings.Contains(out, "没有变化") {
		t.Errorf("again: %s", out)
	}
	if out := g.must("export"); !strings.Contains(out, "                - {text: 第一版证面, box: [10, 10, 80, 10]}\n") {
		t.Errorf("exported: %s", out)
	}
	old := c.made("F-1")
	g.apply(strings.Replace(first, "第一版证面", "第二版证面", 1))
	fresh := c.made("F-2")
	looks := func(when string) {
		t.Helper()
		for code, want := range map[string]string{before: "第二版证面", old: "第一版证面", fresh: "第二版证面"} {
			page := c.licencePage(code)
			if n := strings.Count(page, want); n == 0 || strings.Contains(page, "第一版证面") == strings.Contains(page, "第二版证面") {
				t.Errorf("%s: %s should be drawn with %s", when, code, want)
			}
			if !strings.Contains(page, "未申请查看敏感信息") || strings.Contains(page, holderID) {
				t.Errorf("%s: %s does not say why it is masked", when, code)
			}
		}
	}
	looks("changed")
	if text := c.pdfText(old); !strings.Contains(text, "第一版证面") || strings.Contains(text, "第二版证面") {
		t.Errorf("the PDF: %s", text)
	}
	g.apply(edited()) // no face at all
	if page := c.licencePage(old); !strings.Contains(page, "第一版证面") {
		t.Error("a licence lost its face with its item")
	}
	g.apply(strings.Replace(first, "第一版证面", "第二版证面", 1))
	g.stop()
	g.run()
	c = g.login("hydj", "zhangbin")
	looks("restarted")

	g.stop()
	db, err := sql.Open("sqlite", g.dir+"/data/licgate.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if r, err := db.Exec(`UPDATE faces SET body = replace(body, '一', '七')`); err != nil {
		t.Fatal(err)
	} else if n, _ := r.RowsAffected(); n != 2 {
		t.Fatalf("%d faces were kept, want 2", n)
	}
	g.run()
	c = g.login("hydj", "zhangbin")
	if page := c.licencePage(old); strings.Contains(page, "版证面") {
		t.Errorf("drawn with a face that was altered")
	}
	if page := c.licencePage(fresh); !strings.Contains(page, "第二版证面") {
		t.Error("the declared face needs no database")
	}
	if !strings.Contains(g.log.String(), "a licence's face can't be had") || !strings.Contains(g.admin("GET", "/metrics"), "licgate_face_faults_total 1") {
		t.Error("no alarm in log and metrics")
	}
}

// pdfText archives a licence and reads its text.
func (c *caller) pdfText(code string) string {
	c.g.t.Helper()
	a := c.get("/license/archive", "auth_code", c.authCodeOf(code))
	content, _ := a.data()["file_data"].(string)
	pdf, err := base64.StdEncoding.DecodeString(content)
	if err != nil || len(pdf) == 0 {
		c.g.t.Fatalf("archive: %v %.300s", err, a.raw)
	}
	file := filepath.Join(c.g.dir, code+".pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		c.g.t.Fatal(err)
	}
	text, err := exec.Command("pdftotext", file, "-").Output()
	if err != nil {
		c.g.t.Fatal(err)
	}
	return string(text)
}

// TestBadFaceIsRefused: what is wrong with a face is told when it is declared, with the platform file's line, the item and the group; nothing of
// the file takes effect.
func TestBadFaceIsRefused(t *testing.T) {
	t.Parallel()
	g := start(t)
	g.apply(platform)
	last := "      - {key: FZRQ, label: 发证日期, type: date, role: issue_date}\n"
	good := edited(last, last+strings.TrimPrefix(faced, "\n"))
	file := filepath.Join(g.dir, "bad.yaml")
	for old, bad := range map[string]string{
		"{field: CZR,":    "{field: XM,",
		"[10, 34, 80, 8]": "[10, 34, 180, 8]",
		"text: 第一版证面":     "tekst: 第一版证面",
	} {
		text := strings.Replace(good, old, bad, 1)
		line := 1 + strings.Count(text[:strings.Index(text, bad)], "\n")
		write(t, file, text)
		for _, args := range [][]string{{"apply", "-f", file, "--dry-run"}, {"apply", "-f", file}, {"policy", "plan", "-f", file}} {
			_, stderr, code := g.command(args...)
			where := "第 " + strconv.Itoa(line) + " 行 items[0].faces[0].declaration：证照目录 305018201，其余组别（未写 group）：pages[0].elements["
			if code != 1 || !strings.Contains(stderr, where) {
				t.Errorf("%s, %v: exit %d, want %s in\n%s", bad, args, code, where, stderr)
			}
		}
	}
	write(t, file, edited(last, last+"    faces: [{group: \"1\", template: mariage}]\n"))
	if _, stderr, code := g.command("apply", "-f", file); code != 1 || !strings.Contains(stderr, `items[0].faces[0].template：证照目录 305018201，组别 "1"：没有名为 "mariage" 的模板；`) {
		t.Errorf("an unknown template: exit %d %s", code, stderr)
	}
	if out := g.must("export"); strings.Contains(out, "faces") {
		t.Errorf("a refused file took effect: %s", out)
	}
	// What a face has no room for, and may not continue elsewhere, is refused when it is made.
	g.apply(strings.Replace(good, "{field: CZR,", "{field: CZR, overflow: refuse,", 1))
	c := g.login("hydj", "zhangbin")
	fields := marriageFields("F-1")
	fields["CZR"] = strings.Repeat("长", 400)
	a := c.post("/license/"+marriage+"/create", wrapped(object{"data_fields": fields}))
	if a.ok() || !strings.Contains(string(a.raw), "持证人（CZR）在证面上放不下") {
		t.Errorf("without room: %s", a.raw)
	}
	c.made("F-1")
	// The marriage face takes what the standard's own example declares.
	g.apply(edited(last, last+"    faces: [{group: \"1\", template: marriage}]\n"))
}
