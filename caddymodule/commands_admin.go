package caddymodule

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"licgate/beijing"
)

func administratorCommands(cmd *cobra.Command) {
	login := &cobra.Command{
		Use: "login ADMINISTRATOR", Short: "登录：此后的命令以该管理员的身份执行",
		Long: "口令从终端读取，不回显；非交互时用 --password-file 或标准输入给出。令牌存入用户配置目录（权限 0600），闲置 15 分钟或满 8 小时失效。",
	}
	gatewayFlags(login)
	passwordFlag(login)
	run(login, cobra.ExactArgs(1), adminLoginCommand)

	logout := &cobra.Command{Use: "logout", Short: "退出登录"}
	gatewayFlags(logout)
	run(logout, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		address, _ := cmd.Flags().GetString("address")
		_, err := call(cmd, http.MethodPost, "administrators/logout", nothing{}, nil)
		return errors.Join(err, saveToken(address, ""))
	})

	me := &cobra.Command{Use: "whoami", Short: "显示以谁的身份操作"}
	gatewayFlags(me)
	run(me, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		var self adminSelf
		if _, err := call(cmd, http.MethodGet, "administrators/me", nil, &self); err != nil {
			return err
		}
		if asJSON(cmd) {
			if err := printJSON(cmd, self); err != nil {
				return err
			}
		}
		switch {
		case self.Separated && self.Administrator == "":
			return errors.New("尚未登录：licgate admin login 管理员名")
		case asJSON(cmd):
		case !self.Separated:
			fmt.Fprintln(cmd.OutOrStdout(), "尚未启用三员分立：能连上管理端点的人拥有全部权力。请在 platform.yaml 中声明 administrators")
		default:
			fmt.Fprintf(cmd.OutOrStdout(), "%s（%s）\n", self.Administrator, powerNames[power(self.Role)])
		}
		return nil
	})

	password := &cobra.Command{Use: "password ADMINISTRATOR", Short: "更换本人口令"}
	gatewayFlags(password)
	passwordFlag(password)
	run(password, cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
		lines, err := askPasswords(cmd, "原口令", "新口令")
		if err != nil {
			return err
		}
		_, err = call(cmd, http.MethodPost, "administrators/password", adminPassword{args[0], lines[0], lines[1]}, nil)
		if err == nil {
			fmt.Fprintln(cmd.OutOrStdout(), "口令已更换，请重新登录")
		}
		return err
	})

	objects := objectCommands("administrators", "ADMINISTRATOR", "管理员", listAdministrators,
		objectAction{"disable", "停用管理员并立即结束其登录"}, objectAction{"enable", "启用管理员（须另一名管理员批准）"},
		objectAction{"reset-password", "重新生成管理员口令（须另一名管理员批准，新口令显示给批准人）"})
	group(cmd, append([]*cobra.Command{login, logout, me, password}, objects...)...)
}

func listAdministrators(cmd *cobra.Command) error {
	return printTable(cmd, "administrators", "管理员\t姓名\t角色\t状态\t口令设置于"+beijing.Label, func(r administratorRow) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", r.Administrator, r.Name, powerNames[power(r.Role)], stateText(r.Disabled, false), r.PasswordTime)
	})
}

func adminLoginCommand(cmd *cobra.Command, args []string) error {
	lines, err := askPasswords(cmd, "口令")
	if err != nil {
		return err
	}
	address, _ := cmd.Flags().GetString("address")
	var s adminSession
	if _, err := call(cmd, http.MethodPost, "administrators/login", adminLogin{args[0], lines[0]}, &s); err != nil {
		return err
	}
	if err := saveToken(address, s.Token); err != nil {
		return err
	}
	if asJSON(cmd) {
		s.Token = ""
		return printJSON(cmd, s)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "已登录：%s（%s），至 %s\n", s.Administrator, powerNames[power(s.Role)], beijing.Labelled(s.Expires))
	return nil
}

func passwordFlag(cmd *cobra.Command) {
	cmd.Flags().String("password-file", "", "从此文件读口令，每行一个（权限须为 0600）；默认从终端或标准输入读")
}

// askPasswords reads passwords: never from the arguments, which other users see.
func askPasswords(cmd *cobra.Command, prompts ...string) ([]string, error) {
	path, _ := cmd.Flags().GetString("password-file")
	return askSecrets(cmd, "口令", path, prompts...)
}

// askSecrets reads a line for each prompt: from a private file when there is a path, else from the terminal, unseen, or standard input.
func askSecrets(cmd *cobra.Command, what, path string, prompts ...string) ([]string, error) {
	if path != "" {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("读不到%s文件：%w", what, err)
		}
		if info.Mode().Perm()&openToOthers != 0 {
			return nil, fmt.Errorf("%s文件权限为 %o，其他用户可读；请执行 chmod 600 %s", what, info.Mode().Perm(), path)
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("读不到%s文件：%w", what, err)
		}
		defer f.Close()
		return readLines(f, what, len(prompts))
	}
	if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
		var all []string
		for _, prompt := range prompts {
			fmt.Fprint(cmd.ErrOrStderr(), prompt+"：")
			text, err := term.ReadPassword(fd)
			fmt.Fprintln(cmd.ErrOrStderr())
			if err != nil {
				return nil, fmt.Errorf("读%s：%w", what, err)
			}
			all = append(all, string(text))
		}
		return all, nil
	}
	return readLines(cmd.InOrStdin(), what, len(prompts))
}

func readLines(from io.Reader, what string, n int) ([]string, error) {
	var all []string
	for lines := bufio.NewScanner(from); len(all) < n && lines.Scan(); {
		all = append(all, lines.Text())
	}
	if len(all) < n {
		return nil, usageError(fmt.Sprintf("没有读到%s：需要 %d 行，每行一个", what, n))
	}
	return all, nil
}

// tokenFile is where the tokens of administrators' logins are kept, by admin endpoint.
func tokenFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("没有用户配置目录：%w", err)
	}
	return filepath.Join(dir, "licgate", "admin.json"), nil
}

func savedTokens() (map[string]string, string, error) {
	path, err := tokenFile()
	if err != nil {
		return nil, "", err
	}
	tokens := map[string]string{}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return tokens, path, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &tokens)
	}
	return tokens, path, err
}

// endpoint names an admin endpoint wherever the command is run.
func endpoint(address string) string {
	address, _, _ = strings.Cut(address, "|") // the socket's mode
	if path, ok := strings.CutPrefix(address, "unix/"); ok {
		if whole, err := filepath.Abs(path); err == nil {
			return "unix/" + whole
		}
	}
	return address
}

// savedToken is the token for an endpoint, "" for none. A file that can't be read is none: the gateway asks to log in.
func savedToken(address string) string {
	tokens, _, _ := savedTokens()
	return tokens[endpoint(address)]
}

// saveToken keeps a token, or drops it: renamed into place, so that a crash leaves the old file or the new one.
func saveToken(address, token string) error {
	tokens, path, err := savedTokens()
	if path == "" {
		return err
	}
	if err != nil {
		tokens = map[string]string{}
	}
	if tokens[endpoint(address)] = token; token == "" {
		delete(tokens, endpoint(address))
	}
	text, err := json.Marshal(tokens)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("不能保存登录：%w", err)
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("不能保存登录：%w", err)
	}
	return os.Rename(path+".new", path)
}
