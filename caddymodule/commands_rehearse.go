package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"licgate/beijing"
	"licgate/policy"
	"licgate/registry"
)

func planCommand() *cobra.Command {
	plan := &cobra.Command{
		Use: "plan -f FILE [--days 7]", Short: "预演平台文件：变更、谁得到与失去什么、近日的判定会有何不同；不生效",
	}
	gatewayFlags(plan)
	plan.Flags().StringP("file", "f", "", "platform.yaml；- 表示标准输入")
	days := plan.Flags().Int("days", 7, "重放最近多少天审计记录中的判定，0 表示不重放")
	plan.Flags().Int64("if-match", 0, "仅当现行策略版本为此值时才预演")
	_ = plan.MarkFlagFilename("file", "yaml", "yml")
	run(plan, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		text, err := checkedFile(cmd, "平台文件", registry.Parse)
		if err != nil {
			return err
		}
		var done rehearsal
		if _, err := call(cmd, http.MethodPost, "policy/plan", planRequest{File: text, Days: *days}, &done); err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd, done)
		}
		printRehearsal(cmd.OutOrStdout(), done)
		fmt.Fprintln(cmd.OutOrStdout(), "（预演，未生效）")
		return nil
	})
	return plan
}

func printRehearsal(w io.Writer, r rehearsal) {
	printChanges(w, r.Changes)
	fmt.Fprintf(w, "共 %d 项变更，现行版本 %d", len(r.Changes), r.Base)
	if len(r.Classes) > 0 {
		fmt.Fprintf(w, "，类别：%s", classText(r.Classes))
	}
	fmt.Fprintln(w)
	printShifts(w, r.Shifts, r.Partial)
	if p := r.Replay; p != nil {
		fmt.Fprintf(w, "重放 %s 以来的 %d 次判定：%d 种会有不同\n", beijing.Labelled(p.Since), p.Decisions, len(p.Different))
		for _, d := range p.Different {
			what := d.Interface + " " + d.Item
			result := allowText(d.Allow) + "（" + string(d.Reason) + "）"
			if d.Field != "" {
				what, result = d.Item+" 的 "+d.Field, "由明文改为脱敏"
			}
			fmt.Fprintf(w, "  %d 次  应用 %s 账户 %s 部门 %s 事项 %s：%s → %s，例如 %s\n", d.Count, d.App, d.Account, d.Department, orNone(d.ServiceItem), what, result, d.ResponseID)
		}
		if p.Damaged {
			fmt.Fprintln(w, "  审计记录有损坏，重放不完整：licgate audit verify")
		}
	}
	for _, b := range r.Broken {
		fmt.Fprintln(w, b.verdict("将为"))
	}
}

// printShifts lists what is gained and lost, each with a counter-example.
func printShifts(w io.Writer, shifts []policy.Shift, partial bool) {
	if len(shifts) == 0 {
		fmt.Fprintln(w, "现有账户的权利没有增减")
	}
	for _, s := range shifts {
		sign := "失去"
		if s.Gained {
			sign = "得到"
		}
		right := s.Interface
		if s.Field != "" {
			right = s.Field + " 的明文"
		}
		fmt.Fprintf(w, "%s  部门 %s 应用 %s 目录 %s：%s；事项 %s；账户 %s\n", sign, s.Department, s.App, s.Item, right,
			strings.Join(s.ServiceItems, "、"), someOf(s.Accounts, 5))
	}
	if partial {
		fmt.Fprintln(w, "……还有更多，未全部列出")
	}
}

// someOf lists the first names and how many there are.
func someOf(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, "、")
	}
	return fmt.Sprintf("%s 等 %d 个", strings.Join(names[:most], "、"), len(names))
}

