package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"licgate/beijing"
	"licgate/gm"
	"licgate/store"
)

// rowCodesFile, in the keys folder, says that the database's rows have their authentication codes: so whoever can write to the database alone
// can't have altered rows taken for those of before there were codes.
const rowCodesFile = "rows.codes"

// guard has every row that carries an authentication code held against it from now on, and refused rows told to logger.
func (g *gateway) guard(logger *zap.Logger) {
	g.store.Guard(g.keys, func(err error) {
		logger.Error("a stored row is not what was kept; it was refused: run licgate doctor --integrity", zap.Error(err))
	})
}

// guardRows guards a store that was just opened, and computes the authentication codes of a database from before there were any, once.
// One that was open is guarded for the configuration that serves, and stays so until this one starts.
func (g *gateway) guardRows(ctx context.Context, a *App, fresh bool) error {
	s, logger := g.store, a.logger
	if fresh {
		g.guard(logger)
	}
	complete, err := s.CodesComplete(ctx)
	if errors.Is(err, gm.ErrIntegrity) {
		return fmt.Errorf("数据库中“各行已有校验码”的标记被改动，请从备份恢复（%w）", err)
	}
	if err != nil {
		return err
	}
	path := filepath.Join(a.Data, "keys", rowCodesFile)
	if !complete {
		empty, err := s.Empty(ctx)
		if err != nil {
			return err
		}
		_, missing := os.Lstat(path)
		if !empty && missing == nil {
			return fmt.Errorf("数据库中“各行已有校验码”的标记不见了：数据库被改动，或换成了升级之前的备份。确为后者，请核对其来源可信后删去 %s 再启动，网关会为各行重新计算校验码", path)
		}
		if !empty {
			logger.Warn("computing the authentication codes of all rows, once: what stands in the database now is trusted")
		}
		if err := s.WriteCodes(ctx, g.keys.Root(), g.licences.Check, func(code string, err error) {
			logger.Error("a licence that does not open gets no authentication code, and is refused", zap.String("licence", g.auditHash("licence", code)), zap.Error(err))
		}); err != nil {
			return fmt.Errorf("计算校验码：%w", err)
		}
	}
	_, err = gm.KeyFile(path, func() ([]byte, error) {
		return fmt.Appendf(nil, "数据库各行自 %s起带有校验码。删去此文件，等于信任数据库的全部内容。\n", beijing.Labelled(time.Now())), nil
	})
	return keyFault(err)
}

// integrityLine is one line of the answer: how far it is, a row that is not what was kept, or that the check has come to its end.
type integrityLine struct {
	Seen  int64           `json:"seen,omitempty"`
	Total int64           `json:"total,omitempty"`
	Fault *store.RowFault `json:"fault,omitempty"`
	Done  bool            `json:"done,omitempty"`
}

// integrity checks all rows and streams what it finds.
func (c *adminCall) integrity(nothing) (any, error) {
	g := c.app.gateway
	return stream(func(w http.ResponseWriter) error {
		e, flush := json.NewEncoder(w), http.NewResponseController(w)
		var failed error
		say := func(line integrityLine) {
			failed = errors.Join(failed, e.Encode(line), flush.Flush())
		}
		err := g.store.CheckRows(c.r.Context(), g.licences.Check,
			func(seen, total int64) { say(integrityLine{Seen: seen, Total: total}) },
			func(f store.RowFault) { say(integrityLine{Fault: &f}) })
		if err == nil {
			say(integrityLine{Done: true})
		}
		return errors.Join(err, failed)
	}), nil
}
