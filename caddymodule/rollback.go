package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"licgate/audit"
)

// errRolledBack says that the store holds an older policy version than one that was in force: rights that were withdrawn would come back.
var errRolledBack = errors.New("the store holds an older policy version than the one in force: it was rolled back")

const (
	// restoredFile, in the data folder, says to which version an operator knowingly restored the store.
	restoredFile = "policy.restored"
	// recentRecords is how far back the audit is looked through at first for the version that was in force last: ten times as far each time that
	// nothing says it. Requests that are refused before they are judged do not, however many they are.
	recentRecords = 1000
)

// notRolledBack refuses a store whose policy version is lower than the one that this node last enforced, by its own audit. Who may write to
// the database alone, or restores it unawares, does not bring withdrawn rights back.
func (a *App) notRolledBack(ctx context.Context, j *audit.Journal, version int64) error {
	last, err := lastEnforced(ctx, j)
	if err != nil || version >= last {
		return err
	}
	path := filepath.Join(a.Data, restoredFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("数据库中的策略版本 %d 低于本节点审计记录中最后执行的版本 %d：数据库被回退、换成了较早的备份，或不是原来的数据库。"+
			"确为有意恢复，请在 %s 中写入 %d 再启动（%w）", version, last, path, version, errRolledBack)
	}
	if err != nil {
		return err
	}
	if accepted, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err != nil || accepted != version {
		return fmt.Errorf("%s 的内容不是数据库中的策略版本 %d（%w）", path, version, errRolledBack)
	}
	a.logger.Warn("an older policy version than the last one in force was accepted, as the operator states", zap.Int64("policy_version", version), zap.Int64("before", last))
	// Recorded first: from then on this version is the last one that was enforced, and the file has served.
	if err := j.Append(ctx, &audit.Record{
		Event: audit.EventPolicy, Time: time.Now(), Outcome: "SUCCESS", PolicyVersion: version,
		Detail: fmt.Sprintf("数据库恢复到策略版本 %d（此前为 %d），由运维人员在 %s 中确认", version, last, restoredFile),
	}); err != nil {
		return err
	}
	return os.Remove(path)
}

// lastEnforced returns the policy version of the newest record that was made under one; 0: there is none.
func lastEnforced(ctx context.Context, j *audit.Journal) (version int64, err error) {
	all, _ := j.Last()
	for back := uint64(recentRecords); ; back *= 10 {
		err = j.Newest(ctx, back, func(_ uint64, record []byte) error {
			var r audit.Record
			if err := json.Unmarshal(record, &r); err != nil {
				return fmt.Errorf("decoding an audit record: %w", err)
			}
			// The attempt to change names the version that was to be.
			if attempt := r.Event == audit.EventAdmin && r.Interface == "change"; r.PolicyVersion > 0 && !attempt {
				version = r.PolicyVersion
			}
			return nil
		})
		if err != nil || version > 0 || back >= all {
			return version, err
		}
	}
}
