package caddymodule

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"licgate/audit"
	"licgate/beijing"
)

func auditCommands(cmd *cobra.Command) {
	verify := auditCommand("verify", "校验审计记录是否完整、未被改动")
	verify.Flags().String("since", "", "只读此时间（北京时间）以后的段；更早的只核对哈希")
	verify.Flags().StringArray("checkpoint", nil, "留在别处的检查点文件：日志必须与之一致；可重复")
	verify.Flags().StringArray("key", nil, "留在别处的验证密钥（NAME+ID+BASE64），或每行一个密钥的文件；可重复")
	verify.Flags().Bool("anchors", false, "同时核对存证文件本身，并要求所有存证正常")
	verify.Flags().Bool("indexes", false, "重建索引并比对")
	run(verify, cobra.NoArgs, verifyAudit)

	export := auditCommand("export", "导出审计记录，每行一条 JSON；--proofs 每条附包含证明")
	export.Flags().StringP("out", "o", "", "写入此文件（权限 0600，不得已存在）；默认标准输出")
	export.Flags().Bool("proofs", false, "附检查点与包含证明，供第三方以 licgate-verify 核对；与 --department 合用，只含该部门的记录")
	export.Flags().Bool("complete", false, "带证明导出全部记录")
	export.Flags().UintSlice("from", nil, "接收方持有的检查点的条数：附由它到现在的一致性证明")
	query := queryFlags(export)
	run(export, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return exportAudit(cmd, query) })

	search := auditCommand("search", "检索审计记录；--identity 查谁看过某人的证照")
	search.Flags().Bool("identity", false, "按持证人证件号码检索；号码从终端或标准输入读，不得写在命令行")
	search.Flags().String("identity-file", "", "从此文件读证件号码（权限须为 0600）")
	search.Flags().String("licence", "", "证照编码")
	searchQuery := queryFlags(search)
	run(search, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return searchAudit(cmd, searchQuery) })

	tail := auditCommand("tail", "跟踪新的审计记录，Ctrl-C 结束")
	tail.Flags().Int64("after", 0, "从此序号之后开始；默认从现在开始")
	run(tail, cobra.NoArgs, tailAudit)

	prove := auditCommand("prove RESPONSE_ID", "证明一次请求留下了什么记录，供 licgate-verify 核对")
	prove.Flags().StringP("out", "o", "", "写入此文件（权限 0600，不得已存在）；默认标准输出")
	run(prove, cobra.ExactArgs(1), proveAudit)

	checkpoint := auditCommand("checkpoint", "输出最新的已签检查点；请保存在网关之外")
	checkpoint.Flags().Bool("keys", false, "改为输出验证密钥，每行一个")
	checkpoint.Flags().Bool("witness-keys", false, "改为输出本网关作为见证方的验证密钥，每行一个")
	run(checkpoint, cobra.NoArgs, showCheckpoint)

	retire := auditCommand("retire", "删除已过保存期的记录（至少 180 天），哈希保留")
	retire.Flags().String("keep", "", "保存期，例如 365d；默认取配置的 retention")
	retire.Flags().Bool("dry-run", false, "只看哪些会被删除")
	run(retire, cobra.NoArgs, retireAudit)

	group(cmd, verify, export, search, tail, prove, checkpoint, retire)
}

func auditCommand(use, short string) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	gatewayFlags(cmd)
	dataFlag(cmd)
	return cmd
}

// eitherWay asks the gateway, which puts on record who looked; of a stopped one, or with --data, it reads the journal's files.
func eitherWay(cmd *cobra.Command, ask, read func() error) error {
	if !cmd.Flags().Changed("data") {
		if err := ask(); !errors.Is(err, errUnreachable) {
			return err
		}
	}
	if _, err := os.Stat(auditDir(cmd)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("没有审计日志目录 %s：网关没有运行，数据目录也不对？请核对环境变量 LICGATE_DATA 或 --data", auditDir(cmd))
	}
	return read()
}

