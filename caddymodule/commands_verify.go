package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"licgate/audit"
)

func verifyAudit(cmd *cobra.Command, _ []string) error {
	q, err := verification(cmd)
	if err != nil {
		return err
	}
	var report auditReport
	bar := newProgressBar(cmd.ErrOrStderr())
	q.Progress = bar.live && !asJSON(cmd)
	err = eitherWay(cmd, func() (err error) {
		report, err = verifiedByGateway(cmd, q, bar)
		return err
	}, func() error {
		if q.Anchors {
			return errors.New("--anchors 须由运行中的网关核对；网关停止时请用 --checkpoint 给出存证文件中的检查点")
		}
		o, err := q.options()
		if q.Progress {
			o.Progress = bar.verified
		}
		if err == nil {
			report.Report, err = audit.VerifyWith(cmd.Context(), auditDir(cmd), o)
		}
		return err
	})
	bar.end()
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
		printReport(cmd, report)
	}
	for _, s := range report.Anchors {
		if s.State != wellWord {
			return fmt.Errorf("存证 %s 不正常（%s）：%s", s.Name, s.State, s.Cause)
		}
	}
	return nil
}

// verifiedByGateway has the gateway verify its records, and shows how far it is when that was asked for.
func verifiedByGateway(cmd *cobra.Command, q auditVerification, bar *progressBar) (report auditReport, err error) {
	if !q.Progress {
		_, err = call(cmd, http.MethodPost, "audit/verify", q, &report)
		return report, err
	}
	read, write := io.Pipe()
	go func() {
		_, err := linesFrom(cmd, http.MethodPost, "audit/verify", q, write)
		write.CloseWithError(err)
	}()
	found := false
	for lines := json.NewDecoder(read); ; {
		var line verifyLine
		switch err := lines.Decode(&line); {
		case err == io.EOF && found:
			return report, nil
		case err == io.EOF:
			return report, incomplete("没有收到结果")
		case err != nil:
			return report, err
		case line.Report != nil:
			report, found = *line.Report, true
		default:
			bar.verified(line.Seen, line.Total)
		}
	}
}

func printReport(cmd *cobra.Command, r auditReport) {
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "审计记录完整：%d 段，%d 条，末链值 %s\n", r.Segments, r.Records, r.Last)
	if r.Retired > 0 {
		fmt.Fprintf(w, "另有 %d 条已过保存期删除，哈希相符\n", r.Retired)
	}
	if r.Skipped > 0 {
		fmt.Fprintf(w, "更早的 %d 条只核对了哈希\n", r.Skipped)
	}
	if r.Covered > 0 {
		fmt.Fprintf(w, "检查点 %d 个相符，最新的覆盖 %d 条，根 %s\n", r.Checkpoints, r.Covered, r.Root.Noted())
	}
	if len(r.Cosigners) > 0 {
		fmt.Fprintf(w, "见证方：%s\n", strings.Join(r.Cosigners, "、"))
	}
	for _, s := range r.Anchors {
		fmt.Fprintf(w, "存证 %s：%s，覆盖 %d 条\n", s.Name, s.State, s.Size)
	}
	if !r.Pinned {
		fmt.Fprintln(w, "验证密钥取自日志目录本身；请以 --key 给出留在别处的密钥，才能发现整体重写")
	}
}

// verification reads what is known from elsewhere.
func verification(cmd *cobra.Command) (q auditVerification, err error) {
	since, _ := cmd.Flags().GetString("since")
	if q.Since, err = moment(since); err != nil {
		return q, err
	}
	keys, _ := cmd.Flags().GetStringArray("key")
	for _, key := range keys {
		if strings.Contains(key, "+") {
			q.Keys = append(q.Keys, key)
			continue
		}
		text, err := os.ReadFile(key)
		if err != nil {
			return q, fmt.Errorf("读不到密钥文件：%w", err)
		}
		q.Keys = append(q.Keys, strings.Fields(string(text))...)
	}
	files, _ := cmd.Flags().GetStringArray("checkpoint")
	for _, file := range files {
		note, err := os.ReadFile(file)
		if err != nil {
			return q, fmt.Errorf("读不到检查点文件：%w", err)
		}
		q.Checkpoints = append(q.Checkpoints, keptCheckpoint{Source: file, Note: string(note)})
	}
	q.Anchors, _ = cmd.Flags().GetBool("anchors")
	q.Indexes, _ = cmd.Flags().GetBool("indexes")
	return q, nil
}
