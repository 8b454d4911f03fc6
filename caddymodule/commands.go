package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

const longHelp = `licgate（证照网关）是电子证照共享平台的 HTTPS 接入与访问控制网关，基于 Caddy 构建：
Caddy 的全部命令照常可用，另有下列管理命令。

常用：
  licgate run --config Caddyfile          启动网关
  licgate apply -f platform.yaml          声明部门、目录、事项、应用、账户与授权
  licgate policy explain …                解释某个调用为何允许或拒绝
  licgate policy plan -f platform.yaml    预演变更：谁会得到、失去什么
  licgate lock account NAME --reason …    立即锁定账户并结束其会话
  licgate audit verify                    校验审计记录
  licgate doctor                          检查运行环境`

// Exit codes of the commands (contract).
const (
	exitFailed = 1 // refused or failed
	exitUsage  = 2 // wrong usage
)

func init() {
	if caddy.CustomBinaryName == "" {
		caddy.CustomBinaryName = "licgate"
	}
	if caddy.CustomLongDescription == "" {
		caddy.CustomLongDescription = longHelp
	}
	if caddy.CustomVersion == "" {
		caddy.CustomVersion = "licgate " + productVersion() + ", Caddy" // `licgate version` puts Caddy's own behind it
	}
	for _, c := range []caddycmd.Command{
		{Name: "apply", Usage: "-f FILE [--dry-run] [--secrets-out FILE] [--why TEXT]", Short: "声明平台：部门、目录、事项、应用、账户与授权", Long: applyHelp, CobraFunc: applyCommand},
		{Name: "export", Short: "以 platform.yaml 格式导出平台声明（不含任何密钥、口令与证件号码）", CobraFunc: exportCommand},
		{Name: "policy", Usage: "explain | who | history | diff | plan | test | pending | approve | reject | rollback", Short: "解释判定、查看权利与历史、预演、审批、回滚", CobraFunc: policyCommands},
		{Name: "onboard", Usage: "-f FILE [--dry-run]", Short: "提交接入申请表（附录 A），起草授权并预演", CobraFunc: onboardCommand},
		{Name: "app", Usage: "list | disable | enable | reset-secret | rotate-secret", Short: "管理应用", CobraFunc: applicationCommands},
		{Name: "account", Usage: "list | disable | enable | reset-password", Short: "管理账户", CobraFunc: accountCommands},
		{Name: "admin", Usage: "login | logout | whoami | password | list | disable | enable | reset-password", Short: "管理员（三员）登录与管理", CobraFunc: administratorCommands},
		{Name: "lock", Usage: "KIND KEY --reason TEXT [--for 24h] | list", Short: "立即锁定应用、账户、部门、目录或地址", CobraFunc: lockCommand},
		{Name: "unlock", Usage: "KIND KEY", Short: "解除锁定，并清除账户或地址的登录失败", CobraFunc: unlockCommand},
		{Name: "session", Usage: "list | end", Short: "查看与结束会话", CobraFunc: sessionCommands},
		{Name: "audit", Usage: "verify | export | search | tail | prove | checkpoint | retire", Short: "校验、导出、检索与证明审计记录（多数在网关停止时也可用）", CobraFunc: auditCommands},
		{Name: "keys", Usage: "status | rotate | rewrap | shred | approve | reject", Short: "查看、轮换、粉碎数据密钥，审批粉碎", CobraFunc: keysCommands},
		{Name: "verify", Usage: "FILE… [--roots FILE] [--offline]", Short: "核验归档的 PDF、OFD 文件", Long: verifyHelp, CobraFunc: verifyCommand},
		{Name: "check", Usage: "CODE|URL", Short: "核验证照页面或电子文件上的二维码", CobraFunc: checkCommand},
		{Name: "credential", Usage: "--identity ID [--code CODE] [--ttl 10m]", Short: "签发开发用实名凭据（仅当配置允许）", CobraFunc: credentialCommand},
		{Name: "render", Usage: "preview | templates | template", Short: "检查、预览证面模板，列出随程序提供的模板", CobraFunc: renderCommands},
		{Name: "doctor", Usage: "[--integrity]", Short: "检查数据目录、密钥、存储、审计与站点证书", CobraFunc: doctorCommand},
		{Name: "selfcheck", Usage: "--url https://HOST:PORT --app-key KEY --account NAME [--ca FILE] [--secrets-file FILE] [--item CODE]… [--service-item CODE]…", Short: "业务系统一侧的接入自检", Long: selfcheckHelp, CobraFunc: selfcheckCommand},
		{Name: "archive", Usage: "export", Short: "业务系统一侧：成批归档本部门签发的证照", CobraFunc: archiveCommands},
	} {
		fill := c.CobraFunc
		c.CobraFunc = func(cmd *cobra.Command) {
			fill(cmd)
			cmd.SetHelpTemplate(cmd.HelpTemplate()) // without Caddy's foot, which leads to documentation of other commands
		}
		caddycmd.RegisterCommand(c)
	}
}

// run turns a function into what Cobra calls. Wrong flags and arguments exit with 2, refusals and failures with 1; the text goes to
// standard error, so that --json output stays clean.
func run(cmd *cobra.Command, args cobra.PositionalArgs, f func(cmd *cobra.Command, args []string) error) {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		exit(cmd, exitUsage, errors.New("选项有误："+flagFault(err)))
		return nil
	})
	cmd.Args = func(cmd *cobra.Command, given []string) error {
		if err := args(cmd, given); err != nil {
			exit(cmd, exitUsage, fmt.Errorf("参数个数不对：用法 %s", cmd.UseLine()))
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, given []string) error {
		if err := f(cmd, given); err != nil {
			var wrong usageError
			if errors.As(err, &wrong) {
				exit(cmd, exitUsage, err)
			}
			exit(cmd, exitFailed, err)
		}
		return nil
	}
}