func testCommand() *cobra.Command {
	test := &cobra.Command{
		Use: "test [-f decisions.txt]", Short: "检查命名判定：每个版本生效前都须通过的判定，或一份文件中的",
		Long: "每行一条，例如：\n" +
			"  婚姻登记可制证: allow app=hydj account=110000_zhangbin interface=create item=305018201 service_item=110103MZ001\n" +
			"  证件号码不外露: masked app=hydj account=110000_zhangbin item=305018201 field=CYRSFZJHM\n" +
			"网关的文件由 policy { decisions FILE } 指定，默认为数据目录下的 policy/decisions.txt。",
	}
	gatewayFlags(test)
	test.Flags().StringP("file", "f", "", "命名判定文件；默认为网关自己的")
	version := test.Flags().Int64("version", 0, "按此策略版本检查（默认现行版本）")
	run(test, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		q := testRequest{Version: *version}
		if path, _ := cmd.Flags().GetString("file"); path != "" {
			text, err := readFile(cmd, path)
			if err != nil {
				return err
			}
			q.File = string(text)
		}
		var done tested
		if _, err := call(cmd, http.MethodPost, "policy/test", q, &done); err != nil {
			return err
		}
		if asJSON(cmd) {
			if err := printJSON(cmd, done); err != nil {
				return err
			}
		} else {
			for _, b := range done.Broken {
				fmt.Fprintln(cmd.OutOrStdout(), "不通过  "+b.text("实为"))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d 条中 %d 条通过，策略版本 %d\n", done.Count, done.Count-len(done.Broken), done.Version)
		}
		if len(done.Broken) > 0 {
			return fmt.Errorf("%d 条命名判定未通过", len(done.Broken))
		}
		return nil
	})
	return test
}

var pendingNames = map[string]string{
	registry.PendingOpen: "待批", registry.PendingApproved: "已批准", registry.PendingRejected: "已驳回", registry.PendingExpired: "已过期",
}

func pendingCommand() *cobra.Command {
	pending := &cobra.Command{Use: "pending [ID]", Short: "列出待批变更，或显示一项的内容"}
	gatewayFlags(pending)
	state := pending.Flags().String("state", "", "open（默认）、approved、rejected、expired、all")
	run(pending, cobra.MaximumNArgs(1), func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return printTable(cmd, "policy/pending?state="+*state, "编号\t状态\t提交人\t提交于"+beijing.Label+"\t期限"+beijing.Label+"\t类别\t变更\t原因", func(p registry.Pending) string {
				return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s\t%d 项\t%s", p.ID, pendingNames[p.State], p.By, beijing.Minute(p.Created),
					beijing.Minute(p.Expires), classText(p.Classes), len(p.Changes), p.Why)
			})
		}
		id, err := pendingNumber(args[0])
		if err != nil {
			return err
		}
		var p pendingDetail
		if _, err := call(cmd, http.MethodGet, "policy/pending/"+id, nil, &p); err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd, p)
		}
		w := cmd.OutOrStdout()
		fmt.Fprintf(w, "变更 %d（%s）  提交人 %s  期限 %s  %s\n", p.ID, pendingNames[p.State], p.By, beijing.Labelled(p.Expires), p.Why)
		if p.Force {
			fmt.Fprintln(w, "强制：批准后可能清空策略、使安全管理员全部失效，或不符合命名判定")
		}
		switch {
		case p.Fault != "":
			printChanges(w, p.Changes)
			fmt.Fprintln(w, "现在不能批准："+p.Fault)
		case p.Rehearsal != nil:
			printRehearsal(w, *p.Rehearsal)
		default:
			printChanges(w, p.Changes)
		}
		if p.DecidedBy != "" {
			fmt.Fprintf(w, "由 %s 决定：%s\n", p.DecidedBy, p.Note)
		}
		return nil
	})
	return pending
}

func pendingNumber(text string) (string, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err != nil || n < 1 {
		return "", usageError(fmt.Sprintf("编号 %q 应为正整数", text))
	}
	return text, nil
}

// decideCommand approves or rejects a pending change.
func decideCommand(what, help string) *cobra.Command {
	decide := &cobra.Command{Use: what + " ID", Short: help}
	gatewayFlags(decide)
	note := decide.Flags().String("note", "", "意见，记入变更")
	if what == "approve" {
		decide.Flags().String("secrets-out", "", "把新生成的密钥与口令写入此文件（权限 0600，不得已存在；没有新生成的就不建立）")
	}
	run(decide, cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
		id, err := pendingNumber(args[0])
		if err != nil {
			return err
		}
		path := "policy/pending/" + id + "/" + what
		if what == "approve" {
			return deliver(cmd, path, decisionRequest{Note: *note}, false)
		}
		var p registry.Pending
		if _, err := call(cmd, http.MethodPost, path, decisionRequest{Note: *note}, &p); err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd, p)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "变更 %d %s\n", p.ID, pendingNames[p.State])
		return nil
	})
	return decide
}
