package caddymodule

import (
	"errors"
	"net/http"
	"net/netip"
	"time"

	"licgate/session"
)

// developmentIssuer marks credentials that the local development key signed.
const developmentIssuer = "licgate-development"

// verifyCredential checks a real-name credential against the configured keys, and, for callers on this machine where the configuration
// allows it, against the development key.
func (a *App) verifyCredential(r *http.Request, credential string) (session.Holder, error) {
	err := session.ErrCredential
	if a.verifier != nil {
		var holder session.Holder
		if holder, err = a.verifier.Verify(r.Context(), credential); err == nil {
			return holder, nil
		}
	}
	if address, parseErr := netip.ParseAddr(clientIP(r)); a.developed != nil && parseErr == nil && address.Unmap().IsLoopback() {
		return a.developed.Verify(r.Context(), credential)
	}
	return session.Holder{}, err
}

// errDevelopmentOff says that the Caddyfile does not allow development credentials.
var errDevelopmentOff = errors.New("licgate: development credentials are off")

// signCredential makes a development credential.
func (a *App) signCredential(h session.Holder, ttl time.Duration) (string, error) {
	if a.developer == nil {
		return "", errDevelopmentOff
	}
	return a.developer.Sign(h, developmentIssuer, developmentIssuer, time.Now(), ttl)
}
