package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"licgate/audit"
	"licgate/audit/ledger"
)

// world is a gateway's audit folder with exports, and the files that a third party has.
type world struct {
	dir, keys, export, complete, checkpoint string
	receipt                                 audit.Receipt
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{dir: filepath.Join(t.TempDir(), "audit")}
	files := t.TempDir()
	pair, err := ledger.OpenKeys(filepath.Join(files, "log.key"), "gateway.example/audit", nil)
	if err != nil {
		t.Fatal(err)
	}
	signers, err := pair.LogSigners()
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(files, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	w.keys = write("keys", []byte("# the log\n"+signers[0].Key+"\n"+signers[1].Key+"\n"))
	o := audit.Options{Node: "gw-1", Ledger: &audit.LedgerOptions{Signers: signers}}
	life := func(ids ...string) {
		j, _, err := audit.OpenJournal(w.dir, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			r := audit.Record{ResponseID: id, Time: time.Now(), Event: audit.EventRequest, Department: "D1", Outcome: "SUCCESS"}
			if w.receipt, err = j.Keep(t.Context(), &r, audit.Strict); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	life("a", "b", "c")
	note, err := os.ReadFile(filepath.Join(w.dir, "tree", "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	w.checkpoint = write("checkpoint", note)
	life("d", "e")
	for name, o := range map[string]audit.ProofOptions{
		"department.jsonl": {Query: audit.Query{Department: "D1"}, Since: []uint64{3}}, "complete.jsonl": {Complete: true},
	} {
		var b bytes.Buffer
		if proven, err := audit.ExportProofs(t.Context(), w.dir, o, &b); err != nil || proven.Records != 5 {
			t.Fatalf("%+v, %v", proven, err)
		}
		w.export, w.complete = w.complete, write(name, b.Bytes())
	}
	w.export, w.complete = filepath.Join(files, "department.jsonl"), filepath.Join(files, "complete.jsonl")
	return w
}

func verify(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, args := range [][]string{
		{"--key", w.keys, w.export},
		{"--key", w.keys, w.complete},
		{"--key", w.keys, w.dir},
		{"--unpinned", w.export, w.complete, w.dir},
		{"--key", w.keys, "--checkpoint", w.checkpoint, "--receipt", w.receipt.String(), w.export, w.complete},
		{"--key", w.keys, "--checkpoint", w.checkpoint, w.dir},
		{"--key", w.keys, "--json", w.export, w.dir},
	} {
		code, out, errs := verify(t, args...)
		if code != 0 || errs != "" || strings.Contains(out, "未经确认") != slices.Contains(args, "--unpinned") {
			t.Errorf("%v: exit %d, %s%s", args, code, out, errs)
		}
	}
	_, out, _ := verify(t, "--key", w.keys, "--json", w.export)
	var answer struct {
		OK     bool
		Result struct {
			Records int
			Pinned  bool
		}
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || !answer.OK || answer.Result.Records != 5 || !answer.Result.Pinned {
		t.Errorf("%s: %v", out, err)
	}
	for _, args := range [][]string{
		nil,
		{w.export},
		{"--key", w.keys},
		{"--key", "x+y", w.export},
		{"--key", w.dir + "none", w.export},
		{"--unpinned", "--key", w.keys, w.export},
		{"--key", w.keys, "--receipt", "x", w.export},
		{"--key", w.keys, "--checkpoint", w.dir + "none", w.export},
		{"--what", w.export},
	} {
		if code, out, errs := verify(t, args...); code != 2 || errs == "" || out != "" {
			t.Errorf("%v: exit %d, %s%s", args, code, out, errs)
		}
	}
	// One line of Chinese says what is wrong; how to call it, only where it was called wrongly.
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("no key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ option, value, want string }{
		{"--key", wrong, "licgate-verify：--key " + wrong + "：不是验证密钥，应为 NAME+ID+BASE64，或每行一个密钥的文件\n"},
		{"--key", wrong + "2", "licgate-verify：--key：没有文件 " + wrong + "2\n"},
		{"--checkpoint", wrong + "2", "licgate-verify：--checkpoint：没有文件 " + wrong + "2\n"},
		{"--receipt", "x", "licgate-verify：--receipt x：不是回执，应为 序号:摘要（应答头 Licgate-Receipt 的值）\n"},
	} {
		if code, _, errs := verify(t, "--key", w.keys, test.option, test.value, w.export); code != 2 || errs != test.want {
			t.Errorf("%s %s: exit %d, %q", test.option, test.value, code, errs)
		}
	}
	if _, _, errs := verify(t, "--what", w.export); !strings.HasPrefix(errs, "licgate-verify：没有这个选项：-what\n用法：") {
		t.Errorf("%q", errs)
	}
	// People compare the root with a checkpoint's, which has it in base64.
	note, err := os.ReadFile(filepath.Join(w.dir, "tree", "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	if _, out, _ := verify(t, "--key", w.keys, w.export); !strings.Contains(out, "根 "+strings.Split(string(note), "\n")[2]) || !strings.Contains(out, "（北京时间）") {
		t.Errorf("%s", out)
	}
	if code, _, errs := verify(t, "--help"); code != 0 || !strings.Contains(errs, "用法") {
		t.Errorf("help: exit %d, %s", code, errs)
	}
}

func TestRunFinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	content, err := os.ReadFile(w.export)
	if err != nil {
		t.Fatal(err)
	}
	forged := filepath.Join(t.TempDir(), "forged")
	if err := os.WriteFile(forged, bytes.Replace(content, []byte(`"response_id":"b"`), []byte(`"response_id":"x"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := verify(t, "--key", w.keys, forged, w.export); code != 1 || !strings.Contains(errs, "第 3 行") || !strings.Contains(errs, "序号 2") || !strings.Contains(out, "成立") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	if code, out, _ := verify(t, "--key", w.keys, "--json", forged); code != 1 || !strings.Contains(out, `"ok":false`) {
		t.Errorf("exit %d, %s", code, out)
	}
	for _, args := range [][]string{
		{"--key", w.keys, forged + "none"}, {"--key", w.keys, "--receipt", w.receipt.String(), w.dir}, {"--key", w.keys, "--receipt", "99:" + strings.Repeat("0", 64), w.export},
	} {
		if code, _, errs := verify(t, args...); code != 1 || errs == "" {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
	segment := filepath.Join(w.dir, "000000000001.seg")
	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	b[200] ^= 1
	if err := os.WriteFile(segment, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := verify(t, "--key", w.keys, w.dir); code != 1 || !strings.Contains(errs, "000000000001.seg") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

// TestFewDependencies: a third party builds and reads this program; it drags nothing of the gateway along.
func TestFewDependencies(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{
		"licgate", "github.com/emmansun/gmsm", "github.com/klauspost/compress", "github.com/transparency-dev/merkle",
		"golang.org/x/crypto", "golang.org/x/mod", "golang.org/x/sys",
	}
	for _, module := range strings.Fields(string(out)) {
		if !slices.Contains(allowed, module) {
			t.Errorf("it depends on %s", module)
		}
	}
}
