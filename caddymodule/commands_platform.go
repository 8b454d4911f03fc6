package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"licgate/registry"
)

const applyHelp = `把 platform.yaml 声明的平台提交给正在运行的网关。

文件中出现的各节（departments、items、service_items、applications、accounts、administrators、masking、policy）是该节的全部内容：
文件里没有的对象会被删除；未出现的节保持不变。先显示差异，整份文件要么全部生效，要么完全不生效；
重复提交同一文件没有任何变化。未写 secret、password 的新对象由网关生成，只显示这一次。`

func applyCommand(cmd *cobra.Command) {
	gatewayFlags(cmd)
	cmd.Flags().StringP("file", "f", "", "platform.yaml；- 表示标准输入")
	cmd.Flags().Bool("dry-run", false, "只显示差异，不生效")
	changeFlags(cmd)
	_ = cmd.MarkFlagFilename("file", "yaml", "yml")
	run(cmd, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		text, err := checkedFile(cmd, "平台文件", registry.Parse)
		if err != nil {
			return err
		}
		dry, _ := cmd.Flags().GetBool("dry-run")
		return submit(cmd, "registry/apply", &applyRequest{File: text, changeRequest: changeRequest{DryRun: dry}})
	})
}

// checkedFile reads the file that -f names. A fault is told before anything is sent, with the file's own lines.
func checkedFile[T any](cmd *cobra.Command, what string, parse func([]byte) (T, error)) (string, error) {
	path, _ := cmd.Flags().GetString("file")
	if path == "" {
		return "", usageError("请用 -f 指定" + what)
	}
	text, err := readFile(cmd, path)
	if err != nil {
		return "", err
	}
	if _, err := parse(text); err != nil {
		return "", fmt.Errorf("%s 有误：\n%w", path, err)
	}
	return string(text), nil
}

func readFile(cmd *cobra.Command, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("读不到文件：%w", err)
	}
	return text, nil
}

// appliedAnswer is applied as it comes over the admin endpoint.
type appliedAnswer struct {
	Changes   []registry.Change    `json:"changes"`
	Generated []registry.Generated `json:"generated,omitempty"`
	Version   int64                `json:"version"`
	Pending   int64                `json:"pending,omitempty"`
	Secrets   bool                 `json:"secrets,omitempty"`
	Classes   []string             `json:"classes,omitempty"`
	DryRun    bool                 `json:"dry_run,omitempty"`
	Warnings  []string             `json:"warnings,omitempty"`
}

// changeFlags are those of every command that makes a new version.
func changeFlags(cmd *cobra.Command) {
	cmd.Flags().String("why", "", "变更原因，记入策略历史")
	cmd.Flags().Int64("if-match", 0, "仅当现行策略版本为此值时才生效")
	cmd.Flags().Bool("force", false, "允许清空策略、使安全管理员全部失效或不符合命名判定（记入审计）")
	cmd.Flags().String("secrets-out", "", "把新生成的密钥与口令写入此文件（权限 0600，不得已存在；没有新生成的就不建立）")
}

// changing is the body of a call that makes a version.
type changing interface{ changeOf() *changeRequest }

func (q *changeRequest) changeOf() *changeRequest { return q }

// submit sends a change, shows the difference, and hands over what was generated.
func submit(cmd *cobra.Command, path string, body changing) error {
	q := body.changeOf()
	q.Why, _ = cmd.Flags().GetString("why")
	q.Force, _ = cmd.Flags().GetBool("force")
	return deliver(cmd, path, body, q.DryRun)
}

