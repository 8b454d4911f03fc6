package caddymodule

import (
	"encoding/json"
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

func policyCommands(cmd *cobra.Command) {
	group(cmd, explainCommand(), whoCommand(), historyCommand(), diffCommand(), planCommand(), testCommand(),
		pendingCommand(), decideCommand("approve", "批准一项待批变更，使其生效"), decideCommand("reject", "驳回一项待批变更（提交人可以此撤回）"), rollbackCommand())
}

func explainCommand() *cobra.Command {
	explain := &cobra.Command{
		Use:   "explain --app KEY --account NAME --item CODE --interface NAME [--service-item CODE] | --response-id ID",
		Short: "解释某个调用为何允许或拒绝",
		Long: "解释某个假想的调用在现行策略下为何允许或拒绝，拒绝时给出差一点就允许的策略行；\n" +
			"用 --field 解释敏感数据项能否以明文显示；或按 --response-id 解释一次真实的判定，以当时的策略版本为准。",
	}
	gatewayFlags(explain)
	var q explainRequest
	explain.Flags().StringVar(&q.App, "app", "", "app_key")
	explain.Flags().StringVar(&q.Account, "account", "", "账户")
	explain.Flags().StringVar(&q.Department, "department", "", "代表的部门（默认账户所属部门）")
	explain.Flags().StringVar(&q.Item, "item", "", "证照目录编码")
	explain.Flags().StringVar(&q.Field, "field", "", "数据项：解释它能否以明文显示")
	explain.Flags().StringVar(&q.Interface, "interface", "", "接口方法名，例如 get_license")
	explain.Flags().StringVar(&q.ServiceItem, "service-item", "", "事项编码")
	explain.Flags().Int64Var(&q.Version, "version", 0, "按此策略版本解释（默认现行版本）")
	explain.Flags().StringVar(&q.ResponseID, "response-id", "", "应答标识：解释当时的那次判定")
	dataFlag(explain)
	_ = explain.Flags().MarkHidden("data") // of old scripts: the gateway finds its own records
	run(explain, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		if q.ResponseID == "" {
			if q.Field != "" && q.Interface == "" {
				q.Interface = "get_license"
			}
			for _, flag := range [][2]string{{"app", q.App}, {"account", q.Account}, {"interface", q.Interface}} {
				if flag[1] == "" {
					return usageError("缺少 --" + flag[0])
				}
			}
		}
		var e explained
		raw, err := call(cmd, http.MethodPost, "policy/explain", q, &e)
		if err != nil {
			return err
		}
		if asJSON(cmd) {
			_, err := cmd.OutOrStdout().Write(raw)
			return err
		}
		printExplanation(cmd.OutOrStdout(), e)
		return nil
	})
	return explain
}

// reasonTexts say a reason to an administrator.
var reasonTexts = map[policy.Reason]string{
	policy.ReasonAllowed:       "应用与账户都有权，事项可以使用该证照",
	policy.ReasonNoGrantNeeded: "该接口不需要授权",
	policy.ReasonAppDenied:     "策略明确禁止该应用",
	policy.ReasonAppNoGrant:    "没有策略允许该应用",
	policy.ReasonAccountDenied: "策略明确禁止该账户或其角色",
	policy.ReasonAccountNoRole: "该账户没有允许此操作的角色",
	policy.ReasonServiceItem:   "事项未登记、不属于该部门，或不可使用这种证照",
	policy.ReasonUnsure:        "编译后的索引与参照引擎判定不一致，为安全起见拒绝，请立即联系开发方",
	policy.ReasonUnknown:       "没有这个接口",
	reasonLocked:               "对象被管理员锁定：licgate lock list",
	reasonNoApp:                "没有这个应用",
	reasonNoAccount:            "没有这个账户",
}

var partTexts = map[string]string{
	policy.PartApplication: "应用", policy.PartAccount: "账户", policy.PartServiceItem: "事项",
}

var memberTexts = map[string]string{
	"subject": "主体", "department": "部门", "item": "证照目录", "interface": "接口", "service_item": "事项",
}

