package caddymodule

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"licgate/beijing"
	"licgate/gm"
	"licgate/store"
)

func keysCommands(cmd *cobra.Command) {
	status := &cobra.Command{Use: "status", Short: "列出数据密钥与密钥任务"}
	gatewayFlags(status)
	run(status, cobra.NoArgs, keysStatus)

	rotate := &cobra.Command{
		Use: "rotate", Short: "轮换数据密钥，并重新加密",
		Long: "立即换用新密钥，在后台以新密钥重新加密已有数据；宽限期（默认 1 小时）之后，确认无任何数据再使用旧密钥才予销毁。\n" +
			"业务不中断。中断本命令或网关都不影响：任务由网关继续，进度见 licgate keys status。",
	}
	gatewayFlags(rotate)
	rotate.Flags().String("department", "", "只轮换这个部门（默认全部）")
	rotate.Flags().String("why", "", "事由，记入审计")
	rotate.Flags().Bool("detach", false, "不等待，立即返回")
	run(rotate, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		department, _ := cmd.Flags().GetString("department")
		why, _ := cmd.Flags().GetString("why")
		return startKeyJob(cmd, "keys/rotate", rotateRequest{Department: department, Why: why})
	})

	rewrap := &cobra.Command{
		Use: "rewrap", Short: "以现行主密钥重新加密数据密钥，以及本节点的根密钥与签章密钥",
		Long: "更换主密钥（keys { wrapper … }）之后，或密钥服务中的主密钥换了版本之后，在每个节点各执行一次；全部执行过之后才可删去 former。",
	}
	gatewayFlags(rewrap)
	run(rewrap, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		var done rewrapped
		if _, err := call(cmd, http.MethodPost, "keys/rewrap", nothing{}, &done); err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd, done)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d 个数据密钥，以及本节点的根密钥与 %d 个签章密钥，已由 %s 加密\n", done.Keys, done.Seals, done.KEK)
		return nil
	})

	shred := &cobra.Command{
		Use: "shred", Short: "粉碎一个部门的全部证照，或一份证照（无法撤销）",
		Long: "销毁密钥，使数据永不可解，备份中的副本也不例外（密钥库自身的备份到期之后）。粉碎之后证照视同不存在，其他部门不受影响。\n" +
			"须照写一遍部门代码或证照编码以确认：在终端输入，或用 --confirm 给出。",
	}
	gatewayFlags(shred)
	shred.Flags().String("department", "", "部门代码")
	shred.Flags().String("licence", "", "证照编码")
	shred.Flags().String("confirm", "", "照写一遍部门代码或证照编码")
	shred.Flags().String("why", "", "依据，记入审计（必填）")
	shred.Flags().Bool("detach", false, "不等待，立即返回")
	run(shred, cobra.NoArgs, shredCommand)

	group(cmd, status, rotate, rewrap, shred, decideJobCommand("approve", "批准一项待批的粉碎，立即执行（无法撤销）"),
		decideJobCommand("reject", "驳回一项待批的粉碎（提交人可以此撤回）"))
}

func shredCommand(cmd *cobra.Command, _ []string) error {
	var q shredRequest
	q.Department, _ = cmd.Flags().GetString("department")
	q.Licence, _ = cmd.Flags().GetString("licence")
	q.Confirm, _ = cmd.Flags().GetString("confirm")
	q.Why, _ = cmd.Flags().GetString("why")
	if (q.Department == "") == (q.Licence == "") {
		return usageError("请用 --department 或 --licence 之一指明粉碎什么")
	}
	if q.Why == "" {
		return usageError("请用 --why 写明依据")
	}
	if q.Confirm == "" && term.IsTerminal(int(os.Stdin.Fd())) {
		fmt.Fprintf(cmd.ErrOrStderr(), "粉碎无法撤销。请照写一遍 %s 以确认：", q.Department+q.Licence)
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil {
			return errors.New("未确认，没有执行")
		}
		q.Confirm = strings.TrimSpace(line)
	}
	return startKeyJob(cmd, "keys/shred", q)
}

// decideJobCommand approves or rejects a proposed shredding.
func decideJobCommand(what, help string) *cobra.Command {
	decide := &cobra.Command{Use: what + " 任务编号", Short: help}
	gatewayFlags(decide)
	decide.Flags().Bool("detach", false, "不等待，立即返回")
	run(decide, cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
		if _, err := strconv.ParseInt(args[0], 10, 64); err != nil {
			return usageError("任务编号应为数字，见 licgate keys status")
		}
		return startKeyJob(cmd, "keys/jobs/"+args[0]+"/"+what, nothing{})
	})
	return decide
}

// startKeyJob begins a job and shows how far it is, until it is over or waits for old keys' grace.
func startKeyJob(cmd *cobra.Command, path string, question any) error {
	var j store.KeyJob
	if _, err := call(cmd, http.MethodPost, path, question, &j); err != nil {
		return err
	}
	bar := newProgressBar(cmd.ErrOrStderr())
	for detach, _ := cmd.Flags().GetBool("detach"); !detach && j.State == store.JobRunning; {
		select {
		case <-cmd.Context().Done():
			return cmd.Context().Err()
		case <-time.After(200 * time.Millisecond):
		}
		if _, err := call(cmd, http.MethodGet, fmt.Sprintf("keys/jobs/%d", j.Number), nil, &j); err != nil {
			bar.end()
			return fmt.Errorf("任务 %d 由网关继续进行，用 licgate keys status 查看：%w", j.Number, err)
		}
		// Old keys are destroyed when their grace is over: the last line says when, and no bar that it was done.
		if j.State != store.JobWaiting && (j.Phase != phaseDestroy || j.Progress.Total > 0) {
			bar.show(phaseText(j.Phase), j.Progress.Seen, max(j.Progress.Total, j.Progress.Seen))
		}
	}
	bar.end()
	if asJSON(cmd) {
		if err := printJSON(cmd, j); err != nil {
			return err
		}
	}
	switch {
	case j.State == store.JobFailed:
		return errors.New(jobText(j))
	case !asJSON(cmd):
		fmt.Fprintln(cmd.OutOrStdout(), jobText(j))
	}
	return nil
}