// queryFlags are the filters of export and search.
func queryFlags(cmd *cobra.Command) func() (auditQuery, error) {
	var q auditQuery
	f := cmd.Flags()
	since := f.String("since", "", "起始时间（含，北京时间），例如 2026-01-02、\"2026-01-02 15:04:05\"，或带时区的 2026-01-02T15:04:05+08:00")
	until := f.String("until", "", "截止时间（不含，北京时间）")
	f.StringVar(&q.Department, "department", "", "部门代码")
	f.StringVar(&q.App, "app", "", "app_key")
	f.StringVar(&q.Account, "account", "", "账户")
	f.StringVar(&q.Interface, "interface", "", "接口方法名")
	f.StringVar(&q.Item, "item", "", "证照目录编码")
	f.StringVar(&q.ResponseID, "response-id", "", "应答标识")
	f.StringVar(&q.CorrelationID, "correlation-id", "", "调用方的 request_id")
	f.StringVar(&q.Outcome, "outcome", "", "结果："+strings.Join(audit.Outcomes, "、"))
	f.StringVar(&q.Event, "event", "", "事件："+strings.Join(audit.Events, "、"))
	f.StringVar(&q.Kind, "kind", "", "类别：catalogue 目录、lifecycle 生命周期、use 使用")
	f.Int64Var(&q.After, "after", 0, "只取此序号之后的记录")
	f.IntVar(&q.Limit, "limit", 0, "最多条数，0 表示不限（search 取最新的）")
	return func() (auditQuery, error) {
		var err error
		if q.Since, err = moment(*since); err == nil {
			q.Until, err = moment(*until)
		}
		if fault := q.mistyped(); err == nil && fault != "" {
			err = usageError("--" + fault)
		}
		return q, err
	}
}

// moment reads a time as people write it, as RFC 3339; a bare date is midnight in Beijing.
func moment(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	t, err := beijing.Parse(text)
	if err != nil {
		return "", usageError(fmt.Sprintf("时间 %q 无法识别，例如 2026-01-02 或 \"2026-01-02 15:04:05\"（均为北京时间），或 2026-01-02T15:04:05+08:00", text))
	}
	return t.Format(time.RFC3339Nano), nil
}

// streamFaults say why a stream of the gateway is not whole.
var streamFaults = map[string]string{
	faultDamaged: "审计记录有损坏，只输出了能读出的部分，请执行 licgate audit verify",
	faultBroken:  "网关中途出错，原因见网关日志",
	faultStopped: "网关停止",
	faultLogin:   "登录已失效，或管理员已停用",
}

// incomplete says that what was written is not all of it.
func incomplete(why string) error { return errors.New("输出不完整：" + why) }

// linesFrom copies a stream of the gateway. It is whole only when its end came, and says so.
func linesFrom(cmd *cobra.Command, method, path string, body any, w io.Writer) (waiting string, _ error) {
	resp, err := send(cmd, method, path, body)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	lines := &lineCounter{to: w}
	if _, err := io.Copy(lines, resp.Body); err != nil {
		return "", incomplete("传输中断：" + err.Error())
	}
	if fault := resp.Trailer.Get(auditFault); fault != "" {
		return "", incomplete(cmp.Or(streamFaults[fault], fault))
	}
	if resp.Trailer.Get(auditLines) != strconv.Itoa(lines.n) {
		return "", incomplete("没有收到结尾")
	}
	return resp.Trailer.Get(auditWaiting), nil
}

func exportAudit(cmd *cobra.Command, query func() (auditQuery, error)) error {
	q, err := query()
	if err != nil {
		return err
	}
	return outFile(cmd, func(w io.Writer) error {
		proofs, _ := cmd.Flags().GetBool("proofs")
		complete, _ := cmd.Flags().GetBool("complete")
		counted := &lineCounter{to: w}
		if proofs || complete {
			if err := exportProofs(cmd, auditExport{auditQuery: q, Complete: complete}, counted); err != nil {
				return err
			}
			counted.n -= 2 // the header and the end
		} else if err := recordsTo(cmd, q, counted); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "导出 %d 条\n", counted.n)
		return nil
	})
}

// recordsTo writes the selected records as JSON lines, without a look at any index.
func recordsTo(cmd *cobra.Command, q auditQuery, w io.Writer) error {
	return eitherWay(cmd, func() error {
		values, err := queryValues(q)
		if err == nil {
			_, err = linesFrom(cmd, http.MethodGet, "audit/records?"+values, nil, w)
		}
		return err
	}, func() error {
		query, err := q.query()
		if err == nil {
			_, err = audit.Export(cmd.Context(), auditDir(cmd), query, w)
		}
		return said(err)
	})
}

