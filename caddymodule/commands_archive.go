package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"licgate/archive"
	"licgate/beijing"
	"licgate/client"
	"licgate/licence"
)

const archiveHelp = `把本部门签发的证照成批归档到一个目录或一个 zip 文件。只通过 HTTPS 调用标准接口与 archive_list，权限由网关判定：
应用须有归档需求（archive），账户须有 archivist 角色；只能得到登录部门签发的、有效的证照。

  DIR       每张证照一个文件（证照编码.pdf），另有清单 index.jsonl：编码、文件、SHA-256、归档时间、应答标识
  FILE.zip  先收集在 FILE.zip.spool 目录，全部取齐后写成 zip 并删除该目录

可以随时中断（Ctrl-C、断电），再次执行同一命令即从中断处继续：已有且与清单相符的文件不再取。超过频率限制时自动等待。
密钥与口令不写在命令行上，取得的次序与 licgate selfcheck 相同。

退出码：0 全部归档，1 有证照未归档或中断，2 用法不对。`

func archiveCommands(cmd *cobra.Command) {
	export := &cobra.Command{
		Use: "export --url https://HOST:PORT --app-key KEY --account NAME --service-item CODE [--item CODE]… --out DIR|FILE.zip", Short: "成批归档证照",
		Long: archiveHelp,
	}
	var o archiveOptions
	o.flags(export)
	f := export.Flags()
	f.StringVar(&o.department, "department", "", "登录部门须是这个部门（统一社会信用代码），否则拒绝")
	f.BoolVar(&o.orgAdmin, "org-admin", false, "以部门管理员身份代表 --department 登录")
	f.StringVar(&o.serviceItem, "service-item", "", "归档所属的事项编码")
	f.StringArrayVar(&o.items, "item", nil, "证照目录编码，可重复；不写则为全部可归档的目录")
	f.StringVar(&o.since, "since", "", "自此日期（2026-01-31）或时刻（\"2026-01-31 08:00:00\"）起签发的，北京时间")
	f.StringVar(&o.fileType, "file-type", "PDF", "文件类型：PDF、OFD")
	f.BoolVar(&o.sensitive, "sensitive", false, "要求敏感数据项以明文显示（须另有权限，逐张审计）")
	f.IntVar(&o.parallel, "parallel", 4, "同时取多少张，1 至 64")
	f.StringVar(&o.out, "out", "", "目录，或以 .zip 结尾的文件")
	f.Bool("json", false, "输出 JSON")
	_ = export.MarkFlagFilename("out")
	run(export, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return o.run(cmd) })
	group(cmd, export)
}

type archiveOptions struct {
	caller
	department, serviceItem, since, fileType, out string
	orgAdmin, sensitive                           bool
	items                                         []string
	parallel                                      int
}

// checkUsage finds wrong usage before anything is asked for or sent.
func (o *archiveOptions) checkUsage() error {
	o.fileType = strings.ToUpper(o.fileType)
	switch {
	case o.serviceItem == "":
		return usageError("缺少 --service-item")
	case !serviceItemShape.MatchString(o.serviceItem):
		return usageError(fmt.Sprintf("事项编码 %q 不对：至多 64 个字母、数字、_ 和 -", o.serviceItem))
	case o.out == "":
		return usageError("缺少 --out")
	case o.orgAdmin && o.department == "":
		return usageError("--org-admin 须同时给出 --department")
	case o.fileType != "PDF" && o.fileType != "OFD":
		return usageError("--file-type 须为 PDF 或 OFD")
	case o.parallel < 1 || o.parallel > 64:
		return usageError("--parallel 须为 1 至 64")
	}
	if o.since != "" {
		at, err := beijing.Parse(o.since)
		switch {
		case err != nil:
			return usageError(fmt.Sprintf("--since %q 无法识别，例如 2026-01-31 或 \"2026-01-31 08:00:00\"（北京时间）", o.since))
		case at.After(time.Now()):
			return usageError("--since " + o.since + " 还没有到（北京时间）")
		}
		o.since = beijing.Millis(at)
	}
	return checkItemCodes(o.items)
}

// zipped reports whether a zip file is asked for.
func (o *archiveOptions) zipped() bool { return strings.EqualFold(filepath.Ext(o.out), ".zip") }

