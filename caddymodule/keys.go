package caddymodule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"licgate/gm"
	"licgate/seal"
	"licgate/store"
)

// openKeys opens the keyring of this node with the data keys of the store, and makes sure that the two belong together.
func openKeys(ctx context.Context, a *App, s *store.Store) (*gm.Keyring, error) {
	if err := gm.Harden(); err != nil {
		return nil, err
	}
	dir := filepath.Join(a.Data, "keys")
	belongs, err := s.BelongsTo(ctx)
	if err != nil {
		return nil, err
	}
	has, err := gm.HasRoot(dir)
	if err != nil {
		return nil, err
	}
	if belongs != "" && !has {
		// A new root key would open nothing that is there, and stand in the way of the right one.
		return nil, fmt.Errorf("数据库属于根密钥 %s，而本节点的 %s 中没有 local.key：请从正在使用的节点（或备份）复制整个 keys 目录，权限 0600，再启动", belongs, dir)
	}
	config := gm.KeysConfig{Dir: dir, Store: s.DataKeys(), Grace: a.keyGrace()}
	if config.Period, err = gm.ParsePeriod(cmp.Or(a.Keys.Period, gm.Quarter.String())); err != nil {
		return nil, err
	}
	if a.Keys.Wrapper != nil {
		if config.Wrapper, err = a.Keys.Wrapper.open(dir); err != nil {
			return nil, keyFault(err)
		}
	}
	for _, w := range a.Keys.Former {
		former, err := w.open(dir)
		if err != nil {
			return nil, keyFault(err)
		}
		config.Former = append(config.Former, former)
	}
	keys, err := gm.OpenKeys(ctx, config)
	if err != nil {
		return nil, keyFault(err)
	}
	err = s.Confirm(ctx, keys)
	if errors.Is(err, store.ErrOtherKeys) {
		err = fmt.Errorf("本节点 %s 中的根密钥 %s 不是数据库所属的根密钥 %s；共用一个数据库的节点须用同一份 keys 目录：请停机，从正在使用的节点复制整个 keys 目录，权限 0600，再启动（%w）",
			dir, keys.Root(), belongs, err)
	}
	if err != nil {
		return nil, errors.Join(err, keys.Close())
	}
	return keys, nil
}

// keyFault says to an operator why keys can't be opened, and what to do.
func keyFault(err error) error {
	for _, row := range []struct {
		err  error
		text string
	}{
		{gm.ErrKeyFileOpen, "密钥文件的权限过宽，其他用户可读；请执行 chmod 600"},
		{gm.ErrDirectSecret, "环境变量只能给出密钥或口令所在文件的绝对路径，不能直接给出密钥或口令"},
		{gm.ErrPassphraseShort, "口令不足 12 个字符"},
		{gm.ErrPassphrase, "口令不正确"},
		{gm.ErrKEKUnknown, "密钥由未配置的主密钥加密：请在 keys { wrapper 或 former } 中写明原来的主密钥"},
		{gm.ErrKEKUnavailable, "主密钥现在不可用：请检查密钥服务是否可达、已解封，令牌是否有效"},
		{seal.ErrKey, "签章密钥文件损坏，或被换成了别的密钥：请从备份恢复 keys/seals 中的这个文件"},
	} {
		if errors.Is(err, row.err) {
			return fmt.Errorf("%s（%w）", row.text, err)
		}
	}
	return err
}

// keysName tells keyrings of the pool apart.
func (a *App) keysName() string {
	options, _ := json.Marshal(a.Keys) // texts and numbers only: it can't fail
	return "keys:" + a.Data + "\x00" + a.Store + "\x00" + string(options)
}

// keyGrace is how long a key must have been retired before it is destroyed.
func (a *App) keyGrace() time.Duration { return cmp.Or(time.Duration(a.Keys.Grace), time.Hour) }
