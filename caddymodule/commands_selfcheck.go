package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"

	"licgate/client"
)

const selfcheckHelp = `业务系统拿到接入信息后，在自己的服务器上检查能否正常接入：网络、证书、时钟、登录、部门、目录、权限、退出。
只通过 HTTPS 调用标准接口，不使用网关的管理端点；不制作、不修改、不读取任何证照。

密钥与口令不写在命令行上，也不读取环境变量，按以下次序取得：
  --secrets-file FILE   licgate apply --secrets-out 写出的 JSON 文件，权限须为 0600
  终端                  提示输入，不回显
  标准输入              两行：app_secret、口令

每个 --service-item 都检查 --need 所列的需求（附录 A）。function_call 用不存在的证件号码检索；issue、abolish 用不存在的
证照编码试行，并要求给出 --item。归档、亮证等需求没有证照就无从检查。

退出码：0 全部通过，1 有检查未通过，2 用法不对。`

func selfcheckCommand(cmd *cobra.Command) {
	var o selfcheckOptions
	f := cmd.Flags()
	o.flags(cmd)
	f.StringArrayVar(&o.items, "item", nil, "应当能用的证照目录编码，可重复")
	f.StringArrayVar(&o.serviceItems, "service-item", nil, "应当能用的事项编码，可重复")
	f.StringArrayVar(&o.needs, "need", []string{"function_call"}, "要检查的需求，可重复："+strings.Join(provableNeeds(), "、"))
	f.Bool("json", false, "输出 JSON")
	run(cmd, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return selfcheckRun(cmd, o) })
}

type selfcheckOptions struct {
	caller
	items, serviceItems, needs []string
}

func provableNeeds() []string { return slices.Sorted(maps.Keys(provable)) }

// serviceItemShape is that of domain.md §4.
var serviceItemShape = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// check finds wrong usage before anything is asked for or sent.
func (o *selfcheckOptions) check() (*url.URL, error) {
	root, err := o.caller.check()
	if err != nil {
		return nil, err
	}
	if err := checkItemCodes(o.items); err != nil {
		return nil, err
	}
	for _, code := range o.serviceItems {
		if !serviceItemShape.MatchString(code) {
			return nil, usageError(fmt.Sprintf("事项编码 %q 不对：至多 64 个字母、数字、_ 和 -", code))
		}
	}
	for _, need := range o.needs {
		one, known := provable[need]
		switch {
		case !known:
			return nil, usageError(fmt.Sprintf("不能检查需求 %q，可用：%s", need, strings.Join(provableNeeds(), "、")))
		case one.perItem && (len(o.items) == 0 || len(o.serviceItems) == 0):
			return nil, usageError("检查需求 " + need + " 须给出 --item 和 --service-item")
		}
	}
	return root, nil
}

func selfcheckRun(cmd *cobra.Command, o selfcheckOptions) error {
	root, err := o.check()
	if err != nil {
		return err
	}
	trust, err := client.TLSConfig(o.ca)
	if err != nil {
		return usageError(fmt.Sprintf("--ca：%v", err))
	}
	c, err := o.connect(cmd, root, stepPatience, "")
	if err != nil {
		return err
	}
	s := &selfcheck{
		root: root, trust: trust, ownRoots: o.ca != "", client: c, account: o.account,
		items: unique(o.items), serviceItems: unique(o.serviceItems), needs: unique(o.needs),
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := selfcheckPrinter{out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr(), quiet: asJSON(cmd), live: isTerminal(cmd.ErrOrStderr())}
	all := s.run(ctx, p.begin, p.end)
	return o.conclude(cmd, all, ctx.Err() != nil)
}

// unique drops repetitions and keeps the order.
func unique(list []string) []string {
	var out []string
	for _, one := range list {
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}

// conclude tells the outcome. What was interrupted has not passed, whatever was found until then.
func (o *selfcheckOptions) conclude(cmd *cobra.Command, all []checked, interrupted bool) error {
	count := map[string]int{}
	for _, r := range all {
		count[r.Result]++
	}
	if asJSON(cmd) {
		if err := printJSON(cmd, struct {
			URL     string    `json:"url"`
			AppKey  string    `json:"app_key"`
			Account string    `json:"account"`
			Passed  bool      `json:"passed"`
			Checks  []checked `json:"checks"`
		}{o.address, o.appKey, o.account, count[resultFail] == 0 && !interrupted, all}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(cmd.OutOrStdout(), "通过 %d 项，未通过 %d 项，跳过 %d 项\n", count[resultPass], count[resultFail], count[resultSkip])
	}
	switch n := count[resultFail]; {
	case interrupted:
		return errInterrupted
	case n > 0:
		return fmt.Errorf("%d 项检查未通过", n)
	}
	return nil
}

var errInterrupted = errors.New("已中断")

// selfcheckPrinter shows each check as it ends, and on a terminal which one is under way.
type selfcheckPrinter struct {
	out, errs   io.Writer
	quiet, live bool
}

const eraseLine = "\r\x1b[K"

func (p selfcheckPrinter) begin(name string) {
	if p.live {
		fmt.Fprint(p.errs, eraseLine+"正在检查："+name+"…")
	}
}

func (p selfcheckPrinter) end(r checked) {
	if p.live {
		fmt.Fprint(p.errs, eraseLine)
	}
	if p.quiet {
		return
	}
	mark := map[string]string{resultPass: "通过", resultFail: "未通过", resultSkip: "跳过"}[r.Result]
	text := fmt.Sprintf("[%s] %s：%s", mark, r.Name, r.Detail)
	if r.ResponseID != "" && r.Result == resultFail {
		text += "，应答标识 " + r.ResponseID
	}
	fmt.Fprintln(p.out, printable(text))
	switch {
	case r.Remedy != "" && r.Result == resultPass:
		fmt.Fprintln(p.out, printable("    注意："+r.Remedy))
	case r.Remedy != "":
		fmt.Fprintln(p.out, printable("    处理："+r.Remedy))
	}
}

// printable drops what could steer a terminal: some of the text came over the network.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}