func (o *archiveOptions) run(cmd *cobra.Command) error {
	root, err := o.caller.check()
	if err == nil {
		err = o.checkUsage()
	}
	if err != nil {
		return err
	}
	folder := o.out
	if o.zipped() {
		folder = archive.SpoolOf(o.out)
		if err := archive.Vacant(o.out); err != nil {
			return o.explain(err)
		}
	}
	orgCode := ""
	if o.orgAdmin {
		orgCode = o.department
	}
	c, err := o.connect(cmd, root, client.DefaultTimeout, orgCode)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	source := &archiveSource{client: c, serviceItem: o.serviceItem, since: o.since, fileType: o.fileType, sensitive: o.sensitive}
	// A refused login is not repeated: it counts towards a lock.
	if err := source.patience.call(ctx, func() error { return c.Login(ctx) }); err != nil {
		return fmt.Errorf("登录：%w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = c.Logout(ctx) // the session ends by itself
	}()
	var department string
	if err := source.patience.call(ctx, func() error {
		user, err := c.CurrentUser(ctx)
		if err == nil {
			department = user.Data.ServiceOrgCode
		}
		return err
	}); err != nil {
		return fmt.Errorf("当前账户：%w", err)
	}
	if o.department != "" && department != o.department {
		return fmt.Errorf("登录部门是 %s，不是 %s", department, o.department)
	}
	return o.export(ctx, cmd, source, department, folder)
}

// export archives into the folder, and makes a zip file of it.
func (o *archiveOptions) export(ctx context.Context, cmd *cobra.Command, source *archiveSource, department, folder string) error {
	items, err := o.wanted(ctx, source)
	if err != nil {
		return err
	}
	f, err := archive.OpenFolder(folder, archive.About{Department: department, FileType: o.fileType, Sensitive: o.sensitive}, time.Now)
	if err != nil {
		return o.explain(err)
	}
	defer f.Close()
	job := archive.Job{Source: source, Folder: f, Parallel: o.parallel}
	bar := newProgressBar(cmd.ErrOrStderr())
	if bar.live && !asJSON(cmd) {
		job.Progress = func(item string, done, total int) { bar.show("归档 "+item, int64(done), int64(total)) }
	}
	outcomes, err := job.Run(ctx, items)
	bar.end()
	result := o.sum(department, outcomes)
	abandoned, trouble := f.Abandon()
	switch {
	case trouble != nil:
		err = errors.Join(err, trouble)
	case err != nil && abandoned && ctx.Err() == nil:
		err = o.explain(err)
	case ctx.Err() != nil:
		err = fmt.Errorf("%w；再次执行同一命令，从中断处继续", errInterrupted)
	case err != nil:
		err = fmt.Errorf("%w；排除原因后再次执行同一命令，从中断处继续", o.explain(err))
	case result.refusal() != nil:
		err = result.refusal()
	case o.zipped() && !abandoned:
		err = o.explain(f.Zip(o.out))
	}
	result.Complete = err == nil
	return errors.Join(result.print(cmd, !abandoned && (err == nil || !o.zipped())), err)
}

// wanted are the items to archive: those that were named, or the whole catalogue, whose refusals then do not matter.
func (o *archiveOptions) wanted(ctx context.Context, s *archiveSource) ([]string, error) {
	if len(o.items) > 0 {
		return unique(o.items), nil
	}
	var codes []string
	for _, closed := range []bool{false, true} {
		for index := 1; ; index++ {
			var answer *client.Answer[[]client.Item]
			err := s.patience.call(ctx, func() (err error) {
				answer, err = s.client.List(ctx, client.ListQuery{Status: []string{"PUBLISH", "CANCEL"}, Closed: closed, PageIndex: index, PageSize: 150})
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("证照目录：%w", err)
			}
			for _, item := range answer.Data {
				codes = append(codes, item.Code)
			}
			if len(answer.Data) < 150 {
				break
			}
		}
	}
	return unique(codes), nil
}

// explain says what is wrong with the folder or the zip file, and what to do; or what the gateway said.
func (o *archiveOptions) explain(err error) error {
	for _, one := range []struct {
		is   error
		text string
	}{
		{archive.ErrForeign, "已有其他内容，不是归档目录：请换一个目录"},
		{archive.ErrOther, "是另一部门、另一种文件类型或另一种脱敏要求的归档：请换一个目录"},
		{archive.ErrInUse, "正由另一进程写入"},
		{archive.ErrDamaged, "的清单或文件已损坏，请换一个目录重新归档"},
		{archive.ErrExists, "已存在：请换一个文件名。若 " + archive.SpoolOf(o.out) + " 还在，是上次在写成 zip 之后中断的，可以删除"},
	} {
		if errors.Is(err, one.is) {
			return fmt.Errorf("%s %s", o.out, one.text)
		}
	}
	var refused *client.Error
	if errors.As(err, &refused) {
		return errors.New(printable(fmt.Sprintf("网关拒绝：代码 %s：%s，应答标识 %s", refused.Code, refused.Message, refused.ResponseID)))
	}
	return err
}

// archiveResult is what --json prints.
type archiveResult struct {
	Department string              `json:"department"`
	Out        string              `json:"out"`
	Complete   bool                `json:"complete"` // nothing is missing, and the zip file is written
	Archived   int                 `json:"archived"`
	Present    int                 `json:"present"` // were there
	Items      []archiveItemResult `json:"items"`
	Failed     []archiveFailure    `json:"failed"`

	named bool // the items were
}

type archiveItemResult struct {
	Item     string `json:"license_item_code"`
	Total    int    `json:"total"`
	Archived int    `json:"archived"`
	Present  int    `json:"present"`
	Failed   int    `json:"failed"`
}

// archiveFailure is a licence, or with no code an item, that could not be had.
type archiveFailure struct {
	Item       string `json:"license_item_code"`
	Code       string `json:"license_code,omitempty"`
	ErrorCode  string `json:"code"`
	Message    string `json:"message"`
	ResponseID string `json:"response_id"`
}

func (o *archiveOptions) sum(department string, outcomes []archive.Outcome) *archiveResult {
	r := &archiveResult{Department: department, Out: o.out, Items: []archiveItemResult{}, Failed: []archiveFailure{}, named: len(o.items) > 0}
	for _, one := range outcomes {
		if why := one.Refused; why != nil {
			// What may not be archived is left out of the whole catalogue silently, but not what broke off.
			if r.named || !strings.HasPrefix(why.Code, "3") || one.Total > 0 {
				r.Failed = append(r.Failed, archiveFailure{one.Item, "", why.Code, why.Message, why.ResponseID})
			}
			if one.Total == 0 {
				continue
			}
		}
		r.Archived, r.Present = r.Archived+one.Archived, r.Present+one.Present
		r.Items = append(r.Items, archiveItemResult{one.Item, one.Total, one.Archived, one.Present, len(one.Failed)})
		for _, f := range one.Failed {
			r.Failed = append(r.Failed, archiveFailure{one.Item, f.Code, f.Why.Code, f.Why.Message, f.Why.ResponseID})
		}
	}
	return r
}

// refusal is why not everything was archived, nil when it was.
func (r *archiveResult) refusal() error {
	licences := len(slices.DeleteFunc(slices.Clone(r.Failed), func(f archiveFailure) bool { return f.Code == "" }))
	switch {
	case len(r.Failed) > licences:
		return fmt.Errorf("%d 种目录、%d 张证照未归档", len(r.Failed)-licences, licences)
	case licences > 0:
		return fmt.Errorf("%d 张证照未归档", licences)
	case len(r.Items) == 0:
		return errors.New("没有可以归档的目录：应用须有归档需求（archive），账户须有 archivist 角色，并限于该事项")
	}
	return nil
}

// print tells the outcome. where: to say where it is.
func (r *archiveResult) print(cmd *cobra.Command, where bool) error {
	if asJSON(cmd) {
		return printJSON(cmd, r)
	}
	out := cmd.OutOrStdout()
	for _, i := range r.Items {
		fmt.Fprintf(out, "目录 %s：共 %d 张，新归档 %d 张，已有 %d 张，未归档 %d 张\n", i.Item, i.Total, i.Archived, i.Present, i.Total-i.Archived-i.Present)
	}
	for _, f := range r.Failed {
		what := "目录 " + f.Item
		if f.Code != "" {
			what = "证照 " + f.Code
		}
		fmt.Fprintln(out, printable(fmt.Sprintf("未归档 %s：代码 %s：%s，应答标识 %s", what, f.ErrorCode, f.Message, f.ResponseID)))
	}
	switch {
	case where:
		fmt.Fprintln(out, "归档在 "+r.Out)
	case len(r.Failed) == 0 && r.Archived+r.Present == 0:
		fmt.Fprintln(out, "没有符合条件的证照，没有建立 "+r.Out)
	}
	return nil
}

// checkItemCodes refuses what can't be a catalogue code.
func checkItemCodes(items []string) error {
	for _, item := range items {
		if _, ok := licence.ParseItemCode(item); !ok {
			return usageError(fmt.Sprintf("目录编码 %q 不对：须为 9、15 或 24 位数字与大写字母", item))
		}
	}
	return nil
}