func printExplanation(w io.Writer, e explained) {
	if e.Recorded != nil && e.Recorded.Unjudged {
		printUnjudged(w, e.Recorded)
		return
	}
	verdict := allowText(e.Allow)
	if nobody := map[policy.Reason]string{reasonNoApp: e.Question.App, reasonNoAccount: e.Question.Account}[e.Reason]; nobody != "" {
		fmt.Fprintf(w, "%s：%s %s，请核对（%s），策略版本 %d\n", verdict, reasonTexts[e.Reason], nobody, e.Reason, e.Version)
		return
	}
	if e.Question.Field != "" {
		verdict = map[bool]string{true: "明文显示（调用方要求时）", false: "脱敏"}[e.Allow]
	}
	fmt.Fprintf(w, "%s：%s（%s），策略版本 %d\n", verdict, reasonTexts[e.Reason], e.Reason, e.Version)
	if r := e.Recorded; r != nil && (r.Reason != string(e.Reason) || r.Allow != e.Allow) {
		fmt.Fprintf(w, "  当时的结果：%s（%s %s），不由策略决定：%s\n", allowText(r.Allow), r.Outcome, r.ErrorCode, reasonTexts[policy.Reason(r.Reason)])
	}
	for _, s := range e.Steps {
		switch s.Line {
		case "":
			fmt.Fprintf(w, "  %s %s：没有策略覆盖此请求\n", partTexts[s.Part], s.Subject)
		default:
			fmt.Fprintf(w, "  %s %s：%s  由第 %d 行 %s\n", partTexts[s.Part], s.Subject, s.Effect, s.Place, s.Line)
		}
		for _, v := range s.Via {
			fmt.Fprintf(w, "      经 %s\n", v)
		}
	}
	for _, m := range e.Misses {
		var needed []string
		for _, d := range m.Differs {
			needed = append(needed, fmt.Sprintf("%s为 %s（现为 %s）", memberTexts[d.Member], d.Needed, orNone(d.Asked)))
		}
		fmt.Fprintf(w, "  差一点：若%s，第 %d 行即允许%s：%s\n", strings.Join(needed, "，且"), m.Place, partTexts[m.Part], m.Line)
	}
}

// printUnjudged says of a request that the policy was not asked about what its record holds.
func printUnjudged(w io.Writer, r *recorded) {
	if r.ErrorCode == "" {
		fmt.Fprintf(w, "%s：这次请求不经策略判定（%s）\n", allowText(r.Allow), r.Outcome)
		return
	}
	fmt.Fprintf(w, "%s：在策略判定之前，错误码 %s：%s\n", allowText(false), r.ErrorCode, r.ErrorText)
	if text := reasonTexts[policy.Reason(r.Reason)]; text != "" {
		fmt.Fprintf(w, "  原因：%s（%s）\n", text, r.Reason)
	} else if r.Reason != "" {
		fmt.Fprintf(w, "  原因：%s\n", r.Reason)
	}
	if r.Remedy != "" {
		fmt.Fprintf(w, "  处理：%s\n", r.Remedy)
	}
}

func orNone(text string) string {
	if text == "" {
		return "空"
	}
	return text
}

func whoCommand() *cobra.Command {
	who := &cobra.Command{
		Use:   "who --item CODE [--field KEY | --interface NAME]",
		Short: "谁可以：看到某数据项明文，或调用某接口；依据、起始、批准与使用次数",
	}
	gatewayFlags(who)
	var q whoRequest
	who.Flags().StringVar(&q.Item, "item", "", "证照目录编码（必填）")
	who.Flags().StringVar(&q.Field, "field", "", "敏感数据项：谁能看到它的明文")
	who.Flags().StringVar(&q.Interface, "interface", "", "接口方法名：谁能调用它")
	who.Flags().StringVar(&q.App, "app", "", "只看此应用")
	who.Flags().StringVar(&q.Account, "account", "", "只看此账户")
	who.Flags().StringVar(&q.Department, "department", "", "只看此部门")
	who.Flags().IntVar(&q.Days, "days", 30, "统计最近多少天的使用次数")
	run(who, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		if q.Item == "" {
			return usageError("缺少 --item")
		}
		if q.Field != "" && q.Interface != "" {
			return usageError("--field 与 --interface 只能写一个")
		}
		var rows []whoRow
		if _, err := call(cmd, http.MethodPost, "policy/who", q, &rows); err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd, rows)
		}
		if len(rows) == 0 {
			fmt.Fprintln(cmd.OutOrStdout(), "没有人可以")
			return nil
		}
		return tabulate(cmd.OutOrStdout(), "部门\t应用\t账户\t权利\t事项\t自版本（北京时间）\t提交/批准\t申请表\t使用\t依据", rows, func(r whoRow) string {
			right := r.Interface
			if r.Field != "" {
				right = r.Field + " 明文"
			}
			by := r.By
			if r.ApprovedBy != "" {
				by += "/" + r.ApprovedBy
			}
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d（%s）\t%s\t%s\t%d\t%s", r.Department, r.App, r.Account, right, strings.Join(r.ServiceItems, "、"),
				r.Since, beijing.Date(r.SinceTime), by, strings.Join(r.Forms, "、"), r.Uses, strings.Join(r.Lines, "；"))
		})
	})
	return who
}

