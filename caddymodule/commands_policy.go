package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"licgate/audit"
	"licgate/policy"
	"licgate/registry"
)

func policyCommands(cmd *cobra.Command) {
	explain := &cobra.Command{
		Use:   "explain --app KEY --account NAME --item CODE --interface NAME [--service-item CODE] | --response-id ID",
		Short: "解释某个调用为何允许或拒绝",
		Long:  "解释某个假想的调用在现行策略下为何允许或拒绝；或按 response_id 解释一次真实的判定，以当时的策略版本为准。",
	}
	gatewayFlags(explain)
	var q adminRequest
	explain.Flags().StringVar(&q.App, "app", "", "app_key")
	explain.Flags().StringVar(&q.Account, "account", "", "账户")
	explain.Flags().StringVar(&q.Department, "department", "", "代表的部门（默认账户所属部门）")
	explain.Flags().StringVar(&q.Item, "item", "", "证照目录编码")
	explain.Flags().StringVar(&q.Interface, "interface", "", "接口方法名，例如 get_license")
	explain.Flags().StringVar(&q.ServiceItem, "service-item", "", "事项编码")
	explain.Flags().Int64Var(&q.Version, "version", 0, "按此策略版本解释（默认现行版本）")
	id := explain.Flags().String("response-id", "", "应答标识：解释当时的那次判定")
	dataFlag(explain)
	run(explain, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		if *id != "" {
			recorded, err := recordedQuestion(cmd, *id)
			if err != nil {
				return err
			}
			return explainDecision(cmd, recorded)
		}
		for flag, value := range map[string]string{"app": q.App, "account": q.Account, "interface": q.Interface} {
			if value == "" {
				return usageError("缺少 --" + flag)
			}
		}
		return explainDecision(cmd, q)
	})

	history := &cobra.Command{Use: "history", Short: "列出策略版本：何人何时为何改了什么"}
	gatewayFlags(history)
	history.Flags().Int("limit", 50, "最多列出多少个版本")
	run(history, cobra.NoArgs, listVersions)

	plan := &cobra.Command{Use: "plan -f FILE", Short: "预演平台文件：显示将发生的变更，不生效"}
	gatewayFlags(plan)
	plan.Flags().StringP("file", "f", "", "platform.yaml；- 表示标准输入")
	run(plan, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		path, _ := cmd.Flags().GetString("file")
		if path == "" {
			return usageError("请用 -f 指定平台文件")
		}
		text, err := readFile(cmd, path)
		if err != nil {
			return err
		}
		return submit(cmd, "apply", adminRequest{File: string(text), DryRun: true})
	})

	rollback := &cobra.Command{
		Use: "rollback VERSION", Short: "回滚到某个策略版本（作为新版本生效）",
		Long: "把平台声明恢复为某个版本的内容，作为一个新版本生效；密钥与口令保持不变，其间删除的应用与账户会重新生成密钥。",
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
		return submit(cmd, "policy/rollback", adminRequest{Version: n, DryRun: dry})
	})
	group(cmd, explain, history, plan, rollback)
}

// recordedQuestion is the question that a recorded request asked, with the version that answered it.
func recordedQuestion(cmd *cobra.Command, responseID string) (adminRequest, error) {
	var line bytes.Buffer
	n, err := audit.Export(cmd.Context(), auditDir(cmd), audit.Query{ResponseID: responseID}, &line)
	if err != nil {
		return adminRequest{}, err
	}
	if n == 0 {
		return adminRequest{}, fmt.Errorf("审计记录中没有应答标识 %s", responseID)
	}
	var r audit.Record
	if err := json.Unmarshal(line.Bytes(), &r); err != nil {
		return adminRequest{}, fmt.Errorf("审计记录无法解析：%w", err)
	}
	if r.PolicyVersion == 0 {
		return adminRequest{}, fmt.Errorf("这次请求在判定之前就被拒绝（错误码 %s），没有策略判定", r.ErrorCode)
	}
	return adminRequest{
		App: r.App, Account: r.Account, Department: r.Department, Item: r.Item, Interface: r.Interface,
		ServiceItem: r.ServiceItem, Version: r.PolicyVersion,
	}, nil
}

func explainDecision(cmd *cobra.Command, q adminRequest) error {
	var e policy.Explanation
	raw, err := call(cmd, http.MethodPost, "policy/explain", q, &e)
	if err != nil {
		return err
	}
	if asJSON(cmd) {
		_, err := cmd.OutOrStdout().Write(raw)
		return err
	}
	return printExplanation(cmd.OutOrStdout(), e)
}

// reasonTexts say a reason to an administrator.
var reasonTexts = map[policy.Reason]string{
	policy.ReasonAllowed:       "应用与账户都有权，事项可以使用该证照",
	policy.ReasonNoGrantNeeded: "该接口不需要授权",
	policy.ReasonAppDenied:     "策略明确禁止该应用",
	policy.ReasonAppNoGrant:    "没有策略允许该应用",
	policy.ReasonAccountDenied: "策略明确禁止该账户或其角色",
	policy.ReasonAccountNoRole: "该账户没有允许此操作的角色",
	policy.ReasonServiceItem:   "该事项不可使用这种证照",
	policy.ReasonUnsure:        "编译后的索引与参照引擎判定不一致，为安全起见拒绝，请立即联系开发方",
	policy.ReasonUnknown:       "没有这个接口",
}

var partTexts = map[string]string{
	policy.PartApplication: "应用", policy.PartAccount: "账户", policy.PartServiceItem: "事项",
}

func printExplanation(w io.Writer, e policy.Explanation) error {
	verdict := "拒绝"
	if e.Allow {
		verdict = "允许"
	}
	fmt.Fprintf(w, "%s：%s（%s），策略版本 %d\n", verdict, reasonTexts[e.Reason], e.Reason, e.Version)
	for _, s := range e.Steps {
		switch s.Line {
		case "":
			fmt.Fprintf(w, "  %s %s：没有策略覆盖此请求\n", partTexts[s.Part], s.Subject)
		default:
			fmt.Fprintf(w, "  %s %s：%s  由 %s\n", partTexts[s.Part], s.Subject, s.Effect, s.Line)
		}
		for _, v := range s.Via {
			fmt.Fprintf(w, "      经 %s\n", v)
		}
	}
	return nil
}

func listVersions(cmd *cobra.Command, _ []string) error {
	limit, _ := cmd.Flags().GetInt("limit")
	var versions []versionRow
	if _, err := call(cmd, http.MethodGet, fmt.Sprintf("policy/history?limit=%d", limit), nil, &versions); err != nil {
		return err
	}
	if asJSON(cmd) {
		return printJSON(cmd, versions)
	}
	for _, v := range versions {
		fmt.Fprintf(cmd.OutOrStdout(), "版本 %d  %s  %s  %s\n", v.Number, v.At.Local().Format("2006-01-02 15:04:05"), v.By, v.Why)
		var changes []registry.Change
		if json.Unmarshal(v.Changes, &changes) == nil {
			for _, c := range changes {
				fmt.Fprintln(cmd.OutOrStdout(), "    "+c.String())
			}
		}
	}
	return nil
}
