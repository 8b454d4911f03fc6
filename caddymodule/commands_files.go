package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"licgate/beijing"
	"licgate/render"
	"licgate/seal"
)

const verifyHelp = `核验归档的电子文件（PDF、OFD）：是否完整、由谁何时签章、证书是否可信；网关在运行时另查询证照现在的状态。
信任的证书取自 <data>/seal-roots.pem，或 --roots 指明的文件（由平台提供给第三方）。
退出码：0 完整可信且证照有效（或未能查询状态），1 不是如此，2 用法错误。`

// verdict is what is found of one file.
type verdict struct {
	File  string `json:"file"`
	Good  bool   `json:"good"`  // whole, and all who signed are trusted
	Whole bool   `json:"whole"` // nothing was changed after signing
	// Alterations and the faults of signatures say why not.
	Alterations []string        `json:"alterations,omitempty"`
	Signatures  []signedBy      `json:"signatures,omitempty"`
	Licence     string          `json:"licence,omitempty"`  // its 证照编码, by the file
	Standing    *standingAnswer `json:"standing,omitempty"` // as the gateway has it now; none: it could not be asked
	Unasked     string          `json:"unasked,omitempty"`  // why not
}

type signedBy struct {
	Kind       string    `json:"kind"` // seal (GB/T 38540) or cms
	Name       string    `json:"name"`
	SealCode   string    `json:"seal_code,omitempty"`
	Department string    `json:"department,omitempty"`
	At         time.Time `json:"at"`
	Proven     bool      `json:"proven"` // the time, by a time-stamp
	Trusted    bool      `json:"trusted"`
	Faults     []string  `json:"faults,omitempty"`
}

func verifyCommand(cmd *cobra.Command) {
	gatewayFlags(cmd)
	dataFlag(cmd)
	cmd.Flags().String("roots", "", "信任的证书（PEM），默认 <data>/seal-roots.pem")
	cmd.Flags().Bool("offline", false, "不查询证照现在的状态")
	run(cmd, cobra.MinimumNArgs(1), func(cmd *cobra.Command, paths []string) error {
		roots, err := verifyRoots(cmd)
		if err != nil {
			return err
		}
		bad := 0
		verdicts := make([]verdict, 0, len(paths))
		for _, path := range paths {
			v, err := verifyFile(cmd, path, roots)
			if err != nil {
				return err
			}
			if !v.Good || v.Standing != nil && v.Standing.Status != "ISSUED" {
				bad++
			}
			verdicts = append(verdicts, v)
		}
		if asJSON(cmd) {
			if err := printJSON(cmd, verdicts); err != nil {
				return err
			}
		} else {
			for _, v := range verdicts {
				printVerdict(cmd.OutOrStdout(), v)
			}
		}
		if bad > 0 {
			return fmt.Errorf("%d 个文件未通过核验", bad)
		}
		return nil
	})
}

func verifyRoots(cmd *cobra.Command) (seal.Roots, error) {
	path, _ := cmd.Flags().GetString("roots")
	if path == "" {
		data, _ := cmd.Flags().GetString("data")
		path = filepath.Join(data, sealRoots)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return seal.Roots{}, fmt.Errorf("没有 %s：请用 --data 指明网关的数据目录，或用 --roots 指明平台提供的证书", path)
	}
	if err != nil {
		return seal.Roots{}, err
	}
	roots, err := seal.ParseRoots(text)
	if err != nil || len(roots.CAs) == 0 {
		return seal.Roots{}, fmt.Errorf("%s 不是证书（PEM）文件：%w", path, errors.Join(err))
	}
	return roots, nil
}

// maxVerified bounds a file that is verified: it is held in memory.
const maxVerified = 256 << 20

