package caddymodule

import (
	"context"
	"encoding/hex"
	"time"

	"licgate/gm"
	"licgate/registry"
)

// formContext binds a form's ciphertext to its number.
func formContext(number string) []byte { return []byte("form/file/" + number) }

// keepForm keeps a form sealed: it names contact persons.
func (a *App) keepForm(ctx context.Context, form *registry.ApplicationForm, file []byte, by string, pending int64) error {
	sealed, err := a.gateway.keys.Seal(file, formContext(form.Number))
	if err != nil {
		return err
	}
	sum := gm.SM3(file)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	return a.gateway.store.Forms().AddForm(ctx, registry.Form{
		Number: form.Number, Received: time.Now(), By: by, Unit: form.Unit, Digest: hex.EncodeToString(sum[:]), Pending: pending, Sealed: sealed,
	})
}