// usageError is a wrong call, found after the flags were parsed.
type usageError string

func (e usageError) Error() string { return string(e) }

func exit(cmd *cobra.Command, code int, err error) {
	fmt.Fprintf(cmd.ErrOrStderr(), "%s：%s\n", cmd.CommandPath(), withoutSystemWords(err))
	if code == exitUsage {
		fmt.Fprintf(cmd.ErrOrStderr(), "运行 %s --help 查看用法\n", cmd.CommandPath())
	}
	os.Exit(code)
}

// group makes a command that only holds others: called alone, or with a word it does not know, it is wrong usage.
func group(cmd *cobra.Command, children ...*cobra.Command) {
	cmd.AddCommand(children...)
	run(cmd, cobra.ArbitraryArgs, func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, c := range children {
			names = append(names, c.Name())
		}
		if len(args) > 0 {
			return usageError(fmt.Sprintf("没有子命令 %q，可用：%s", args[0], strings.Join(names, "、")))
		}
		return usageError("需要子命令：" + strings.Join(names, "、"))
	})
}

// gatewayFlags are those of every command that talks to the running gateway.
func gatewayFlags(cmd *cobra.Command) {
	cmd.Flags().String("address", os.Getenv("LICGATE_ADMIN"), "网关管理端点（默认取环境变量 LICGATE_ADMIN）")
	cmd.Flags().Bool("json", false, "输出 JSON")
}

// send sends one admin request in the name of who logged in.
func send(cmd *cobra.Command, method, path string, body any) (*http.Response, error) {
	address, _ := cmd.Flags().GetString("address")
	header := http.Header{"Licgate-Operator": {whoami()}}
	if f := cmd.Flags().Lookup("if-match"); f != nil && f.Value.String() != "0" {
		header.Set("If-Match", strconv.Quote(f.Value.String()))
	}
	if token := savedToken(address); token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	var payload io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		payload = bytes.NewReader(encoded)
	}
	resp, err := caddycmd.AdminAPIRequest(address, method, adminRoot+path, header, payload)
	if err != nil {
		text := err.Error()
		if resp == nil && !strings.Contains(text, "HTTP") {
			return nil, unreachable(address, err)
		}
		if strings.Contains(text, "HTTP 401") {
			return nil, needsLogin{adminText(text)}
		}
		return nil, errors.New(adminText(text))
	}
	return resp, nil
}

// call sends one admin request and decodes the answer into out (nil: raw bytes are returned).
func call(cmd *cobra.Command, method, path string, body, out any) ([]byte, error) {
	resp, err := send(cmd, method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("读取网关应答：%w", err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			return nil, fmt.Errorf("网关应答无法解析：%w", err)
		}
	}
	return answer, nil
}

// needsLogin is the gateway's answer to a call that an administrator must log in for, and did not.
type needsLogin struct{ text string }

func (e needsLogin) Error() string { return e.text }

// errUnreachable says that nobody answered at the admin endpoint.
var errUnreachable = errors.New("连不上网关管理端点")

// unreachable says why nobody answered at an admin address, and what to do. Caddy's client tells the cause as text alone, so a socket is
// asked again.
func unreachable(address string, err error) error {
	path := adminSocketPath(address)
	if path == "" {
		return fmt.Errorf("%w %s：网关在运行吗？（licgate run --config Caddyfile）\n%w", errUnreachable, address, err)
	}
	path, again := filepath.Abs(path)
	if again == nil {
		var conn net.Conn
		if conn, again = net.Dial("unix", path); again == nil {
			_ = conn.Close()
		}
	}
	switch {
	case errors.Is(again, fs.ErrNotExist):
		return fmt.Errorf("%w %s：没有这个文件。网关没有在运行；或本命令的 LICGATE_DATA、LICGATE_ADMIN 与网关的不同；或它们是相对路径，而本命令不在网关的工作目录中执行", errUnreachable, path)
	case errors.Is(again, fs.ErrPermission):
		return fmt.Errorf("%w %s：没有权限，请以运行网关的系统用户或 root 执行", errUnreachable, path)
	case errors.Is(again, syscall.ECONNREFUSED):
		return fmt.Errorf("%w %s：网关没有在运行，这个文件是它上次留下的", errUnreachable, path)
	}
	return fmt.Errorf("%w %s：%w", errUnreachable, path, err)
}

// adminText takes the message out of what the admin client makes of an error answer.
func adminText(text string) string {
	if i := strings.Index(text, "{"); i >= 0 {
		var body struct {
			Error string `json:"error"`
		}
		if json.Unmarshal([]byte(text[i:]), &body) == nil && body.Error != "" {
			return body.Error
		}
	}
	return text
}

// printJSON writes v, indented, to standard output.
func printJSON(cmd *cobra.Command, v any) error {
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func asJSON(cmd *cobra.Command) bool {
	yes, _ := cmd.Flags().GetBool("json")
	return yes
}

// whoami names who runs a command, for the record.
func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "admin"
}

// dataFlag is for commands that read the data folder themselves.
func dataFlag(cmd *cobra.Command) {
	data := os.Getenv("LICGATE_DATA")
	if data == "" {
		data = "./data"
	}
	cmd.Flags().String("data", data, "数据目录（默认取环境变量 LICGATE_DATA）")
}

func auditDir(cmd *cobra.Command) string {
	data, _ := cmd.Flags().GetString("data")
	return filepath.Join(data, "audit")
}
