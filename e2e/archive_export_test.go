package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// archived is what licgate archive export --json prints.
type archived struct {
	Department, Out   string
	Complete          bool
	Archived, Present int
	Items             []struct {
		Item  string `json:"license_item_code"`
		Total int
	}
	Failed []struct {
		Item      string `json:"license_item_code"`
		Code      string `json:"license_code"`
		ErrorCode string `json:"code"`
		Message   string
	}
}

func (d department) archiveArgs(out string, more ...string) []string {
	return append([]string{
		"archive", "export", "--json", "--url", d.url, "--ca", d.ca, "--app-key", d.app, "--account", d.account,
		"--secrets-file", d.rightSecrets(), "--service-item", service, "--out", out,
	}, more...)
}

// export archives and must exit with code.
func (d department) export(code int, out string, more ...string) (a archived, errs string) {
	d.g.t.Helper()
	text, errs, got := d.g.command(d.archiveArgs(out, more...)...)
	if got != code {
		d.g.t.Fatalf("exit %d, want %d\n%s%s", got, code, text, errs)
	}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			d.g.t.Fatalf("%v\n%s", err, text)
		}
	}
	return a, errs
}

const ownService = "110103GA001" // of the other department

// archiveWorld is a gateway with 30 valid licences of one department, two abolished, and one of another department. Codes are in the order of issue.
func archiveWorld(t *testing.T) (g *gateway, valid []string, foreign string) {
	t.Helper()
	g = start(t)
	g.apply(edited("  - app_key: readonly\n", `  - app_key: slow
    name: 限速的系统
    department: 11110000000021135M
    rate: {per_second: 4}
    grants:
      - {items: ["305018201"], needs: [archive], service_items: ["110103MZ001"]}
  - app_key: readonly
`))
	c := g.login("hydj", "zhangbin")
	for i := range 32 {
		code := c.call(marriage, "issue", object{"data_fields": face(fmt.Sprintf("A-%d", i), identity(i))}).must(t).text("license_code")
		if i == 5 || i == 17 {
			c.call(marriage, "abolish", object{"license_code": code}).must(t)
			continue
		}
		valid = append(valid, code)
	}
	c.call(marriage, "create", object{"data_fields": face("A-unsigned", identity(99))}).must(t)
	foreign = g.login("other", "stranger").call(marriage, "issue", object{
		"data_fields": face("F-1", identity(50)), "service_item_code": ownService, "service_item_name": "另一事项",
	}).must(t).text("license_code")
	return g, valid, foreign
}

func TestArchiveExport(t *testing.T) {
	t.Parallel()
	g, valid, foreign := archiveWorld(t)
	for _, one := range []struct {
		name string
		run  func(*testing.T, *gateway, []string, string)
	}{
		{"list", archiveLists},
		{"folder and zip", archiveFolderAndZip},
		{"killed and resumed", archiveResumed},
		{"refused", archiveRefused},
	} {
		t.Run(one.name, func(t *testing.T) { one.run(t, g.in(t), valid, foreign) })
	}
	g.must("audit", "verify")
}

