package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// longestOverlap is how long a replaced secret may stay good.
const longestOverlap = 90 * 24 * time.Hour

// Rotate declares a new secret of a, beside which the stored one stays good until then, at most 90 days. Plan generates the new one
// when secret is "".
func (a *Application) Rotate(secret string, until time.Time) {
	a.Secret, a.SecretHash, a.PreviousHash, a.PreviousUntil = secret, "", "", until
}

// SecretID is a short public name of a secret, made of its hash: 12 hex digits that lead back to neither.
func SecretID(hash string) string {
	sum := sha256.Sum256([]byte(hash))
	return hex.EncodeToString(sum[:6])
}

// secret lays down which secrets a has, of which old is the stored state.
func (p *planner) secret(a, old *Application, at string) error {
	hash, rotate, until := secretToKeep(p.vault, a, old.SecretHash), rotates(a, old), a.PreviousUntil
	switch {
	case rotate:
		if message := rotationFault(a, old, hash, p.at); message != "" {
			p.want(at, "previous_secret", message)
			return nil
		}
	case hash == "":
		hash = old.SecretHash
	}
	if hash == "" {
		secret, err := p.generate("app_secret", a.AppKey)
		if err != nil {
			return err
		}
		hash = p.vault.HashSecret(a.AppKey, secret)
	}
	a.Secret, a.SecretHash, a.SecretTime = "", hash, p.now
	a.PreviousHash, a.PreviousUntil = "", time.Time{}
	switch {
	case rotate:
		a.PreviousHash, a.PreviousUntil = old.SecretHash, until.UTC().Truncate(time.Second)
	case hash == old.SecretHash:
		a.SecretTime, a.PreviousHash, a.PreviousUntil = old.SecretTime, old.PreviousHash, old.PreviousUntil
	}
	return nil
}

// rotates reports whether a asks for a rotation. A copy of the stored state does not: whoever edits one member hands in the whole
// section, and a reset must end both secrets.
func rotates(a, old *Application) bool {
	copied := a.PreviousHash != "" && a.PreviousHash == old.PreviousHash && a.PreviousUntil.Equal(old.PreviousUntil)
	return !a.PreviousUntil.IsZero() && !copied
}

// rotationFault says what is wrong with a rotation to the secret of hash; one of "" is to be generated.
func rotationFault(a, old *Application, hash string, now time.Time) string {
	switch {
	case old.SecretHash == "":
		return "新应用没有可以保留的原密钥，请勿指定原密钥的有效期"
	case !now.Before(a.PreviousUntil):
		return "原密钥的有效期已过，请改为以后的时间，或直接重置密钥"
	case a.PreviousUntil.Sub(now) > longestOverlap:
		return "原密钥至多再保留 90 天，请缩短有效期"
	case hash == old.SecretHash:
		return "新密钥与现行密钥相同，请换一个，或由系统生成"
	}
	return ""
}

// unended returns all without the replaced secrets whose time is over.
func unended(all []Application, now time.Time) []Application {
	all = slices.Clone(all)
	for i := range all {
		if a := &all[i]; !now.Before(a.PreviousUntil) {
			a.PreviousHash, a.PreviousUntil = "", time.Time{}
		}
	}
	return all
}