// deliver sends what makes a version, and hands over what was generated.
func deliver(cmd *cobra.Command, path string, body any, dryRun bool) error {
	out, _ := cmd.Flags().GetString("secrets-out")
	var secrets *outputFile
	if out != "" && !dryRun {
		// Begun first: what is shown once must have a place to go.
		var err error
		if secrets, err = newOutput(out); err != nil {
			return err
		}
		defer secrets.drop()
	}
	var done appliedAnswer
	if _, err := call(cmd, http.MethodPost, path, body, &done); err != nil {
		return err
	}
	if secrets != nil && len(done.Generated) > 0 {
		if err := writeSecrets(secrets, done.Generated); err != nil {
			return fmt.Errorf("变更已生效，但密钥文件写入失败，请用 reset-secret / reset-password 重新生成：%w", err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%d 个密钥与口令写入 %s\n", len(done.Generated), out)
		done.Generated = nil
	}
	for _, text := range done.Warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "警告："+text)
	}
	if asJSON(cmd) {
		return printJSON(cmd, done)
	}
	printApplied(cmd.OutOrStdout(), done)
	return nil
}

// printChanges lists changes; below an added or removed object stands what it holds.
func printChanges(w io.Writer, changes []registry.Change) {
	for _, c := range changes {
		fmt.Fprintln(w, c)
		if c.Detail != "" {
			fmt.Fprintln(w, "      "+c.Detail)
		}
	}
}

func printApplied(w io.Writer, done appliedAnswer) {
	printChanges(w, done.Changes)
	switch {
	case done.Pending > 0:
		who := "另一名安全管理员"
		if registry.Administrative(done.Changes) {
			who = "另一名管理员（系统、安全、审计均可）"
		}
		fmt.Fprintf(w, "共 %d 项变更（%s），尚未生效，须由%s批准：%s\n", len(done.Changes), classText(done.Classes), who, approvalHint(done))
	case len(done.Changes) == 0:
		fmt.Fprintf(w, "没有变化，策略版本仍为 %d\n", done.Version)
	case done.DryRun:
		fmt.Fprintf(w, "共 %d 项变更（预演，未生效）\n", len(done.Changes))
	default:
		fmt.Fprintf(w, "共 %d 项变更，已生效，策略版本 %d\n", len(done.Changes), done.Version)
	}
	if len(done.Generated) > 0 {
		fmt.Fprintln(w, "\n以下密钥与口令只显示这一次，请妥善保管：")
		for _, g := range done.Generated {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", g.Kind, g.Key, g.Value)
		}
	}
}

// approvalHint is the command that approves what waits now; who runs it gets the secrets that are made then, once.
func approvalHint(done appliedAnswer) string {
	hint := fmt.Sprintf("licgate policy approve %d", done.Pending)
	if done.Secrets {
		hint += " --secrets-out FILE"
	}
	return hint
}

// classText names the classes of changes.
func classText(classes []string) string {
	var names []string
	for _, class := range classes {
		names = append(names, registry.ClassNames[class])
	}
	return strings.Join(names, "、")
}

func writeSecrets(f *outputFile, generated []registry.Generated) error {
	e := json.NewEncoder(f)
	e.SetIndent("", "  ")
	if err := e.Encode(generated); err != nil {
		return err
	}
	return f.place()
}

func exportCommand(cmd *cobra.Command) {
	gatewayFlags(cmd)
	run(cmd, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		text, err := call(cmd, http.MethodGet, "registry/export", nil, nil)
		if err != nil {
			return err
		}
		if asJSON(cmd) {
			p, err := registry.Parse(text)
			if err != nil {
				return err
			}
			return printJSON(cmd, p)
		}
		_, err = cmd.OutOrStdout().Write(text)
		return err
	})
}

func credentialCommand(cmd *cobra.Command) {
	gatewayFlags(cmd)
	var q credentialRequest
	cmd.Flags().StringVar(&q.Identity, "identity", "", "持证人证件号码")
	cmd.Flags().StringVar(&q.Code, "code", "", "持证主体代码类型（GB/T 36903），默认 111")
	cmd.Flags().StringVar(&q.TTL, "ttl", "10m", "有效时长")
	run(cmd, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		if q.Identity == "" {
			return usageError("缺少 --identity")
		}
		var answer map[string]string
		if _, err := call(cmd, http.MethodPost, "credential", q, &answer); err != nil {
			return err
		}
		if asJSON(cmd) {
			return printJSON(cmd, answer)
		}
		fmt.Fprintln(cmd.OutOrStdout(), answer["credential"])
		return nil
	})
}
