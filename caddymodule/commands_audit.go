package caddymodule

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"licgate/audit"
)

func auditCommands(cmd *cobra.Command) {
	verify := &cobra.Command{Use: "verify", Short: "校验审计记录是否完整、未被改动"}
	dataFlag(verify)
	verify.Flags().Bool("json", false, "输出 JSON")
	run(verify, cobra.NoArgs, verifyAudit)

	export := &cobra.Command{Use: "export", Short: "导出审计记录，每行一条 JSON"}
	dataFlag(export)
	export.Flags().Bool("json", false, "输出 JSON（导出总是 JSON）")
	export.Flags().StringP("out", "o", "", "写入此文件（权限 0600，不得已存在）；默认标准输出")
	query := queryFlags(export)
	run(export, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return exportAudit(cmd, query) })

	search := &cobra.Command{Use: "search", Short: "检索审计记录"}
	dataFlag(search)
	search.Flags().Bool("json", false, "每行输出一条 JSON")
	searchQuery := queryFlags(search)
	run(search, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return searchAudit(cmd, searchQuery) })

	group(cmd, verify, export, search)
}

func verifyAudit(cmd *cobra.Command, _ []string) error {
	report, err := audit.Verify(cmd.Context(), auditDir(cmd))
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
func queryFlags(cmd *cobra.Command) func() (audit.Query, error) {
	var q audit.Query
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
	return func() (audit.Query, error) {
		var err error
		if q.Since, err = moment(*since); err == nil {
			q.Until, err = moment(*until)
		}
		return q, err
	}
}

// moment reads a time as people write it; a bare date is midnight in the local zone.
func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError(fmt.Sprintf("时间 %q 无法识别，例如 2026-01-02 或 2026-01-02T15:04:05+08:00", text))
}

func exportAudit(cmd *cobra.Command, query func() (audit.Query, error)) (err error) {
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
	n, err := audit.Export(cmd.Context(), auditDir(cmd), q, w)
	fmt.Fprintf(cmd.ErrOrStderr(), "导出 %d 条\n", n)
	return err
}

func searchAudit(cmd *cobra.Command, query func() (audit.Query, error)) error {
	q, err := query()
	if err != nil {
		return err
	}
	// Of too many, the newest are shown.
	limit := q.Limit
	q.Limit = 0
	read, write := io.Pipe()
	go func() {
		_, err := audit.Export(cmd.Context(), auditDir(cmd), q, write)
		write.CloseWithError(err)
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