// queryValues writes a query as a URL has it. Nothing personal stands in one.
func queryValues(q auditQuery) (string, error) {
	text, err := json.Marshal(q)
	if err != nil {
		return "", err
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // a million is no 1e+06 in a query
	if err := d.Decode(&members); err != nil {
		return "", err
	}
	values := url.Values{}
	for name, value := range members {
		values.Set(name, fmt.Sprint(value))
	}
	return values.Encode(), nil
}

func exportProofs(cmd *cobra.Command, q auditExport, w io.Writer) error {
	sizes, _ := cmd.Flags().GetUintSlice("from")
	for _, size := range sizes {
		q.From = append(q.From, uint64(size))
	}
	waiting := ""
	err := eitherWay(cmd, func() (err error) {
		waiting, err = linesFrom(cmd, http.MethodPost, "audit/export", q, w)
		return err
	}, func() error {
		query, err := q.query()
		if err != nil {
			return err
		}
		proven, err := audit.ExportProofs(cmd.Context(), auditDir(cmd), audit.ProofOptions{Query: query, Complete: q.Complete, Since: q.From}, w)
		if proven.Waiting > 0 {
			waiting = strconv.Itoa(proven.Waiting)
		}
		return said(err)
	})
	if waiting != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "另有 %s 条符合条件，尚未纳入检查点，不在导出中；一分钟之内纳入\n", waiting)
	}
	return err
}

// said says an error of package audit as the gateway would.
func said(err error) error {
	if errors.Is(err, audit.ErrDamaged) {
		return incomplete(streamFaults[faultDamaged])
	}
	for _, row := range adminFailures {
		if errors.Is(err, row.err) {
			return errors.New(row.text)
		}
	}
	return err
}

func proveAudit(cmd *cobra.Command, args []string) error {
	return outFile(cmd, func(w io.Writer) error {
		return eitherWay(cmd, func() error {
			_, err := linesFrom(cmd, http.MethodGet, "audit/prove/"+url.PathEscape(args[0]), nil, w)
			return err
		}, func() error {
			proof, err := audit.Prove(cmd.Context(), auditDir(cmd), args[0])
			if err == nil {
				_, err = w.Write(proof)
			}
			return said(err)
		})
	})
}

func showCheckpoint(cmd *cobra.Command, _ []string) error {
	for _, name := range []string{"keys", "witness-keys"} {
		if wanted, _ := cmd.Flags().GetBool(name); wanted {
			return showAuditKeys(cmd, name == "witness-keys")
		}
	}
	var c auditCheckpoint
	if _, err := call(cmd, http.MethodGet, "audit/checkpoint", nil, &c); err != nil {
		return err
	}
	if asJSON(cmd) {
		return printJSON(cmd, c)
	}
	_, err := io.WriteString(cmd.OutOrStdout(), c.Note)
	for _, s := range c.Guests {
		if s.State != wellWord {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s %s 不正常（%s），自 %s：%s\n", guestNames[s.Kind], s.Name, s.State, beijing.Labelled(s.Since), s.Cause)
		}
	}
	return err
}

func showAuditKeys(cmd *cobra.Command, witness bool) error {
	var k auditKeys
	if _, err := call(cmd, http.MethodGet, "audit/keys", nil, &k); err != nil {
		return err
	}
	keys := k.Keys
	if witness {
		keys = k.WitnessKeys
	}
	switch {
	case asJSON(cmd):
		return printJSON(cmd, k)
	case len(keys) == 0:
		return errors.New("本网关没有配置为见证方（audit { witness … }）")
	}
	_, err := io.WriteString(cmd.OutOrStdout(), strings.Join(keys, "\n")+"\n")
	return err
}

var guestNames = map[string]string{"anchor": "存证", "sink": "外送"}

func retireAudit(cmd *cobra.Command, _ []string) error {
	var q auditRetirement
	q.Keep, _ = cmd.Flags().GetString("keep")
	q.DryRun, _ = cmd.Flags().GetBool("dry-run")
	var done audit.Retired
	if _, err := call(cmd, http.MethodPost, "audit/retire", q, &done); err != nil {
		return err
	}
	switch {
	case asJSON(cmd):
		return printJSON(cmd, done)
	case done.Last == 0:
		fmt.Fprintln(cmd.OutOrStdout(), "没有已过保存期的段")
	case q.DryRun:
		fmt.Fprintf(cmd.OutOrStdout(), "将删除序号 %d 及以前的记录（至北京时间 %s）\n", done.Last, beijing.Time(done.Until))
	default:
		fmt.Fprintf(cmd.OutOrStdout(), "已删除序号 %d 及以前的记录（至北京时间 %s），哈希保留\n", done.Last, beijing.Time(done.Until))
	}
	return nil
}

