package caddymodule

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"licgate/audit"
)

func auditCommands(cmd *cobra.Command) {
	verify := &cobra.Command{Use: "verify", Short: "校验审计记录是否完整、未被改动"}
	gatewayFlags(verify)
	dataFlag(verify)
	run(verify, cobra.NoArgs, verifyAudit)

	export := &cobra.Command{Use: "export", Short: "导出审计记录，每行一条 JSON"}
	gatewayFlags(export)
	dataFlag(export)
	export.Flags().StringP("out", "o", "", "写入此文件（权限 0600，不得已存在）；默认标准输出")
	query := queryFlags(export)
	run(export, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return exportAudit(cmd, query) })

	search := &cobra.Command{Use: "search", Short: "检索审计记录"}
	gatewayFlags(search)
	dataFlag(search)
	searchQuery := queryFlags(search)
	run(search, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return searchAudit(cmd, searchQuery) })

	group(cmd, verify, export, search)
}

func verifyAudit(cmd *cobra.Command, _ []string) error {
	var report audit.Report
	err := errUnreachable
	if !cmd.Flags().Changed("data") {
		_, err = call(cmd, http.MethodGet, "audit/verify", nil, &report)
	}
	if errors.Is(err, errUnreachable) {
		report, err = audit.Verify(cmd.Context(), auditDir(cmd))
	}
	if err != nil {
		return err
	}
	if asJSON(cmd) {
		if err := printJSON(cmd, report); err != nil {
			return err
		}
	}
	if f := report.Fault; f != nil {
		return fmt.Errorf("审计记录不完整：%s 偏移 %d，序号 %d：%s", f.File, f.Offset, f.Sequence, f.Cause)
	}
	if !asJSON(cmd) {
		fmt.Fprintf(cmd.OutOrStdout(), "审计记录完整：%d 段，%d 条，末链值 %s\n", report.Segments, report.Records, report.Last)
	}
	return nil
}

// queryFlags are the filters of export and search.
func queryFlags(cmd *cobra.Command) func() (auditQuery, error) {
	var q auditQuery
	f := cmd.Flags()
	since := f.String("since", "", "起始时间（含），例如 2026-01-02 或 2026-01-02T15:04:05+08:00")
	until := f.String("until", "", "截止时间（不含）")
	f.StringVar(&q.Department, "department", "", "部门代码")
	f.StringVar(&q.App, "app", "", "app_key")
	f.StringVar(&q.Account, "account", "", "账户")
	f.StringVar(&q.Interface, "interface", "", "接口方法名")
	f.StringVar(&q.Item, "item", "", "证照目录编码")
	f.StringVar(&q.ResponseID, "response-id", "", "应答标识")
	f.StringVar(&q.Outcome, "outcome", "", "SUCCESS 或 FAILURE")
	f.IntVar(&q.Limit, "limit", 0, "最多条数，0 表示不限（search 取最新的）")
	return func() (auditQuery, error) {
		var err error
		if q.Since, err = moment(*since); err == nil {
			q.Until, err = moment(*until)
		}
		return q, err
	}
}

// moment reads a time as people write it, as RFC 3339; a bare date is midnight in the local zone.
func moment(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t.Format(time.RFC3339Nano), nil
		}
	}
	return "", usageError(fmt.Sprintf("时间 %q 无法识别，例如 2026-01-02 或 2026-01-02T15:04:05+08:00", text))
}

// recordsTo writes the selected records as JSON lines: through the gateway, which puts on record who looked; of a stopped one, or of a
// folder that --data names, from the journal's files.
func recordsTo(cmd *cobra.Command, q auditQuery, w io.Writer) error {
	if !cmd.Flags().Changed("data") {
		err := recordsFromGateway(cmd, q, w)
		if !errors.Is(err, errUnreachable) {
			return err
		}
	}
	query, err := q.query()
	if err != nil {
		return err
	}
	_, err = audit.Export(cmd.Context(), auditDir(cmd), query, w)
	return err
}

func recordsFromGateway(cmd *cobra.Command, q auditQuery, w io.Writer) error {
	values := url.Values{}
	for name, value := range map[string]string{
		"since": q.Since, "until": q.Until, "department": q.Department, "app": q.App, "account": q.Account, "interface": q.Interface,
		"item": q.Item, "response_id": q.ResponseID, "outcome": q.Outcome,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Limit > 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	resp, err := send(cmd, http.MethodGet, "audit/records?"+values.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("读取网关应答：%w", err)
	}
	if resp.Trailer.Get(auditFault) != "" {
		return audit.ErrDamaged
	}
	return nil
}

// lineCounter counts lines on their way.
type lineCounter struct {
	to io.Writer
	n  int
}

func (c *lineCounter) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte("\n"))
	return c.to.Write(p)
}

func exportAudit(cmd *cobra.Command, query func() (auditQuery, error)) (err error) {
	q, err := query()
	if err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if path, _ := cmd.Flags().GetString("out"); path != "" {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("不能创建导出文件：%w", err)
		}
		defer func() { err = errors.Join(err, f.Sync(), f.Close()) }()
		w = f
	}
	counted := &lineCounter{to: w}
	err = recordsTo(cmd, q, counted)
	fmt.Fprintf(cmd.ErrOrStderr(), "导出 %d 条\n", counted.n)
	return err
}

func searchAudit(cmd *cobra.Command, query func() (auditQuery, error)) error {
	q, err := query()
	if err != nil {
		return err
	}
	// Of too many, the newest are shown.
	limit := q.Limit
	q.Limit = 0
	read, write := io.Pipe()
	go func() {
		write.CloseWithError(recordsTo(cmd, q, write))
	}()
	lines := bufio.NewScanner(read)
	lines.Buffer(nil, 2<<20)
	var found [][]byte
	for lines.Scan() {
		found = append(found, bytes.Clone(lines.Bytes()))
		if limit > 0 && len(found) > limit {
			found = found[1:]
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return printRecords(cmd, found)
}

func printRecords(cmd *cobra.Command, found [][]byte) error {
	if asJSON(cmd) {
		for _, line := range found {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", line)
		}
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "时间\t应用\t账户\t接口\t目录\t结果\t原因\tresponse_id")
	for _, line := range found {
		var r audit.Record
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("审计记录无法解析：%w", err)
		}
		name := r.Interface
		if r.Event != "request" {
			name = r.Event + " " + r.Interface
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s %s\t%s\t%s\n", r.Time.Local().Format("2006-01-02 15:04:05.000"),
			r.App, r.Account, name, r.Item, r.Outcome, r.ErrorCode, r.Reason, r.ResponseID)
	}
	return w.Flush()
}
