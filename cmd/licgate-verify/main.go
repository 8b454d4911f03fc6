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
	"io/fs"
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
		tell(stderr, err)
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

// tell says one fault, on one line.
func tell(stderr io.Writer, err error) {
	text := err.Error()
	var file *fs.PathError
	if errors.As(err, &file) && errors.Is(err, fs.ErrNotExist) {
		text = strings.ReplaceAll(text, file.Error(), "没有文件 "+file.Path)
	}
	fmt.Fprintf(stderr, "licgate-verify：%s\n", text)
}

// given are the values of an option that may be repeated. They are read once all options are known to be right.
type given []string

func (g *given) add(value string) error {
	*g = append(*g, value)
	return nil
}

func parse(args []string, stderr io.Writer) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("licgate-verify", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // its faults are English
	var keys, checkpoints, receipts given
	flags.Func("key", "日志或见证方的验证`密钥`（NAME+ID+BASE64），或每行一个密钥的文件；可重复", keys.add)
	flags.Func("checkpoint", "自己保存的检查点`文件`：导出必须与之一致；可重复", checkpoints.add)
	flags.Func("receipt", "`回执`（序号:摘要）：导出中必须有这条记录；可重复", receipts.add)
	flags.BoolVar(&s.unpinned, "unpinned", false, "没有自己的密钥，采用导出中的密钥：只能证明导出自身一致")
	flags.BoolVar(&s.json, "json", false, "输出 JSON")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stderr)
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
		return nil, err
	case err != nil:
		return nil, errors.New(flagWords.Replace(err.Error()) + "\n" + strings.TrimSpace(usage))
	}
	s.paths = flags.Args()
	if len(s.paths) == 0 {
		return nil, errors.New("请给出导出文件或审计目录；--help 查看用法")
	}
	if err := s.read(keys, checkpoints, receipts); err != nil {
		return nil, err
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

// flagWords say the library's faults.
var flagWords = strings.NewReplacer("flag provided but not defined: ", "没有这个选项：", "flag needs an argument: ", "选项后面要写值：",
	"bad flag syntax: ", "选项的写法不对：", "invalid boolean value ", "值须为 true 或 false：")

// read takes in what is known from elsewhere than the export.
func (s *settings) read(keys, checkpoints, receipts given) error {
	for _, value := range keys {
		text := value
		if !strings.Contains(value, "+") {
			content, err := os.ReadFile(value)
			if err != nil {
				return fmt.Errorf("--key：%w", err)
			}
			text = string(content)
		}
		found, err := ledger.ParseKeys(text)
		if err != nil || len(found) == 0 {
			return fmt.Errorf("--key %s：不是验证密钥，应为 NAME+ID+BASE64，或每行一个密钥的文件", value)
		}
		s.keys = append(s.keys, found...)
	}
	for _, path := range checkpoints {
		note, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("--checkpoint：%w", err)
		}
		s.checkpoints = append(s.checkpoints, evidence.Kept{Source: path, Note: note})
	}
	for _, text := range receipts {
		r, err := ledger.ParseReceipt(text)
		if err != nil {
			return fmt.Errorf("--receipt %s：不是回执，应为 序号:摘要（应答头 Licgate-Receipt 的值）", text)
		}
		s.receipts = append(s.receipts, r)
	}
	return nil
}

// check verifies one export or folder, and reports whether it holds.
func (s *settings) check(ctx context.Context, path string, stdout, stderr io.Writer) bool {
	info, err := os.Stat(path)
	if err != nil {
		tell(stderr, err)
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
		tell(stderr, err)
		return false
	}
	defer f.Close()
	result, err := evidence.Verify(f, evidence.Options{Keys: s.keys, Checkpoints: s.checkpoints, Receipts: s.receipts})
	if err != nil {
		tell(stderr, err)
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
		beijing.Labelled(result.Time), result.Root.Noted(), remarks(result.Cosigners, result.Pinned))
	return true
}

func (s *settings) checkFolder(ctx context.Context, path string, stdout, stderr io.Writer) bool {
	o := audit.VerifyOptions{Keys: s.keys}
	for _, k := range s.checkpoints {
		o.Checkpoints = append(o.Checkpoints, audit.KeptCheckpoint(k))
	}
	if len(s.receipts) > 0 {
		tell(stderr, errors.New("回执请与导出文件一起核对"))
		return false
	}
	report, err := audit.VerifyWith(ctx, path, o)
	if err != nil {
		tell(stderr, err)
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
		tell(stderr, err)
		return false
	}
	return ok
}