func tailAudit(cmd *cobra.Command, _ []string) error {
	after, _ := cmd.Flags().GetInt64("after")
	read, write := io.Pipe()
	go func() {
		write.CloseWithError(eitherWay(cmd, func() error {
			_, err := linesFrom(cmd, http.MethodGet, "audit/tail?after="+strconv.FormatInt(after, 10), nil, write)
			return err
		}, func() error {
			return audit.Tail(cmd.Context(), auditDir(cmd), uint64(max(after, 0)), func(_ uint64, record []byte) error {
				_, err := write.Write(append(slices.Clip(record), '\n'))
				return err
			})
		}))
	}()
	if !asJSON(cmd) {
		fmt.Fprintln(cmd.OutOrStdout(), strings.ReplaceAll(recordHead, "\t", "  "))
	}
	lines := bufio.NewScanner(read)
	lines.Buffer(nil, 2<<20)
	for lines.Scan() {
		if asJSON(cmd) {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", lines.Bytes())
			continue
		}
		line, err := recordLine(lines.Bytes())
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), strings.ReplaceAll(line, "\t", "  "))
	}
	return lines.Err()
}

// askIdentity reads an identity number, when the search is by one: never from the arguments, which other users see.
func askIdentity(cmd *cobra.Command) (string, error) {
	wanted, _ := cmd.Flags().GetBool("identity")
	file, _ := cmd.Flags().GetString("identity-file")
	if !wanted && file == "" {
		return "", nil
	}
	lines, err := askSecrets(cmd, "证件号码", file, "证件号码")
	if err != nil {
		return "", err
	}
	if lines[0] = strings.TrimSpace(lines[0]); lines[0] == "" {
		return "", usageError("没有给出证件号码")
	}
	return lines[0], nil
}

func searchAudit(cmd *cobra.Command, query func() (auditQuery, error)) error {
	q, err := query()
	if err != nil {
		return err
	}
	// Of too many, the newest are shown.
	limit := q.Limit
	q.Limit = 0
	s := auditSearch{auditQuery: q}
	s.Licence, _ = cmd.Flags().GetString("licence")
	if s.Identity, err = askIdentity(cmd); err != nil {
		return err
	}
	read, write := io.Pipe()
	go func() { write.CloseWithError(foundTo(cmd, s, write)) }()
	lines := bufio.NewScanner(read)
	lines.Buffer(nil, 2<<20)
	var found [][]byte
	for lines.Scan() {
		found = append(found, bytes.Clone(lines.Bytes()))
		if limit > 0 && len(found) > limit {
			found = found[1:]
		}
	}
	err = lines.Err()
	if err != nil && len(found) == 0 {
		return err
	}
	return errors.Join(printRecords(cmd, found), err) // what came is shown, and that it is not all
}

// foundTo writes what a search finds as JSON lines.
func foundTo(cmd *cobra.Command, s auditSearch, w io.Writer) error {
	return eitherWay(cmd, func() error {
		_, err := linesFrom(cmd, http.MethodPost, "audit/search", s, w)
		return err
	}, func() error {
		if s.Licence != "" || s.Identity != "" {
			return errors.New("按证件号码或证照编码检索需要网关在运行：记录中只有带密钥的摘要")
		}
		query, err := s.query()
		if err != nil {
			return err
		}
		return said(audit.Search(cmd.Context(), auditDir(cmd), query, func(_ *audit.Record, payload []byte) error {
			_, err := w.Write(append(slices.Clip(payload), '\n'))
			return err
		}))
	})
}

func printRecords(cmd *cobra.Command, found [][]byte) error {
	if asJSON(cmd) {
		for _, line := range found {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", line)
		}
		return nil
	}
	if len(found) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "（没有）")
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, recordHead)
	for _, line := range found {
		text, err := recordLine(line)
		if err != nil {
			return err
		}
		fmt.Fprintln(w, text)
	}
	return w.Flush()
}

// recordHead is over recordLine.
const recordHead = "时间" + beijing.Label + "\t应用\t账户\t接口\t目录\t结果\t原因\tresponse_id"

// recordLine is a record for people, with tabs between columns.
func recordLine(line []byte) (string, error) {
	var r audit.Record
	if err := json.Unmarshal(line, &r); err != nil {
		return "", fmt.Errorf("审计记录无法解析：%w", err)
	}
	name, reason := r.Interface, r.Reason
	if r.Event != audit.EventRequest {
		name = r.Event + " " + r.Interface
	}
	if r.Refusals != nil {
		name, reason = r.Event+" "+strings.Join(r.Refusals.Interfaces, ","), refusedAgain(&r)
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s %s\t%s\t%s", beijing.Millis(r.Time),
		r.App, r.Account, name, r.Item, r.Outcome, r.ErrorCode, reason, r.ResponseID), nil
}

// refusedAgain says a sum of refusals to people.
func refusedAgain(r *audit.Record) string {
	f := r.Refusals
	who := cmp.Or(r.Address, r.App)
	if f.Others {
		who = "其余调用方"
	}
	return fmt.Sprintf("%s 其后又被拒绝 %d 次（北京时间 %s 至 %s）", who, f.Count, beijing.Time(f.First), beijing.Time(f.Last))
}