func phaseText(phase string) string {
	switch phase {
	case phaseShred:
		return "粉碎"
	case phaseRotate:
		return "换用新密钥"
	case phaseBury:
		return "清除已粉碎的证照"
	case phaseLicences:
		return "重新加密证照"
	case phaseForms:
		return "重新加密申请表"
	case phaseRegistry:
		return "重新加密账户证件号码"
	case phaseChanges:
		return "重新加密待批变更"
	case phaseScrub:
		return "清理数据库文件"
	}
	return "销毁旧密钥"
}

func jobText(j store.KeyJob) string {
	what := map[string]string{jobRotate: "轮换", jobShredDepartment: "粉碎部门", jobShredLicence: "粉碎证照"}[j.Kind]
	text := fmt.Sprintf("任务 %d（%s，%s）：", j.Number, what, cmp.Or(j.Department, "全部部门"))
	if j.Licence != "" {
		text = fmt.Sprintf("任务 %d（%s %s）：", j.Number, what, j.Licence)
	}
	switch j.State {
	case store.JobProposed:
		text += fmt.Sprintf("%s 提交，依据：%s。须由另一名安全管理员批准后执行：licgate keys approve %d", j.By, j.Why, j.Number)
	case store.JobRejected:
		text += "已由 " + j.DecidedBy + " 驳回或撤回"
	case store.JobRunning:
		text += fmt.Sprintf("正在%s %d/%d", phaseText(j.Phase), j.Progress.Seen, max(j.Progress.Total, j.Progress.Seen))
	case store.JobWaiting:
		text += fmt.Sprintf("重新加密 %d 项完成；旧密钥将于 %s之后销毁", j.Resealed, beijing.Labelled(j.NotBefore))
		if j.Kind == jobShredLicence {
			text += "，届时备份中的副本才不可解"
		}
	case store.JobDone:
		text += fmt.Sprintf("完成：重新加密 %d 项", j.Resealed)
		if j.Buried > 0 {
			text += fmt.Sprintf("，清除证照 %d 份", j.Buried)
		}
		if j.Destroyed > 0 {
			text += fmt.Sprintf("，销毁旧密钥 %d 个", j.Destroyed)
		}
	case store.JobFailed:
		text += "未完成"
		if j.Kind == jobShredLicence && j.Kept > 0 {
			text += "：该证照在库中已清除，但旧密钥仍被使用，备份中的副本仍可解开。请处理无法打开的数据之后重新执行 licgate keys rotate"
		}
	}
	if j.Refused > 0 {
		text += fmt.Sprintf("；%d 项无法打开，未动，见网关日志与 licgate doctor --integrity", j.Refused)
	}
	if j.Kept > 0 {
		text += fmt.Sprintf("；%d 个旧密钥仍被使用，予以保留", j.Kept)
	}
	if j.Error != "" {
		text += "；最近一次尝试：" + j.Error
	}
	return text
}

func keysStatus(cmd *cobra.Command, _ []string) error {
	var r keysReport
	if _, err := call(cmd, http.MethodGet, "keys", nil, &r); err != nil {
		return err
	}
	if asJSON(cmd) {
		return printJSON(cmd, r)
	}
	root := "由主密钥加密"
	if r.RootClear {
		root = "明文存于 local.key（权限 0600）"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "根密钥 %s，%s；数据密钥由 %s 加密\n", r.Root, root, r.KEK)
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "密钥\t部门\t时期\t代\t状态\t主密钥\t生成于"+beijing.Label)
	for _, k := range r.Keys {
		state := map[string]string{string(gm.KeyActive): "使用中", string(gm.KeyRetired): "只解密", string(gm.KeyDestroyed): "已销毁"}[k.State]
		switch {
		case k.Damaged:
			state = "记录被改动"
		case k.Shredded:
			state = "已粉碎"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", k.ID, cmp.Or(k.Department, "（无部门）"), k.Period, k.Generation, state, k.KEK, beijing.Time(k.Created))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, row := range r.Seals {
		if row.Keys > 0 {
			fmt.Fprintf(cmd.OutOrStdout(), "签章密钥 %d 个，%s\n", row.Keys, sealKeysText(row.KEK))
		}
		for _, file := range row.Damaged {
			fmt.Fprintf(cmd.OutOrStdout(), "签章密钥文件损坏：keys/seals/%s\n", printable(file))
		}
	}
	for _, missing := range r.Missing {
		fmt.Fprintf(cmd.OutOrStdout(), "缺少密钥记录：%s\n", missing)
	}
	for _, j := range r.Jobs {
		fmt.Fprintln(cmd.OutOrStdout(), jobText(j))
	}
	return nil
}

func sealKeysText(kek string) string {
	if kek == "" {
		return "明文存于文件中（下次启动时加密）"
	}
	return "由 " + printable(kek) + " 加密"
}
