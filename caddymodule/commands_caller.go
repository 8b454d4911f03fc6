package caddymodule

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"licgate/client"
)

// caller is who calls a gateway over HTTPS, as a business system does: for the commands that run at a department.
type caller struct{ address, appKey, account, ca, secrets string }

func (c *caller) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.address, "url", "", "网关地址 API_ROOT，例如 https://zz.example.gov.cn:8443")
	f.StringVar(&c.appKey, "app-key", "", "app_key")
	f.StringVar(&c.account, "account", "", "账户")
	f.StringVar(&c.ca, "ca", "", "根证书文件（PEM）；默认用本机信任的根证书")
	f.StringVar(&c.secrets, "secrets-file", "", "密钥文件，权限须为 0600；默认提示输入或读标准输入")
	for _, name := range []string{"ca", "secrets-file"} {
		_ = cmd.MarkFlagFilename(name)
	}
}

// check finds wrong usage before anything is asked for or sent. It returns the address.
func (c *caller) check() (*url.URL, error) {
	for _, one := range []struct{ flag, value string }{{"url", c.address}, {"app-key", c.appKey}, {"account", c.account}} {
		if one.value == "" {
			return nil, usageError("缺少 --" + one.flag)
		}
	}
	root, err := url.Parse(c.address)
	if err != nil || root.Scheme != "https" || root.Hostname() == "" || root.User != nil || strings.Trim(root.Path, "/") != "" ||
		root.RawQuery != "" || root.ForceQuery || root.Fragment != "" {
		// The text is not repeated: it may hold a password.
		return nil, usageError("--url 须为 https://主机名[:端口]")
	}
	root.Path = ""
	return root, nil
}

// connect makes the client, with the secrets that are asked for now. orgCode is the department that an administrator of it acts for, or "".
func (c *caller) connect(cmd *cobra.Command, root *url.URL, timeout time.Duration, orgCode string) (*client.Client, error) {
	if _, err := client.TLSConfig(c.ca); err != nil {
		return nil, usageError(fmt.Sprintf("--ca：%v", err))
	}
	appSecret, password, err := c.credentials(cmd)
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{URL: root.String(), CAFile: c.ca, Timeout: timeout, Credentials: client.Credentials{
		AppKey: c.appKey, AppSecret: appSecret, Account: c.account, Password: password, OrgCode: orgCode,
	}})
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// credentials finds app_secret and password, never in the arguments or the environment, which other users can read.
func (c *caller) credentials(cmd *cobra.Command) (appSecret, password client.Secret, err error) {
	in := cmd.InOrStdin()
	switch {
	case c.secrets != "":
		return c.readSecrets()
	case isTerminal(in):
		var given []client.Secret
		if given, err = askHidden(cmd, in.(*os.File), "app_secret（"+c.appKey+"）：", "口令（"+c.account+"）："); err == nil {
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
func (c *caller) readSecrets() (appSecret, password client.Secret, err error) {
	f, err := os.Open(c.secrets)
	if err != nil {
		return appSecret, password, usageError(fmt.Sprintf("读不到密钥文件：%v", err))
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return appSecret, password, fmt.Errorf("密钥文件：%w", err)
	case !info.Mode().IsRegular():
		return appSecret, password, usageError(fmt.Sprintf("%s 不是普通文件", c.secrets))
	case info.Mode().Perm()&openToOthers != 0:
		return appSecret, password, usageError(fmt.Sprintf("密钥文件 %s 权限为 %04o，其他用户可访问；请执行 chmod 600 %s", c.secrets, info.Mode().Perm(), c.secrets))
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
		return appSecret, password, usageError(c.secrets + ` 不是密钥文件，须为 [{"kind":"app_secret","key":"…","value":"…"},{"kind":"password","key":"…","value":"…"}]`)
	}
	for _, one := range list {
		switch {
		case one.Kind == "app_secret" && one.Key == c.appKey:
			appSecret = one.Value
		case one.Kind == "password" && one.Key == c.account:
			password = one.Value
		}
	}
	switch {
	case appSecret.IsZero():
		return appSecret, password, usageError(fmt.Sprintf("%s 中没有应用 %s 的 app_secret", c.secrets, c.appKey))
	case password.IsZero():
		return appSecret, password, usageError(fmt.Sprintf("%s 中没有账户 %s 的口令", c.secrets, c.account))
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
