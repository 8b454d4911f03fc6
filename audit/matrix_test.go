package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"licgate/audit/anchor"
	"licgate/audit/evidence"
	"licgate/audit/ledger"
	"licgate/audit/witness"
)

// matrix is a gateway whose journal has 24 records, with a witness that signed the first 12 and all, checkpoints of both that
// somebody keeps elsewhere, and a copy of the folder when it had 12.
type matrix struct {
	made, old string
	ledger    *LedgerOptions
	stranger  *LedgerOptions
	keys      []ledger.Verifier
	kept      []KeptCheckpoint
	witness   *httptest.Server
	cosigners []ledger.Verifier
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{made: filepath.Join(t.TempDir(), "audit"), old: t.TempDir()}
	m.ledger, m.keys = ledgerTest(t)
	m.stranger, _ = ledgerTest(t)
	pair, err := ledger.OpenKeys(filepath.Join(t.TempDir(), "w"), "witness.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	cosigners, err := pair.Cosigners(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range cosigners {
		k, err := ledger.ParseKey(s.Key)
		if err != nil {
			t.Fatal(err)
		}
		m.cosigners = append(m.cosigners, k)
	}
	w, err := witness.New(t.TempDir(), []witness.Log{{Origin: testOrigin, Keys: m.keys}}, cosigners, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.witness = httptest.NewServer(w)
	t.Cleanup(m.witness.Close)
	for i := range 2 {
		j, _ := openTest(t, m.made, m.options())
		for n := range 12 {
			appendTest(t, j, fmt.Sprintf("r%d", 12*i+n+1))
		}
		if err := j.notary.step(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		c := j.Checkpoint()
		if err := m.witnessed(t, j, c); err != nil {
			t.Fatal(err)
		}
		m.kept = append(m.kept, KeptCheckpoint{Source: fmt.Sprintf("外部检查点 %d", c.Size), Note: c.Note})
		closeTest(t, j)
		if i == 0 {
			if err := os.CopyFS(m.old, os.DirFS(m.made)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m
}

func (m *matrix) options() Options {
	return Options{SegmentSize: 1500, KeepPlain: true, Ledger: m.ledger}
}

// witnessed asks the witness as a gateway does that knows nothing of before.
func (m *matrix) witnessed(t *testing.T, j *Journal, c *ledger.Signed) error {
	t.Helper()
	_, err := (&anchor.Witness{URL: m.witness.URL, Keys: m.cosigners}).Keep(t.Context(), j, c)
	return err
}

// detectors are who may find a tampering, in the order of the table. Each returns what it says, or "".
var detectors = []struct {
	title string
	find  func(t *testing.T, m *matrix, dir string) string
}{
	{"网关（启动时）", func(t *testing.T, m *matrix, dir string) string {
		j, repair := openTest(t, dir, m.options())
		closeTest(t, j)
		return m.say(repair.Damage)
	}},
	{"审计管理员：`audit verify`", func(t *testing.T, m *matrix, dir string) string {
		return m.say(verifyTest(t, dir).Fault)
	}},
	{"加外部的密钥和检查点", func(t *testing.T, m *matrix, dir string) string {
		report, err := VerifyWith(t.Context(), dir, VerifyOptions{Keys: m.keys, Checkpoints: m.kept, Indexes: true})
		if err != nil {
			t.Fatal(err)
		}
		return m.say(report.Fault)
	}},
	{"第三方：导出 + `licgate-verify`", func(t *testing.T, m *matrix, dir string) string {
		export, _, err := proofsTest(t, dir, ProofOptions{Complete: true})
		if err != nil {
			return "不能完整导出"
		}
		o := evidence.Options{Keys: m.keys}
		for _, k := range m.kept {
			o.Checkpoints = append(o.Checkpoints, evidence.Kept(k))
		}
		result, err := evidence.Verify(bytes.NewReader(export), o)
		if err != nil {
			t.Fatal(err)
		}
		if result.Fault == nil {
			return ""
		}
		return fmt.Sprintf("第 %d 行：%s", result.Fault.Line, result.Fault.Cause)
	}},
	{"见证方", func(t *testing.T, m *matrix, dir string) string {
		j, _ := openTest(t, dir, m.options())
		defer j.keeper.close()
		appendTest(t, j, "next")
		if err := j.notary.step(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		err := m.witnessed(t, j, j.Checkpoint())
		if err != nil && !errors.Is(err, anchor.ErrForked) {
			t.Fatal(err)
		}
		closeTest(t, j)
		if err != nil {
			return "拒绝联署，保留证据"
		}
		return ""
	}},
}

func (m *matrix) say(f *Fault) string {
	if f == nil {
		return ""
	}
	return fmt.Sprintf("%s 偏移 %d 序号 %d：%s", f.File, f.Offset, f.Sequence, f.Cause)
}

// inSegment changes the frames of the segment that holds record n, and says which of them it is.
func inSegment(t *testing.T, dir string, n uint64, by func(list [][]byte, i int) [][]byte) {
	t.Helper()
	names, err := segments(disk{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	name := names[0]
	for _, candidate := range names {
		if segmentFirst(candidate) <= n {
			name = candidate
		}
	}
	change(t, filepath.Join(dir, name), func(b []byte) []byte {
		head, list := frames(t, b)
		return bytes.Join(append([][]byte{head}, by(list, int(n-segmentFirst(name)))...), nil)
	})
}

// rehash puts the right hashes of a rewritten journal into the tree's file, as who has no key could.
func rehash(t *testing.T, dir string) {
	t.Helper()
	var b []byte
	for _, r := range payloads(t, dir) {
		leaf := ledger.Leaf(r)
		b = append(b, leaf[:]...)
	}
	if err := os.WriteFile(filepath.Join(dir, treeDir, ledger.LevelFile(0)), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTamperMatrix tampers in every way, and demands who finds it. The table that it prints stands in docs/audit.md.
func TestTamperMatrix(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	const none, all = "—————", "✓✓✓✓—"
	rows := []struct {
		what, found string
		tamper      func(t *testing.T, dir string)
	}{
		{"什么也不改", none, func(*testing.T, string) {}},
		{"改一个字节（最后一段）", all, func(t *testing.T, dir string) {
			inSegment(t, dir, 23, func(l [][]byte, i int) [][]byte { l[i][100] ^= 1; return l })
		}},
		{"改一个字节（较早的段）", "—✓✓✓—", func(t *testing.T, dir string) {
			inSegment(t, dir, 4, func(l [][]byte, i int) [][]byte { l[i][100] ^= 1; return l })
		}},
		{"删除一条记录", "—✓✓✓—", func(t *testing.T, dir string) {
			inSegment(t, dir, 4, func(l [][]byte, i int) [][]byte { return slices.Delete(l, i, i+1) })
		}},
		{"调换两条记录", "—✓✓✓—", func(t *testing.T, dir string) {
			inSegment(t, dir, 4, func(l [][]byte, i int) [][]byte { l[i], l[i+1] = l[i+1], l[i]; return l })
		}},
		{"插入一条记录", "—✓✓✓—", func(t *testing.T, dir string) {
			inSegment(t, dir, 4, func(l [][]byte, i int) [][]byte { return slices.Insert(l, i, l[i]) })
		}},
		{"截去末尾（恰在记录边界，并改写 head）", all, func(t *testing.T, dir string) {
			var at place
			inSegment(t, dir, 23, func(l [][]byte, i int) [][]byte {
				f, err := decodeFrame(l[i-1])
				if err != nil {
					t.Fatal(err)
				}
				at = place{22, f.chain}
				return l[:i]
			})
			if err := writeHead(disk{}, dir, at); err != nil {
				t.Fatal(err)
			}
		}},
		{"改一条记录，重算其后的链与 head", "—✓✓✓—", func(t *testing.T, dir string) { rewrite(t, dir, 6, toFailure) }},
		{"同上，并改哈希树", "✓✓✓✓✓", func(t *testing.T, dir string) { rewrite(t, dir, 6, toFailure); rehash(t, dir) }},
		{"删除较早的段，谎称已过保存期", "—✓✓✓—", func(t *testing.T, dir string) {
			names, err := segments(disk{}, dir)
			if err != nil {
				t.Fatal(err)
			}
			end, err := lastOf(t.Context(), disk{}, dir, names[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := writeRetired(disk{}, dir, retired{Version: 1, Last: end.Last, Chain: end.Chain}); err != nil {
				t.Fatal(err)
			}
			if err := removeRetired(disk{}, dir, end.Last); err != nil {
				t.Fatal(err)
			}
		}},
		{"整个目录换成较早的副本", "——✓✓✓", func(t *testing.T, dir string) { replaceDir(t, dir, m.old) }},
		{"换密钥：全部重写，以另一密钥签发，并替换密钥文件", "✓—✓✓✓", func(t *testing.T, dir string) {
			rewrite(t, dir, 6, toFailure)
			retree(t, dir, m.stranger)
		}},
		{"持有日志密钥者：全部重写并重新签发", "——✓✓✓", func(t *testing.T, dir string) {
			rewrite(t, dir, 6, toFailure)
			retree(t, dir, m.ledger)
		}},
		{"持有日志密钥者：分叉，从第 12 条起另写一份", "——✓✓✓", func(t *testing.T, dir string) {
			replaceDir(t, dir, m.old)
			j, _ := openTest(t, dir, m.options())
			for n := range 15 {
				appendTest(t, j, fmt.Sprintf("other%d", n))
			}
			closeTest(t, j)
		}},
		{"改索引，使检索不出一条记录", "——✓——", func(t *testing.T, dir string) {
			if err := Reindex(t.Context(), dir); err != nil {
				t.Fatal(err)
			}
			x := newIndexer(1)
			x.add(50, &Record{})
			if err := os.WriteFile(filepath.Join(dir, segmentName(1)+indexSuffix), x.bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	}
	var table strings.Builder
	table.WriteString("| 手法 |")
	for _, d := range detectors {
		table.WriteString(" " + d.title + " |")
	}
	table.WriteString(" 指出 |\n|---|" + strings.Repeat(":-:|", len(detectors)) + "---|\n")
	for _, row := range rows {
		fmt.Fprintf(&table, "| %s |", row.what)
		found, told := "", make([]string, len(detectors))
		for i, d := range detectors {
			dir := filepath.Join(t.TempDir(), "audit") // finding may change the folder
			if err := os.CopyFS(dir, os.DirFS(m.made)); err != nil {
				t.Fatal(err)
			}
			row.tamper(t, dir)
			said := d.find(t, m, dir)
			mark := "—"
			if said != "" {
				mark = "✓"
				told[i] = said
			}
			found += mark
			fmt.Fprintf(&table, " %s |", mark)
		}
		fmt.Fprintf(&table, " %s |\n", firstOf(told[1], told[2], told[3], told[0], told[4]))
		if found != row.found {
			t.Errorf("%s: found by %s, want %s: %s", row.what, found, row.found, told)
		}
	}
	fmt.Println(table.String())
	page, err := os.ReadFile("../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page, []byte(table.String())) {
		t.Error("docs/audit.md does not have this table")
	}
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func replaceDir(t *testing.T, dir, by string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(by)); err != nil {
		t.Fatal(err)
	}
}

// TestTamperedExports: what is done to an export alone is found by licgate-verify; audit/evidence has the whole list.
func TestTamperedExports(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	export, _, err := proofsTest(t, m.made, ProofOptions{Query: Query{Department: "11110000000021135M"}})
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(export, []byte("\n"))
	for what, changed := range map[string][][]byte{
		"dropped": slices.Delete(slices.Clone(lines), 3, 4), "cut": lines[:5], "swapped": {lines[0], lines[2], lines[1]},
		"changed": {lines[0], bytes.Replace(lines[1], []byte("SUCCESS"), []byte("FAILURE"), 1)},
	} {
		result, err := evidence.Verify(bytes.NewReader(bytes.Join(changed, nil)), evidence.Options{Keys: m.keys})
		if err != nil || result.Fault == nil {
			t.Errorf("%s: %v, %v", what, result.Fault, err)
		}
	}
	var header evidence.Header
	if err := json.Unmarshal(lines[0], &header); err != nil || header.Version != 1 {
		t.Errorf("%v", err)
	}
}
