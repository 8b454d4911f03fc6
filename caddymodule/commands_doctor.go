package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"licgate/audit"
	"licgate/store"
)

// finding is one line of the doctor's report.
type finding struct {
	Check string `json:"check"`
	// OK is false for what is wrong, and makes the exit code 1. What was not looked at is not wrong, and not well either: Result tells them
	// apart.
	OK     bool   `json:"ok"`
	Result string `json:"result"` // pass, fail, skip
	Detail string `json:"detail"`
}

// lowDisk is below how many free bytes the doctor warns: the journal refuses answers once it can't write.
const lowDisk = 1 << 30

func doctorCommand(cmd *cobra.Command) {
	gatewayFlags(cmd)
	dataFlag(cmd)
	cmd.Flags().Bool("integrity", false, "另核对数据库每份证照、每个策略版本与登记的校验码（数据多时需要一些时间）")
	run(cmd, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		var d diagnosis
		d.diagnose(cmd)
		count := map[string]int{}
		var unchecked []string
		for _, f := range d {
			count[f.Result]++
			if f.Result == resultSkip {
				unchecked = append(unchecked, f.Check)
			}
		}
		if asJSON(cmd) {
			if err := printJSON(cmd, d); err != nil {
				return err
			}
		} else {
			marks := map[string]string{resultPass: "正常", resultFail: "异常", resultSkip: "未查"}
			out := cmd.OutOrStdout()
			for _, f := range d {
				fmt.Fprintf(out, "[%s] %s：%s\n", marks[f.Result], f.Check, f.Detail)
			}
			fmt.Fprintf(out, "正常 %d 项，不正常 %d 项，未查 %d 项", count[resultPass], count[resultFail], count[resultSkip])
			if len(unchecked) > 0 {
				fmt.Fprintf(out, "：%s", strings.Join(unchecked, "、"))
			}
			fmt.Fprintln(out)
		}
		if bad := count[resultFail]; bad > 0 {
			return fmt.Errorf("%d 项检查未通过", bad)
		}
		return nil
	})
}

// diagnosis is the doctor's report.
type diagnosis []finding

func (d *diagnosis) add(check string, ok bool, format string, args ...any) {
	result := resultFail
	if ok {
		result = resultPass
	}
	*d = append(*d, finding{check, ok, result, fmt.Sprintf(format, args...)})
}

func (d *diagnosis) skip(check, format string, args ...any) {
	*d = append(*d, finding{check, true, resultSkip, fmt.Sprintf(format, args...)})
}

func (d *diagnosis) try(check string, err error, fine string) {
	if err != nil {
		d.add(check, false, "%v", err)
		return
	}
	d.add(check, true, "%s", fine)
}

func (d *diagnosis) diagnose(cmd *cobra.Command) {
	data, _ := cmd.Flags().GetString("data")
	d.add("程序", true, "licgate %s，Caddy %s", productVersion(), caddyVersion)
	if d.folder(cmd.Context(), data) {
		d.gateway(cmd)
	}
}

// folder looks at what lies in the data folder. It returns false when there is none.
func (d *diagnosis) folder(ctx context.Context, data string) bool {
	if info, err := os.Stat(data); err != nil {
		d.add("数据目录", false, "%s 不存在；网关首次启动时创建", data)
		return false
	} else if info.Mode().Perm()&openToOthers != 0 {
		d.add("数据目录", false, "%s 权限为 %04o，其他用户可访问；请执行 chmod 700 %s", data, info.Mode().Perm(), data)
	} else {
		d.add("数据目录", true, "%s", data)
	}
	d.try("密钥文件", errors.Join(keyModes(filepath.Join(data, "keys")), keyModes(filepath.Join(data, signingFolder))), "权限为 0600")
	d.database(data)
	var disk syscall.Statfs_t
	if err := syscall.Statfs(data, &disk); err == nil {
		free := disk.Bavail * uint64(disk.Bsize)
		d.add("磁盘空间", free > lowDisk, "剩余 %d MiB", free>>20)
	}
	report, err := audit.Verify(ctx, filepath.Join(data, "audit"))
	switch {
	case err != nil:
		d.add("审计记录", false, "%v", err)
	case report.Fault != nil:
		d.add("审计记录", false, "%s 偏移 %d：%s", report.Fault.File, report.Fault.Offset, report.Fault.Cause)
	default:
		d.add("审计记录", true, "%d 条，链完整", report.Records)
	}
	return true
}

