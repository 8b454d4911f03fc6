package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"licgate/beijing"
)

// nameCharacters are those of app keys, account and administrator names.
const nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

// An objectAction is one thing to do to one object.
type objectAction struct{ name, help string }

// objectCommands are list and the actions of one kind of object.
func objectCommands(kind, argument, name string, list func(cmd *cobra.Command) error, actions ...objectAction) []*cobra.Command {
	listing := &cobra.Command{Use: "list", Short: "列出" + name}
	gatewayFlags(listing)
	run(listing, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return list(cmd) })
	children := []*cobra.Command{listing}
	for _, action := range actions {
		child := &cobra.Command{Use: action.name + " " + argument, Short: action.help}
		gatewayFlags(child)
		changeFlags(child)
		if action.name == "rotate-secret" {
			child.Flags().String("overlap", "7d", "旧密钥继续有效的时长，至多 90d")
		}
		run(child, cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
			if strings.Trim(args[0], nameCharacters) != "" {
				return usageError(fmt.Sprintf("%s名称只含字母、数字和 _ . -", name))
			}
			var q actionRequest
			if f := cmd.Flags().Lookup("overlap"); f != nil {
				q.Overlap = f.Value.String()
			}
			return submit(cmd, kind+"/"+args[0]+"/"+action.name, &q)
		})
		children = append(children, child)
	}
	return children
}

func applicationCommands(cmd *cobra.Command) {
	group(cmd, objectCommands("registry/applications", "APP_KEY", "应用", listApplications,
		objectAction{"disable", "停用应用并立即结束其会话"}, objectAction{"enable", "启用应用"},
		objectAction{"reset-secret", "重新生成 app_secret，旧的立即失效，会话立即结束"},
		objectAction{"rotate-secret", "生成新的 app_secret，旧的在重叠期内继续有效"})...)
}

func accountCommands(cmd *cobra.Command) {
	group(cmd, objectCommands("registry/accounts", "ACCOUNT", "账户", listAccounts,
		objectAction{"disable", "停用账户并立即结束其会话"}, objectAction{"enable", "启用账户"},
		objectAction{"reset-password", "重新生成口令并立即结束其会话"})...)
}

func listApplications(cmd *cobra.Command) error {
	return printTable(cmd, "registry/applications", "应用\t名称\t部门\t状态\t密钥（最近使用，北京时间）", func(r applicationRow) string {
		var secrets []string
		for _, s := range r.Secrets {
			text := s.ID + "（" + lastUse(s.LastUsed) + "）"
			if !s.Until.IsZero() {
				text += " 至 " + beijing.Minute(s.Until)
			}
			secrets = append(secrets, text)
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", r.AppKey, r.Name, r.Department, stateText(r.Disabled, r.Locked), strings.Join(secrets, "；"))
	})
}

func lastUse(at time.Time) string {
	if at.IsZero() {
		return "未使用"
	}
	return beijing.Minute(at)
}

func listAccounts(cmd *cobra.Command) error {
	return printTable(cmd, "registry/accounts", "账户\t姓名\t部门\t状态\t角色", func(r accountRow) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", r.Account, r.Name, r.Department, stateText(r.Disabled, r.Locked), strings.Join(r.Roles, "、"))
	})
}

func stateText(disabled, locked bool) string {
	switch {
	case disabled:
		return "停用"
	case locked:
		return "锁定"
	}
	return "启用"
}

// printTable gets a list and prints it, a line each under a head, or as JSON.
func printTable[T any](cmd *cobra.Command, path, head string, line func(T) string) error {
	var rows []T
	if _, err := call(cmd, http.MethodGet, path, nil, &rows); err != nil {
		return err
	}
	if asJSON(cmd) {
		return printJSON(cmd, rows)
	}
	if len(rows) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "（没有）")
		return nil
	}
	return tabulate(cmd.OutOrStdout(), head, rows, line)
}

func tabulate[T any](out io.Writer, head string, rows []T, line func(T) string) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, r := range rows {
		fmt.Fprintln(w, line(r))
	}
	return w.Flush()
}
