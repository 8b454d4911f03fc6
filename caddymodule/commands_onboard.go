package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"licgate/beijing"
	"licgate/registry"
)

const onboardHelp = `提交一份接入申请表（标准附录 A，写成 YAML，见 examples/onboarding.yaml）。

网关据此起草授权并预演，作为待批变更保存；由另一名安全管理员用 licgate policy approve 批准后生效，
密钥此时生成，只显示给批准人一次。接入单位用 licgate selfcheck 自检。`

func onboardCommand(cmd *cobra.Command) {
	cmd.Long = onboardHelp
	gatewayFlags(cmd)
	cmd.Flags().StringP("file", "f", "", "申请表；- 表示标准输入")
	dry := cmd.Flags().Bool("dry-run", false, "只起草与预演，不提交")
	_ = cmd.MarkFlagFilename("file", "yaml", "yml")

	list := &cobra.Command{Use: "list", Short: "列出申请表"}
	gatewayFlags(list)
	run(list, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		return printTable(cmd, "onboarding", "申请表\t状态\t单位\t收到"+beijing.Label+"\t经办\t待批变更", func(f formRow) string {
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d", f.Number, pendingNames[f.State], f.Unit, beijing.Minute(f.Received), f.By, f.Pending)
		})
	})
	show := &cobra.Command{Use: "show NUMBER", Short: "显示一份申请表、其状态和由它而来的授权"}
	gatewayFlags(show)
	run(show, cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
		var f formDetail
		if _, err := call(cmd, http.MethodGet, "onboarding/"+url.PathEscape(args[0]), nil, &f); err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd, f)
		}
		w := cmd.OutOrStdout()
		fmt.Fprintf(w, "申请表 %s  %s  %s\n待批变更 %d：%s\n", f.Number, f.Unit, beijing.Labelled(f.Received), f.Pending, pendingNames[f.State])
		for _, g := range f.Grants {
			fmt.Fprintln(w, "  授权 "+g)
		}
		fmt.Fprintln(w, "\n"+f.File)
		return nil
	})
	cmd.AddCommand(list, show)

	run(cmd, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		text, err := checkedFile(cmd, "申请表", registry.ParseForm)
		if err != nil {
			return err
		}
		var done struct {
			appliedAnswer
			Form      string    `json:"form"`
			Notes     []string  `json:"notes,omitempty"`
			Rehearsal rehearsal `json:"rehearsal"`
		}
		if _, err := call(cmd, http.MethodPost, "onboarding", onboardRequest{File: text, DryRun: *dry}, &done); err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd, done)
		}
		w := cmd.OutOrStdout()
		fmt.Fprintf(w, "申请表 %s\n", done.Form)
		for _, n := range done.Notes {
			fmt.Fprintln(w, "  请注意："+n)
		}
		printRehearsal(w, done.Rehearsal)
		done.Changes = nil // shown by the rehearsal
		switch {
		case done.Pending > 0:
			fmt.Fprintf(w, "已提交为待批变更 %d，由另一名安全管理员批准：%s\n", done.Pending, approvalHint(done.appliedAnswer))
		case done.DryRun:
			fmt.Fprintln(w, "（预演，未提交）")
		default:
			fmt.Fprintln(w, "没有需要变更的内容")
		}
		return nil
	})
}