// database looks at the mode of the embedded database's files, where the environment, or nobody, says that they lie. With PostgreSQL there
// are none.
func (d *diagnosis) database(data string) {
	path, embedded := strings.CutPrefix(os.Getenv("LICGATE_STORE"), "sqlite:")
	if !embedded {
		path = filepath.Join(data, "licgate.db")
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return
	}
	d.try("数据库文件", storeFault(store.CheckPrivate(path)), "权限为 0600")
}

// gateway asks the running gateway about its parts.
func (d *diagnosis) gateway(cmd *cobra.Command) {
	var h gatewayStatus
	if _, err := call(cmd, http.MethodGet, "status", nil, &h); err != nil {
		d.add("网关", false, "%v", err)
		d.skip("策略版本链、存储、会话、限流、审计写入、站点证书", "须询问网关")
		return
	}
	d.add("网关", h.Status == "ok", "策略版本 %d", h.PolicyVersion)
	if h.Version != productVersion() {
		d.add("网关的程序", false, "正在运行的是 licgate %s，与本命令不同：升级之后须重启网关", h.Version)
	}
	var chain chainReport
	if _, err := call(cmd, http.MethodGet, "policy/verify", nil, &chain); errors.As(err, new(needsLogin)) {
		d.skip("策略版本链", "%v", err)
	} else if err != nil {
		d.add("策略版本链", false, "%v", err)
	} else {
		d.add("策略版本链", chain.Fault == "", "%d 个版本 %s", chain.Versions, chain.Fault)
	}
	d.add("存储", h.Store == "ok", "%s", h.Store)
	d.add("会话", h.Sessions == "ok", "%s", h.Sessions)
	d.add("限流", h.Limits == "ok", "%s", h.Limits)
	d.add("审计写入", h.Audit == "ok", "%s", h.Audit)
	for _, c := range h.Certificates {
		text, result := c.judge(time.Now())
		if check := "站点证书 " + c.Name; result == resultSkip {
			d.skip(check, "%s", text)
		} else {
			d.add(check, result == resultPass, "%s", text)
		}
	}
	if len(h.Certificates) == 0 {
		d.skip("站点证书", "配置中没有写明主机名的 HTTPS 站点")
	}
	if deep, _ := cmd.Flags().GetBool("integrity"); deep {
		d.integrity(cmd)
	}
}

func (d *diagnosis) integrity(cmd *cobra.Command) {
	checked, faults, err := checkIntegrity(cmd)
	for _, f := range faults {
		d.add("数据完整性", false, "%s %s：%s", f.Kind, f.Key, f.Cause)
	}
	if err != nil {
		d.add("数据完整性", false, "%v", err)
		return
	}
	d.add("数据完整性", len(faults) == 0, "核对 %d 行，%d 行不符", checked, len(faults))
}

// checkIntegrity has the gateway check every row, and shows how far it is.
func checkIntegrity(cmd *cobra.Command) (checked int64, faults []store.RowFault, err error) {
	resp, err := send(cmd, http.MethodGet, "integrity", nil)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	bar := newProgressBar(cmd.ErrOrStderr())
	defer bar.end()
	for lines := json.NewDecoder(resp.Body); ; {
		var line integrityLine
		if err := lines.Decode(&line); err != nil {
			return checked, faults, fmt.Errorf("核对没有做完，请看网关日志：%w", err)
		}
		switch {
		case line.Done:
			return checked, faults, nil
		case line.Fault != nil:
			faults = append(faults, *line.Fault)
		default:
			checked = line.Seen
			bar.show("核对校验码", line.Seen, line.Total)
		}
	}
}

// keyModes refuses key files that others may read.
func keyModes(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		public := filepath.Ext(path) == ".json" // public key sets
		if !public && info.Mode().Perm()&openToOthers != 0 {
			return fmt.Errorf("%s 权限为 %o，请执行 chmod 600 %s", path, info.Mode().Perm(), path)
		}
		return nil
	})
}
