package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"licgate/audit"
	"licgate/store"
)

// finding is one line of the doctor's report.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// lowDisk is below how many free bytes the doctor warns: the journal refuses answers once it can't write.
const lowDisk = 1 << 30

func doctorCommand(cmd *cobra.Command) {
	gatewayFlags(cmd)
	dataFlag(cmd)
	cmd.Flags().Bool("integrity", false, "另核对数据库每份证照、每个策略版本与登记的校验码（数据多时需要一些时间）")
	run(cmd, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		findings := diagnose(cmd)
		bad := 0
		for _, f := range findings {
			if !f.OK {
				bad++
			}
		}
		if asJSON(cmd) {
			if err := printJSON(cmd, findings); err != nil {
				return err
			}
		} else {
			for _, f := range findings {
				mark := "正常"
				if !f.OK {
					mark = "异常"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "[%s] %s：%s\n", mark, f.Check, f.Detail)
			}
		}
		if bad > 0 {
			return fmt.Errorf("%d 项检查未通过", bad)
		}
		return nil
	})
}

func diagnose(cmd *cobra.Command) []finding {
	data, _ := cmd.Flags().GetString("data")
	var out []finding
	add := func(check string, ok bool, format string, args ...any) {
		out = append(out, finding{check, ok, fmt.Sprintf(format, args...)})
	}
	if info, err := os.Stat(data); err != nil {
		add("数据目录", false, "%s 不存在；网关首次启动时创建", data)
		return out
	} else if info.Mode().Perm()&0o077 != 0 {
		add("数据目录", false, "%s 权限为 %o，其他用户可访问；请执行 chmod 700 %s", data, info.Mode().Perm(), data)
	} else {
		add("数据目录", true, "%s", data)
	}
	try := func(check string, err error, fine string) {
		if err != nil {
			add(check, false, "%v", err)
			return
		}
		add(check, true, "%s", fine)
	}
	try("密钥文件", errors.Join(keyModes(filepath.Join(data, "keys")), keyModes(filepath.Join(data, signingFolder))), "权限为 0600")
	var disk syscall.Statfs_t
	if err := syscall.Statfs(data, &disk); err == nil {
		free := disk.Bavail * uint64(disk.Bsize)
		add("磁盘空间", free > lowDisk, "剩余 %d MiB", free>>20)
	}
	report, err := audit.Verify(cmd.Context(), filepath.Join(data, "audit"))
	switch {
	case err != nil:
		add("审计记录", false, "%v", err)
	case report.Fault != nil:
		add("审计记录", false, "%s 偏移 %d：%s", report.Fault.File, report.Fault.Offset, report.Fault.Cause)
	default:
		add("审计记录", true, "%d 条，链完整", report.Records)
	}
	var h health
	if _, err := call(cmd, http.MethodGet, "status", nil, &h); err != nil {
		add("网关", false, "%v", err)
		return out
	}
	add("网关", h.Status == "ok", "策略版本 %d", h.PolicyVersion)
	var chain chainReport
	if _, err := call(cmd, http.MethodGet, "policy/verify", nil, &chain); errors.As(err, new(needsLogin)) {
		add("策略版本链", true, "未检查（%v）", err)
	} else if err != nil {
		add("策略版本链", false, "%v", err)
	} else {
		add("策略版本链", chain.Fault == "", "%d 个版本 %s", chain.Versions, chain.Fault)
	}
	add("存储", h.Store == "ok", "%s", h.Store)
	add("会话", h.Sessions == "ok", "%s", h.Sessions)
	add("限流", h.Limits == "ok", "%s", h.Limits)
	add("审计写入", h.Audit == "ok", "%s", h.Audit)
	if deep, _ := cmd.Flags().GetBool("integrity"); deep {
		checked, faults, err := checkIntegrity(cmd)
		for _, f := range faults {
			add("数据完整性", false, "%s %s：%s", f.Kind, f.Key, f.Cause)
		}
		if err != nil {
			add("数据完整性", false, "%v", err)
		} else {
			add("数据完整性", len(faults) == 0, "核对 %d 行，%d 行不符", checked, len(faults))
		}
	}
	return out
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
		if !public && info.Mode().Perm()&0o077 != 0 {
			return fmt.Errorf("%s 权限为 %o，请执行 chmod 600 %s", path, info.Mode().Perm(), path)
		}
		return nil
	})
}
