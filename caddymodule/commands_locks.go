package caddymodule

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"licgate/beijing"
	"licgate/registry"
	"licgate/session"
)

// lockKinds are the words of the command for the kinds of locks.
var lockKinds = map[string]string{
	"app": registry.LockApplication, "account": registry.LockAccount, "department": registry.LockDepartment,
	"item": registry.LockItem, "address": registry.LockAddress,
}

var lockNames = map[string]string{
	registry.LockApplication: "应用", registry.LockAccount: "账户", registry.LockDepartment: "部门",
	registry.LockItem: "证照目录", registry.LockAddress: "来源地址",
}

const lockHelp = `立即锁定一个对象：

  app 应用        不能登录，会话立即结束
  account 账户    同上
  department 部门 该部门的应用与账户都不能使用，会话立即结束
  item 证照目录   涉及该目录证照的调用一律拒绝（30004）
  address 地址    来自该地址或网段的请求一律拒绝（20007）

锁定不改变策略，不需审批，各节点至多一秒后跟上。`

func lockCommand(cmd *cobra.Command) {
	cmd.Use, cmd.Long = "lock {app|account|department|item|address} KEY --reason TEXT [--for 24h]", lockHelp
	gatewayFlags(cmd)
	reason := cmd.Flags().String("reason", "", "锁定的原因（必填，只有管理员可见）")
	span := cmd.Flags().String("for", "", "锁定时长，例如 30m、24h、7d；不写则直到解除")
	list := &cobra.Command{Use: "list", Short: "列出现有的锁定"}
	gatewayFlags(list)
	run(list, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		return printTable(cmd, "locks", "类别\t对象\t到期"+beijing.Label+"\t锁定人\t时间"+beijing.Label+"\t原因", func(l registry.Lock) string {
			until := "直到解除"
			if !l.Expires.IsZero() {
				until = beijing.Time(l.Expires)
			}
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", lockNames[l.Kind], l.Key, until, l.By, beijing.Time(l.Created), l.Reason)
		})
	})
	cmd.AddCommand(list)
	completeKinds(cmd)
	run(cmd, cobra.ExactArgs(2), func(cmd *cobra.Command, args []string) error {
		kind, ok := lockKinds[args[0]]
		if !ok {
			return unknownLockKind(args[0])
		}
		if *reason == "" {
			return usageError("请用 --reason 写明锁定的原因")
		}
		var done lockAnswer
		if _, err := call(cmd, http.MethodPost, "locks", lockRequest{Kind: kind, Key: args[1], Reason: *reason, For: *span}, &done); err != nil {
			return err
		}
		for _, text := range done.Warnings {
			fmt.Fprintln(cmd.ErrOrStderr(), "警告："+text)
		}
		if asJSON(cmd) {
			return printJSON(cmd, done)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "已锁定%s %s，结束 %d 个会话\n", lockNames[kind], done.Lock.Key, done.Ended)
		return nil
	})
}

// completeKinds offers the kinds as the first argument, beside what else the command offers.
func completeKinds(cmd *cobra.Command, more ...string) {
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		kinds := slices.Clone(more)
		for kind, of := range lockKinds {
			kinds = append(kinds, kind+"\t"+lockNames[of])
		}
		slices.Sort(kinds)
		return kinds, cobra.ShellCompDirectiveNoFileComp
	}
}

