package caddymodule

import (
	"encoding/hex"
	"time"

	"licgate/gm"
	"licgate/registry"
)

// formContext binds a form's ciphertext to its number.
func formContext(number string) []byte { return []byte("form/file/" + number) }

// sealForm makes of a form what is kept of it. The file is sealed: it names contact persons.
func (a *App) sealForm(form *registry.ApplicationForm, file []byte, by string) (*registry.Form, error) {
	sealed, err := a.gateway.keys.Seal(file, formContext(form.Number))
	if err != nil {
		return nil, err
	}
	sum := gm.SM3(file)
	return &registry.Form{
		Number: form.Number, Received: time.Now(), By: by, Unit: form.Unit, Digest: hex.EncodeToString(sum[:]), Sealed: sealed,
	}, nil
}
