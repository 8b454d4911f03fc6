package caddymodule

import (
	"bufio"
	"context"
	"encoding/json"
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
	"golang.org/x/term"

	"licgate/client"
	"licgate/licence"
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
	f.StringVar(&o.address, "url", "", "网关地址 API_ROOT，例如 https://zz.example.gov.cn:8443")
	f.StringVar(&o.appKey, "app-key", "", "app_key")
	f.StringVar(&o.account, "account", "", "账户")
	f.StringVar(&o.ca, "ca", "", "根证书文件（PEM）；默认用本机信任的根证书")
	f.StringVar(&o.secrets, "secrets-file", "", "密钥文件，权限须为 0600；默认提示输入或读标准输入")
	f.StringArrayVar(&o.items, "item", nil, "应当能用的证照目录编码，可重复")
	f.StringArrayVar(&o.serviceItems, "service-item", nil, "应当能用的事项编码，可重复")
	f.StringArrayVar(&o.needs, "need", []string{"function_call"}, "要检查的需求，可重复："+strings.Join(provableNeeds(), "、"))
	f.Bool("json", false, "输出 JSON")
	for _, name := range []string{"ca", "secrets-file"} {
		_ = cmd.MarkFlagFilename(name)
	}
	run(cmd, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return selfcheckRun(cmd, o) })
}

type selfcheckOptions struct {
	address, appKey, account, ca, secrets string
	items, serviceItems, needs            []string
}

func provableNeeds() []string { return slices.Sorted(maps.Keys(provable)) }

// serviceItemShape is that of domain.md §4.
var serviceItemShape = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// check finds wrong usage before anything is asked for or sent.
func (o *selfcheckOptions) check() (*url.URL, error) {
	for _, one := range []struct{ flag, value string }{{"url", o.address}, {"app-key", o.appKey}, {"account", o.account}} {
		if one.value == "" {
			return nil, usageError("缺少 --" + one.flag)
		}
	}
	root, err := url.Parse(o.address)
	if err != nil || root.Scheme != "https" || root.Hostname() == "" || root.User != nil || strings.Trim(root.Path, "/") != "" ||
		root.RawQuery != "" || root.ForceQuery || root.Fragment != "" {
		// The text is not repeated: it may hold a password.
		return nil, usageError("--url 须为 https://主机名[:端口]")
	}
	root.Path = ""
	for _, item := range o.items {
		if _, ok := licence.ParseItemCode(item); !ok {
			return nil, usageError(fmt.Sprintf("目录编码 %q 不对：须为 9、15 或 24 位数字与大写字母", item))
		}
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
	appSecret, password, err := o.credentials(cmd)
	if err != nil {
		return err
	}
	c, err := client.New(client.Config{URL: root.String(), CAFile: o.ca, Timeout: stepPatience, Credentials: client.Credentials{
		AppKey: o.appKey, AppSecret: appSecret, Account: o.account, Password: password,
	}})
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

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// credentials finds app_secret and password, never in the arguments or the environment, which other users can read.
func (o *selfcheckOptions) credentials(cmd *cobra.Command) (appSecret, password client.Secret, err error) {
	in := cmd.InOrStdin()
	switch {
	case o.secrets != "":
		return o.readSecrets()
	case isTerminal(in):
		var given []client.Secret
		if given, err = askHidden(cmd, in.(*os.File), "app_secret（"+o.appKey+"）：", "口令（"+o.account+"）："); err == nil {
			appSecret, password = given[0], given[1]
		}
	default:
		appSecret, password, err = twoLines(in)
	}
	if err == nil && (appSecret.IsZero() || password.IsZero()) {
		err = usageError("app_secret 与口令不能为空；不在终端上运行时，请从标准输入给出两行，或用 --secrets-file")
	}
	return appSecret, password, err
}

// maxSecrets bounds what is read as secrets, in bytes.
const maxSecrets = 1 << 20

// readSecrets reads what `licgate apply --secrets-out` writes. A file that others may read is refused before it is read.
func (o *selfcheckOptions) readSecrets() (appSecret, password client.Secret, err error) {
	f, err := os.Open(o.secrets)
	if err != nil {
		return appSecret, password, usageError(fmt.Sprintf("读不到密钥文件：%v", err))
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return appSecret, password, fmt.Errorf("密钥文件：%w", err)
	case !info.Mode().IsRegular():
		return appSecret, password, usageError(fmt.Sprintf("%s 不是普通文件", o.secrets))
	case info.Mode().Perm()&0o077 != 0:
		return appSecret, password, usageError(fmt.Sprintf("密钥文件 %s 权限为 %04o，其他用户可访问；请执行 chmod 600 %s", o.secrets, info.Mode().Perm(), o.secrets))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecrets))
	if err != nil {
		return appSecret, password, fmt.Errorf("密钥文件：%w", err)
	}
	var list []struct {
		Kind, Key string
		Value     client.Secret
	}
	if json.Unmarshal(text, &list) != nil {
		// The cause is not repeated: it may quote a secret.
		return appSecret, password, usageError(o.secrets + ` 不是密钥文件，须为 [{"kind":"app_secret","key":"…","value":"…"},{"kind":"password","key":"…","value":"…"}]`)
	}
	for _, one := range list {
		switch {
		case one.Kind == "app_secret" && one.Key == o.appKey:
			appSecret = one.Value
		case one.Kind == "password" && one.Key == o.account:
			password = one.Value
		}
	}
	switch {
	case appSecret.IsZero():
		return appSecret, password, usageError(fmt.Sprintf("%s 中没有应用 %s 的 app_secret", o.secrets, o.appKey))
	case password.IsZero():
		return appSecret, password, usageError(fmt.Sprintf("%s 中没有账户 %s 的口令", o.secrets, o.account))
	}
	return appSecret, password, nil
}

// twoLines reads app_secret and password from a pipe.
func twoLines(in io.Reader) (appSecret, password client.Secret, err error) {
	lines := bufio.NewScanner(io.LimitReader(in, maxSecrets))
	for _, to := range []*client.Secret{&appSecret, &password} {
		if lines.Scan() {
			*to = client.NewSecret(strings.TrimSuffix(lines.Text(), "\r"))
		}
	}
	if lines.Err() != nil {
		return appSecret, password, errors.New("标准输入读不完")
	}
	return appSecret, password, nil
}

// askHidden asks on a terminal for texts that it does not show. The echo is off before the prompt is there, so that what is pasted early
// does not show either, and it comes back however the process ends.
func askHidden(cmd *cobra.Command, terminal *os.File, prompts ...string) ([]client.Secret, error) {
	fd := int(terminal.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("终端：%w", err)
	}
	defer func() { _ = term.Restore(fd, before) }()
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	defer context.AfterFunc(ctx, func() {
		_ = term.Restore(fd, before)
		os.Exit(exitFailed)
	})()
	dialogue := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{terminal, cmd.ErrOrStderr()}, "")
	var answers []client.Secret
	for _, prompt := range prompts {
		text, err := dialogue.ReadPassword(prompt)
		if err != nil { // Ctrl-C and Ctrl-D too
			return nil, errInterrupted
		}
		answers = append(answers, client.NewSecret(text))
	}
	return answers, nil
}
