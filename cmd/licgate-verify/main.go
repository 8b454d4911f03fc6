// Command licgate-verify checks what a gateway exports of its audit records: licgate-verify --key KEYS EXPORT…
//
// It is for third parties. It needs nothing but the export, or a copy of the gateway's audit folder, and the log's verifier
// keys, which come from elsewhere: the department's file, a printed page. It has no network and no configuration.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"licgate/audit"
	"licgate/audit/evidence"
	"licgate/audit/ledger"
	"licgate/beijing"
)

const usage = `用法：licgate-verify --key 密钥… [选项] 导出文件|审计目录…

核对 licgate 审计记录的导出文件（或审计目录的完整副本）：签名、包含证明、一致性证明、完整性。
不联网，不需要网关。退出码：0 成立，1 不成立或读不出，2 用法错误。

`

// Exit codes.
const (
	holds = iota
	fails
	wrongUsage
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are the command line.
type settings struct {
	keys        []ledger.Verifier
	checkpoints []evidence.Kept
	receipts    []ledger.Receipt
	unpinned    bool
	json        bool
	paths       []string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return holds
	case err != nil:
		fmt.Fprintln(stderr, "licgate-verify：", err)
		return wrongUsage
	}
	code := holds
	for _, path := range s.paths {
		if !s.check(ctx, path, stdout, stderr) {
			code = fails
		}
	}
	return code
}

func parse(args []string, stderr io.Writer) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("licgate-verify", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.Func("key", "日志或见证方的验证密钥（NAME+ID+BASE64），或每行一个密钥的文件；可重复", s.addKey)
	flags.Func("checkpoint", "自己保存的检查点文件：导出必须与之一致；可重复", s.addCheckpoint)
	flags.Func("receipt", "回执（序号:摘要）：导出中必须有这条记录；可重复", s.addReceipt)
	flags.BoolVar(&s.unpinned, "unpinned", false, "没有自己的密钥，采用导出中的密钥：只能证明导出自身一致")
	flags.BoolVar(&s.json, "json", false, "输出 JSON")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	s.paths = flags.Args()
	if len(s.paths) == 0 {
		return nil, errors.New("请给出导出文件或审计目录；--help 查看用法")
	}
	pinned := false
	for _, k := range s.keys {
		pinned = pinned || !k.Cosigner
	}
	if pinned == s.unpinned {
		return nil, errors.New("请用 --key 给出日志的验证密钥（来自导出文件以外），或明确使用 --unpinned")
	}
	return s, nil
}

func (s *settings) addKey(value string) error {
	if !strings.Contains(value, "+") {
		content, err := os.ReadFile(value)
		if err != nil {
			return err
		}
		value = string(content)
	}
	keys, err := ledger.ParseKeys(value)
	s.keys = append(s.keys, keys...)
	return err
}

func (s *settings) addCheckpoint(path string) error {
	note, err := os.ReadFile(path)
	s.checkpoints = append(s.checkpoints, evidence.Kept{Source: path, Note: note})
	return err
}

func (s *settings) addReceipt(text string) error {
	r, err := ledger.ParseReceipt(text)
	s.receipts = append(s.receipts, r)
	return err
}

// check verifies one export or folder, and reports whether it holds.
func (s *settings) check(ctx context.Context, path string, stdout, stderr io.Writer) bool {
	info, err := os.Stat(path)
	if err != nil {
		fmt.Fprintln(stderr, "licgate-verify：", err)
		return false
	}
	if info.IsDir() {
		return s.checkFolder(ctx, path, stdout, stderr)
	}
	return s.checkExport(path, stdout, stderr)
}

func (s *settings) checkExport(path string, stdout, stderr io.Writer) bool {
	f, err := os.Open(path)
	if err != nil {
		fmt.Fprintln(stderr, "licgate-verify：", err)
		return false
	}
	defer f.Close()
	result, err := evidence.Verify(f, evidence.Options{Keys: s.keys, Checkpoints: s.checkpoints, Receipts: s.receipts})
	if err != nil {
		fmt.Fprintln(stderr, "licgate-verify：", err)
		return false
	}
	if s.json {
		return s.printJSON(stdout, stderr, path, result, result.Fault == nil)
	}
	if f := result.Fault; f != nil {
		fmt.Fprintf(stderr, "%s：不成立：第 %d 行，偏移 %d，序号 %d：%s\n", path, f.Line, f.Offset, f.Sequence, f.Cause)
		return false
	}
	fmt.Fprintf(stdout, "%s：成立：%s，%d 条记录，检查点 %d 条，%s，根 %s%s\n", path, result.Origin, result.Records, result.Size,
		beijing.Labelled(result.Time), result.Root, remarks(result.Cosigners, result.Pinned))
	return true
}

func (s *settings) checkFolder(ctx context.Context, path string, stdout, stderr io.Writer) bool {
	o := audit.VerifyOptions{Keys: s.keys}
	for _, k := range s.checkpoints {
		o.Checkpoints = append(o.Checkpoints, audit.KeptCheckpoint(k))
	}
	if len(s.receipts) > 0 {
		fmt.Fprintln(stderr, "licgate-verify：回执请与导出文件一起核对")
		return false
	}
	report, err := audit.VerifyWith(ctx, path, o)
	if err != nil {
		fmt.Fprintln(stderr, "licgate-verify：", err)
		return false
	}
	if s.json {
		return s.printJSON(stdout, stderr, path, report, report.Fault == nil)
	}
	if f := report.Fault; f != nil {
		fmt.Fprintf(stderr, "%s：不成立：%s 偏移 %d，序号 %d：%s\n", path, f.File, f.Offset, f.Sequence, f.Cause)
		return false
	}
	fmt.Fprintf(stdout, "%s：成立：%d 段，%d 条记录，检查点 %d 个（至 %d 条），末链值 %s%s\n", path, report.Segments, report.Records,
		report.Checkpoints, report.Covered, report.Last, remarks(report.Cosigners, report.Pinned))
	return true
}

func remarks(cosigners []string, pinned bool) string {
	text := ""
	if len(cosigners) > 0 {
		text += "，见证方 " + strings.Join(cosigners, "、")
	}
	if !pinned {
		text += "（密钥来自被核对的数据本身，未经确认）"
	}
	return text
}

func (s *settings) printJSON(stdout, stderr io.Writer, path string, result any, ok bool) bool {
	err := json.NewEncoder(stdout).Encode(struct {
		Path   string `json:"path"`
		OK     bool   `json:"ok"`
		Result any    `json:"result"`
	}{path, ok, result})
	if err != nil {
		fmt.Fprintln(stderr, "licgate-verify：", err)
		return false
	}
	return ok
}