func unknownLockKind(word string) error {
	var kinds []string
	for kind := range lockKinds {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return usageError(fmt.Sprintf("不能锁定 %q，可用：%s", word, strings.Join(kinds, "、")))
}

func unlockCommand(cmd *cobra.Command) {
	cmd.Use = "unlock {app|account|department|item|address|administrator} KEY"
	completeKinds(cmd, "administrator\t管理员")
	cmd.Long = "解除锁定。account、address 同时清除登录失败计数；administrator 只清除管理员的登录失败计数（停用的管理员用 licgate admin enable）。"
	gatewayFlags(cmd)
	run(cmd, cobra.ExactArgs(2), func(cmd *cobra.Command, args []string) error {
		kind, ok := lockKinds[args[0]]
		if !ok && args[0] != lockAdministrator {
			return unknownLockKind(args[0])
		}
		if !ok {
			kind = lockAdministrator
		}
		var done unlockAnswer
		if _, err := call(cmd, http.MethodPost, "locks/remove", unlockRequest{kind, args[1]}, &done); err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd, done)
		}
		for _, text := range done.Warnings {
			fmt.Fprintln(cmd.ErrOrStderr(), "注意："+text)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s：%s\n", cmp.Or(lockNames[kind], "管理员"), args[1], strings.Join(unlockedTexts(kind, done), "；"))
		return nil
	})
}

// unlockedTexts say what there was to take away: locks of two origins, which are easily taken for one another.
func unlockedTexts(kind string, done unlockAnswer) []string {
	var texts []string
	if kind != lockAdministrator {
		texts = append(texts, map[bool]string{true: "管理员设置的锁定已解除", false: "没有管理员设置的锁定"}[done.Lock])
	}
	switch {
	case done.LockedOut:
		texts = append(texts, "登录失败造成的锁定已解除")
	case done.Failures:
		texts = append(texts, "登录失败计数已清零")
	case kind == lockAdministrator || kind == registry.LockAccount || kind == registry.LockAddress && len(done.Warnings) == 0:
		texts = append(texts, "没有登录失败造成的锁定")
	}
	return texts
}

// longestSpan is how many days a span may have: a hundred years.
const longestSpan = 36500

// parseSpan reads a length of time as administrators write it: 30m, 24h, 7d.
func parseSpan(text string) (time.Duration, error) {
	var days float64
	if number, ok := strings.CutSuffix(text, "d"); ok {
		if _, err := fmt.Sscanf(number+"\n", "%f\n", &days); err != nil || !(days > 0 && days <= longestSpan) {
			return 0, fmt.Errorf("%q is not a number of days", text)
		}
		return time.Duration(days * 24 * float64(time.Hour)), nil
	}
	span, err := time.ParseDuration(text)
	if err == nil && span <= 0 {
		err = fmt.Errorf("%q is not positive", text)
	}
	return span, err
}

func sessionCommands(cmd *cobra.Command) {
	list := &cobra.Command{Use: "list", Short: "列出会话，新的在前"}
	gatewayFlags(list)
	selected := sessionFlags(list)
	limit := list.Flags().Int("limit", 100, "最多列出多少个")
	run(list, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		q := url.Values{"limit": {fmt.Sprint(*limit)}}
		for name, value := range map[string]string{"app": selected.App, "account": selected.Account, "department": selected.Department} {
			if value != "" {
				q.Set(name, value)
			}
		}
		return printTable(cmd, "sessions?"+q.Encode(), "会话\t应用\t账户\t部门\t地址\t登录于"+beijing.Label+"\t最近使用"+beijing.Label, func(s session.Session) string {
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", s.ID, s.AppKey, s.Account, s.Department, s.Address,
				beijing.Time(s.Created), beijing.Time(s.LastSeen))
		})
	})
	end := &cobra.Command{Use: "end", Short: "结束一个应用、账户或部门的全部会话"}
	gatewayFlags(end)
	ended := sessionFlags(end)
	run(end, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		if *ended == (sessionEnd{}) {
			return usageError("请用 --app、--account 或 --department 指明要结束谁的会话")
		}
		var done map[string]int
		if _, err := call(cmd, http.MethodPost, "sessions/end", ended, &done); err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd, done)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "已结束 %d 个会话\n", done["ended"])
		return nil
	})
	group(cmd, list, end)
}

func sessionFlags(cmd *cobra.Command) *sessionEnd {
	q := new(sessionEnd)
	cmd.Flags().StringVar(&q.App, "app", "", "app_key")
	cmd.Flags().StringVar(&q.Account, "account", "", "账户")
	cmd.Flags().StringVar(&q.Department, "department", "", "代表的部门代码")
	return q
}