// archiveLists walks the interface itself.
func archiveLists(t *testing.T, g *gateway, valid []string, foreign string) {
	c := g.login("hydj", "zhangbin")
	const path = "/license/" + marriage + "/archive_list"
	list := func(more object) answer {
		t.Helper()
		body := object{"service_item_code": service}
		for name, value := range more {
			body[name] = value
		}
		return c.post(path, object{"data": body})
	}
	var codes []string
	after := ""
	for page := range 20 {
		a := list(object{"after": after, "page_size": 7}).must(t)
		if total := a.body["total_count"]; page == 0 && total != 30.0 || page > 0 && total != nil {
			t.Errorf("page %d: total_count %v", page, total)
		}
		for _, row := range a.data()["licenses"].([]any) {
			one := row.(object)
			codes = append(codes, one["license_code"].(string))
			if one["issue_date"] != "2020-02-14" || one["issue_time"] == "" {
				t.Errorf("%v", one)
			}
			if page == 0 && len(codes) == 1 {
				got := c.get("/license/archive", "auth_code", one["auth_code"].(string)).must(t)
				if got.text("file_name") != valid[0]+".pdf" {
					t.Errorf("archive: %.200s", got.raw)
				}
				if r := g.record(a); len(r.Licences) != 7 || r.Kind != "use" || r.Item != marriage || r.ServiceItem != service {
					t.Errorf("the record is %+v", r)
				}
			}
		}
		if after, _ = a.data()["next_after"].(string); after == "" {
			break
		}
	}
	if !slices.Equal(codes, valid) {
		t.Errorf("listed %v\nwant %v", codes, valid)
	}
	tomorrow := time.Now().Add(48 * time.Hour).Format(time.DateOnly)
	if a := c.get(path, "service_item_code", service, "since", tomorrow).must(t); a.body["total_count"] != 0.0 || len(a.data()["licenses"].([]any)) != 0 {
		t.Errorf("since tomorrow: %s", a.raw)
	}
	w := watch(g)
	w.refused(t, list(object{"after": foreign}), http.StatusOK, "40001")
	w.refused(t, list(object{"since": "昨天"}), http.StatusOK, "10003", "since")
	w.refused(t, list(object{"service_item_code": ownService}), http.StatusOK, "30003")
	c = g.login("hydj", "maker")
	w.refused(t, list(nil), http.StatusOK, "30002")
	c = g.login("readonly", "zhangbin")
	w.refused(t, list(nil), http.StatusOK, "30001")
	c = g.login("other", "stranger")
	a := list(object{"service_item_code": ownService}).must(t)
	if rows := a.data()["licenses"].([]any); len(rows) != 1 || rows[0].(object)["license_code"] != foreign {
		t.Errorf("the other department's list: %s", a.raw)
	}
	w.refused(t, list(object{"service_item_code": ownService, "after": valid[0]}), http.StatusOK, "40001")
}

// archiveCalls counts what the gateway was asked for by an application, by outcome or error code.
func archiveCalls(t *testing.T, g *gateway, app string) map[string]int {
	t.Helper()
	count := map[string]int{}
	for line := range strings.Lines(g.must("audit", "export")) {
		if r := decodeRecord(t, line); r.App == app && r.Interface == "archive" {
			count[r.Outcome]++
			count[r.ErrorCode]++
		}
	}
	return count
}

// indexed are the codes that the index of an archive has.
func indexed(t *testing.T, dir string) (codes []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "index.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var one struct {
			Code string `json:"license_code"`
		}
		if json.Unmarshal([]byte(line), &one) == nil && one.Code != "" {
			codes = append(codes, one.Code)
		}
	}
	return codes
}

// sound fails unless the folder holds the licences, each a whole PDF, and nothing else.
func sound(t *testing.T, dir string, valid []string) {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range found {
		names = append(names, one.Name())
	}
	want := []string{"index.jsonl"}
	for _, code := range valid {
		want = append(want, code+".pdf")
		if pdf, err := os.ReadFile(filepath.Join(dir, code+".pdf")); err != nil || !wholePDF(pdf) {
			t.Errorf("%s: %d bytes, %v", code, len(pdf), err)
		}
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("the folder holds %v\nwant %v", names, want)
	}
}

func wholePDF(pdf []byte) bool {
	return bytes.HasPrefix(pdf, []byte("%PDF-")) && bytes.HasSuffix(bytes.TrimSpace(pdf), []byte("%%EOF"))
}