func historyCommand() *cobra.Command {
	history := &cobra.Command{Use: "history", Short: "列出策略版本：何人何时为何改了什么"}
	gatewayFlags(history)
	history.Flags().Int("limit", 50, "最多列出多少个版本")
	run(history, cobra.NoArgs, listVersions)
	return history
}

func diffCommand() *cobra.Command {
	diff := &cobra.Command{Use: "diff VERSION [VERSION]", Short: "两个版本（后者默认现行版本）之间谁得到、失去了什么，附例证"}
	gatewayFlags(diff)
	run(diff, cobra.RangeArgs(1, 2), func(cmd *cobra.Command, args []string) error {
		var numbers [2]int64
		for i, text := range args {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 1 {
				return usageError(fmt.Sprintf("版本号 %q 应为正整数", text))
			}
			numbers[i] = n
		}
		var done diffed
		if _, err := call(cmd, http.MethodGet, fmt.Sprintf("policy/versions/%d/diff?against=%d", numbers[0], numbers[1]), nil, &done); err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd, done)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "版本 %d → 版本 %d\n", done.From, done.To)
		printShifts(cmd.OutOrStdout(), done.Shifts, done.Partial)
		return nil
	})
	return diff
}

func rollbackCommand() *cobra.Command {
	rollback := &cobra.Command{
		Use: "rollback VERSION", Short: "回滚到某个策略版本（作为新版本生效）",
		Long: "把平台声明恢复为某个版本的内容，作为一个新版本生效；密钥、口令与管理员保持不变，其间删除的应用与账户会重新生成密钥。",
	}
	gatewayFlags(rollback)
	changeFlags(rollback)
	rollback.Flags().Bool("dry-run", false, "只显示差异，不生效")
	run(rollback, cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
		n, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil || n < 1 {
			return usageError(fmt.Sprintf("版本号 %q 应为正整数", args[0]))
		}
		dry, _ := cmd.Flags().GetBool("dry-run")
		return submit(cmd, "policy/rollback", &rollbackRequest{Version: n, changeRequest: changeRequest{DryRun: dry}})
	})
	return rollback
}

func listVersions(cmd *cobra.Command, _ []string) error {
	limit, _ := cmd.Flags().GetInt("limit")
	var versions []versionRow
	if _, err := call(cmd, http.MethodGet, fmt.Sprintf("policy/versions?limit=%d", limit), nil, &versions); err != nil {
		return err
	}
	if asJSON(cmd) {
		return printJSON(cmd, versions)
	}
	for _, v := range versions {
		by := v.By
		if v.ApprovedBy != "" {
			by += "，" + v.ApprovedBy + " 批准"
		}
		fmt.Fprintf(cmd.OutOrStdout(), "版本 %d  %s  %s  %s\n", v.Number, beijing.Labelled(v.At), by, v.Why)
		var changes []registry.Change
		if json.Unmarshal(v.Changes, &changes) == nil {
			for _, c := range changes {
				fmt.Fprintln(cmd.OutOrStdout(), "    "+c.String())
			}
		}
	}
	return nil
}