func verifyFile(cmd *cobra.Command, path string, roots seal.Roots) (verdict, error) {
	f, err := os.Open(path)
	if err != nil {
		return verdict{}, err
	}
	defer f.Close()
	file, err := io.ReadAll(io.LimitReader(f, maxVerified+1))
	if err != nil {
		return verdict{}, err
	}
	if len(file) > maxVerified {
		return verdict{}, fmt.Errorf("%s 超过 %d MiB，不是归档的证照文件", path, maxVerified>>20)
	}
	found, err := seal.Verify(file, roots)
	if err != nil {
		return verdict{}, fmt.Errorf("%s 不是可以核验的 PDF 或 OFD 文件：%w", path, err)
	}
	v := verdict{File: path, Good: found.Good(), Whole: found.Whole}
	for _, a := range found.Alterations {
		v.Alterations = append(v.Alterations, printable(a.Text()))
	}
	for _, s := range found.Signatures {
		by := signedBy{
			Kind: s.Kind, Name: printable(s.Name), SealCode: printable(s.SealCode), Department: printable(s.Department), At: s.When(), Proven: !s.Stamped.IsZero(), Trusted: s.Trusted,
		}
		for _, fault := range s.Faults {
			by.Faults = append(by.Faults, fault.Text())
		}
		v.Signatures = append(v.Signatures, by)
	}
	if !v.Good {
		return v, nil // its word about the licence is worth nothing
	}
	v.Licence = render.CodeOf(file)
	if offline, _ := cmd.Flags().GetBool("offline"); offline || v.Licence == "" {
		return v, nil
	}
	v.Standing = new(standingAnswer)
	// Only a gateway that can't be asked leaves the question open: one that knows no such licence has answered.
	if _, err := call(cmd, http.MethodPost, "licences/standing", standingQuestion{Licence: v.Licence}, v.Standing); err != nil {
		v.Standing = nil
		v.Unasked, _, _ = strings.Cut(err.Error(), "\n")
	}
	return v, nil
}

func printVerdict(w io.Writer, v verdict) {
	word := "未通过"
	switch {
	case v.Good:
		word = "完整，签章可信"
	case v.Whole:
		word = "完整，但签章不可信"
	case len(v.Signatures) > 0:
		word = "已被改动"
	}
	fmt.Fprintf(w, "%s：%s\n", v.File, word)
	for _, a := range v.Alterations {
		fmt.Fprintf(w, "  %s\n", a)
	}
	for _, s := range v.Signatures {
		kind := "电子印章"
		if s.Kind == seal.KindCMS {
			kind = "数字签名"
		}
		at := beijing.Labelled(s.At)
		if !s.Proven {
			at += "（未经时间戳证明）"
		}
		fmt.Fprintf(w, "  %s：%s %s  %s", kind, s.Name, s.SealCode, at)
		if len(s.Faults) > 0 {
			fmt.Fprintf(w, "  %s", strings.Join(s.Faults, "；"))
		}
		fmt.Fprintln(w)
	}
	switch {
	case v.Standing != nil:
		fmt.Fprintf(w, "  证照 %s\n", standingText(v.Licence, v.Standing))
	case v.Licence != "":
		fmt.Fprintf(w, "  证照 %s：未查询现在的状态", v.Licence)
		if v.Unasked != "" {
			fmt.Fprintf(w, "（%s）", v.Unasked)
		}
		fmt.Fprintln(w)
	}
}

// standingText says how a licence stands. Of one that is not there nothing more is known.
func standingText(code string, s *standingAnswer) string {
	text := code
	if s.Name != "" {
		text += "（" + s.Name + "）"
	}
	text += "：" + statusNames[s.Status]
	if s.Issuer != "" {
		text += "，颁发机构 " + s.Issuer
	}
	if s.Validity != "" {
		text += "，有效期 " + s.Validity
	}
	return text
}

// statusNames are the statuses of licences in Chinese.
var statusNames = map[string]string{
	"ISSUED": "有效", "EXPIRED": "已过期", "ABOLISHED": "已废止", "REGISTERED": "未签发", "": "不存在（已删除、已粉碎，或属于另一平台）",
}