func archiveFolderAndZip(t *testing.T, g *gateway, valid []string, _ string) {
	d := g.department("hydj", "zhangbin").in(t)
	dir := filepath.Join(t.TempDir(), "archive")
	a, errs := d.export(0, dir, "--item", marriage, "--department", mzj)
	if !a.Complete || a.Archived != 30 || a.Present != 0 || len(a.Failed) != 0 || a.Department != mzj || errs != "" {
		t.Errorf("%+v\n%s", a, errs)
	}
	sound(t, dir, valid)
	if got := indexed(t, dir); len(got) != 30 {
		t.Errorf("the index has %v", got)
	}
	pdf, err := os.ReadFile(filepath.Join(dir, valid[3]+".pdf"))
	if err != nil {
		t.Fatal(err)
	}
	if text := pdfText(t, pdf); !strings.Contains(text, valid[3]) || strings.Contains(text, "李大华") {
		t.Errorf("the file says %s", text)
	}
	// Again, by the whole catalogue: nothing is fetched, and what may not be archived does not matter.
	before := archiveCalls(t, g, "hydj")["SUCCESS"]
	if a, _ = d.export(0, dir); a.Present != 30 || a.Archived != 0 || !a.Complete || len(a.Items) != 1 {
		t.Errorf("again: %+v", a)
	}
	if after := archiveCalls(t, g, "hydj")["SUCCESS"]; after != before {
		t.Errorf("%d files were fetched again", after-before)
	}

	// On a terminal it shows how far it is, and says the outcome in words.
	args := d.archiveArgs(dir, "--item", marriage, "--json=false")
	if text, shown := g.onTerminal(args...); !strings.Contains(shown, "归档 "+marriage+" [##############################] 100%（30/30）") ||
		!strings.Contains(text, "共 30 张，新归档 0 张，已有 30 张，未归档 0 张") || !strings.Contains(text, dir) {
		t.Errorf("on a terminal: %q\n%s", shown, text)
	}

	if _, errs = d.export(1, dir, "--item", marriage, "--file-type", "OFD"); !strings.Contains(errs, "另一种文件类型") {
		t.Errorf("OFD among PDF: %s", errs)
	}
	ofd := filepath.Join(t.TempDir(), "ofd")
	a, _ = d.export(0, ofd, "--item", marriage, "--file-type", "ofd", "--since", time.Now().Add(-48*time.Hour).Format(time.DateOnly))
	if z, err := zip.OpenReader(filepath.Join(ofd, valid[0]+".ofd")); err != nil || a.Archived != 30 {
		t.Errorf("OFD: %+v, %v", a, err)
	} else {
		z.Close()
	}

	file := filepath.Join(t.TempDir(), "archive.zip")
	if a, _ = d.export(0, file, "--item", marriage, "--parallel", "3"); !a.Complete || a.Archived != 30 {
		t.Errorf("zip: %+v", a)
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var names []string
	for _, one := range z.File {
		names = append(names, strings.TrimSuffix(one.Name, ".pdf"))
		r, err := one.Open()
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || one.Name != "index.jsonl" && !wholePDF(text) {
			t.Errorf("%s: %v", one.Name, err)
		}
	}
	want := append(slices.Sorted(slices.Values(valid)), "index.jsonl")
	if !slices.Equal(names, want) {
		t.Errorf("the zip file holds %v", names)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, errs = d.export(1, file, "--item", marriage); !strings.Contains(errs, "已存在") {
		t.Errorf("over a file: %s", errs)
	}
}

// archiveResumed interrupts a slow export, kills it, and lets it end.
func archiveResumed(t *testing.T, g *gateway, valid []string, _ string) {
	d := g.department("slow", "zhangbin").in(t)
	dir := filepath.Join(t.TempDir(), "archive")
	args := d.archiveArgs(dir, "--item", marriage)
	for _, one := range []struct {
		signal syscall.Signal
		at     int
	}{{syscall.SIGINT, 3}, {syscall.SIGKILL, 11}} {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env, cmd.Dir = g.env, g.dir
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for len(indexed(t, dir)) < one.at {
			select {
			case err := <-ended:
				t.Fatalf("it ended: %v\n%s", err, errs.String())
			case <-time.After(5 * time.Millisecond):
			}
		}
		_ = cmd.Process.Signal(one.signal)
		<-ended
		if one.signal == syscall.SIGINT && (cmd.ProcessState.ExitCode() != 1 || !strings.Contains(errs.String(), "从中断处继续")) {
			t.Errorf("interrupted: %v\n%s", cmd.ProcessState, errs.String())
		}
	}
	noted := indexed(t, dir)
	if len(noted) >= 30 {
		t.Fatal("it was killed too late to show anything")
	}
	before := map[string]os.FileInfo{}
	for _, code := range noted {
		info, err := os.Stat(filepath.Join(dir, code+".pdf"))
		if err != nil {
			t.Fatal(err)
		}
		before[code] = info
	}
	a, errs := d.export(0, dir, "--item", marriage)
	if !a.Complete || a.Present != len(noted) || a.Archived != 30-len(noted) {
		t.Errorf("%+v\n%s", a, errs)
	}
	sound(t, dir, valid)
	for code, info := range before {
		if now, err := os.Stat(filepath.Join(dir, code+".pdf")); err != nil || !os.SameFile(info, now) {
			t.Errorf("%s was written again: %v", code, err)
		}
	}
	// What was under way when it was stopped may have been rendered once more; nothing else.
	calls := archiveCalls(t, g, "slow")
	if calls["SUCCESS"] < 30 || calls["SUCCESS"] > 30+2*4 || calls["50001"] == 0 {
		t.Errorf("calls of archive by outcome: %v", calls)
	}
}

func archiveRefused(t *testing.T, g *gateway, valid []string, foreign string) {
	out := filepath.Join(t.TempDir(), "archive")
	// Another department's caller gets its own licence, and none of these.
	stranger := g.department("other", "stranger").in(t)
	text, errs, code := g.command(append(stranger.archiveArgs(out, "--item", marriage), "--service-item", ownService)...)
	if code != 0 {
		t.Fatalf("%s%s", text, errs)
	}
	sound(t, out, []string{foreign})
	// Its folder is not taken for another department's.
	mine := g.department("hydj", "zhangbin").in(t)
	if _, errs := mine.export(1, out, "--item", marriage); !strings.Contains(errs, "另一部门") {
		t.Errorf("another department's folder: %s", errs)
	}
	sound(t, out, []string{foreign})

	// Who is no archivist.
	maker := g.department("hydj", "maker").in(t)
	empty := filepath.Join(t.TempDir(), "none")
	a, errs := maker.export(1, empty, "--item", marriage)
	if a.Complete || len(a.Failed) != 1 || a.Failed[0].ErrorCode != "30002" || !strings.Contains(errs, "1 种目录") {
		t.Errorf("%+v\n%s", a, errs)
	}
	if a, errs = maker.export(1, empty); a.Complete || len(a.Failed) != 0 || !strings.Contains(errs, "archivist") {
		t.Errorf("by the whole catalogue: %+v\n%s", a, errs)
	}
	// What matches nothing leaves nothing behind: no folder, no spool, no zip file.
	if a, errs := mine.export(1, empty, "--item", "999999999"); len(a.Failed) != 1 || a.Failed[0].Item != "999999999" {
		t.Errorf("an unknown item: %+v\n%s", a, errs)
	}
	hence := time.Now().In(time.FixedZone("", 8*60*60)).Format("2006-01-02 15:04:05")
	for _, path := range []string{empty, empty + ".zip"} {
		args := slices.DeleteFunc(mine.archiveArgs(path, "--item", marriage, "--since", hence), func(arg string) bool { return arg == "--json" })
		if out, errs, code := g.command(args...); code != 0 || !strings.Contains(out, "没有符合条件的证照，没有建立 "+path) {
			t.Errorf("nothing since now: exit %d, %s%s", code, out, errs)
		}
	}
	if left, err := filepath.Glob(empty + "*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	// A folder of something else.
	letters := t.TempDir()
	write(t, filepath.Join(letters, "letter.txt"), "x")
	if _, errs := mine.export(1, letters, "--item", marriage); !strings.Contains(errs, "不是归档目录") {
		t.Errorf("a foreign folder: %s", errs)
	}
	if found, _ := os.ReadDir(letters); len(found) != 1 {
		t.Errorf("something was written there: %v", found)
	}
	if _, errs := mine.export(1, empty, "--department", gaj); !strings.Contains(errs, mzj) {
		t.Errorf("another department than expected: %s", errs)
	}
	for _, wrong := range [][]string{
		{"--item", "x"}, {"--parallel", "0"}, {"--file-type", "DOC"}, {"--org-admin"}, {"--service-item", "a b"}, {"--out", ""}, {"--url", "http://localhost"},
	} {
		if _, errs := mine.export(2, empty, wrong...); !strings.Contains(errs, "--help") {
			t.Errorf("%v: %s", wrong, errs)
		}
	}
	for _, since := range []string{"昨天", "2999-01-01"} {
		if _, errs := mine.export(2, empty, "--item", marriage, "--since", since); !strings.Contains(errs, "北京时间") {
			t.Errorf("since %s: %s", since, errs)
		}
	}
}
