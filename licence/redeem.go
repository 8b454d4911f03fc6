package licence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// redemptions are the interfaces that take a show code (tables 18–20).
var redemptions = []string{"get_license_qr", "get_token_qr", "archive_qr"}

// ByShowCode finds what an auth_code_qr stands for without using it up. iface is get_license_qr, get_token_qr or
// archive_qr. ErrNoCode when the redeemer may not use it (any more) there.
func (s *Service) ByShowCode(ctx context.Context, code string, redeemer Grant, iface, requestID string) (Resolved, error) {
	stored, err := s.findCode(ctx, code, ShowCode)
	if err != nil {
		return Resolved{}, err
	}
	if _, err := stored.redeemedBy(redeemer, iface, requestID); err != nil {
		return Resolved{}, err
	}
	return s.resolve(ctx, stored)
}

// Redeem uses a show code up for one interface: binds it to the redeemer's application, service item and biz_num at the
// first use, and allows each of the three interfaces once within RedeemedTTL; the same requestID again is the same use.
// Of two concurrent redeemers one gets ErrNoCode.
func (s *Service) Redeem(ctx context.Context, r Resolved, redeemer Grant, iface, requestID string) error {
	if r.Kind != ShowCode || r.digest == nil {
		return ErrNoCode
	}
	if err := redeemer.check(); err != nil {
		return err
	}
	if err := checkNotes("request_id", requestID); err != nil {
		return err
	}
	// Each write that comes between uses up one interface, so that one try more than there are interfaces suffices.
	var err error
	for range len(redemptions) + 1 {
		if err = s.tryRedeem(ctx, r.digest, redeemer, iface, requestID); !errors.Is(err, ErrStale) {
			return err
		}
	}
	return err
}

func (s *Service) tryRedeem(ctx context.Context, digest []byte, redeemer Grant, iface, requestID string) error {
	stored, err := s.findDigest(ctx, digest, ShowCode)
	if err != nil {
		return err
	}
	again, err := stored.redeemedBy(redeemer, iface, requestID)
	if err != nil || again {
		return err
	}
	bound := Redeemer{App: redeemer.App, Department: redeemer.Department, ServiceItem: redeemer.ServiceItem, BizNum: redeemer.BizNum}
	if stored.Redeemer == nil {
		bound.Uses = map[string]string{}
		stored.Expires = s.now().Add(cmp.Or(s.RedeemedTTL, 10*time.Minute))
	} else {
		bound.Uses = maps.Clone(stored.Redeemer.Uses)
	}
	bound.Uses[iface] = requestID
	stored.Redeemer = &bound
	stored.Revision++
	if err := s.Store.Apply(ctx, Write{UpdateCodes: []StoredCode{stored}}); err != nil {
		return fmt.Errorf("licence: redeem: %w", err)
	}
	return nil
}

// redeemedBy judges one use of an unexpired show code: nil when it is free to be made, again when it was made before
// under the same request id, ErrNoCode when it is another's or used up.
func (c *StoredCode) redeemedBy(g Grant, iface, requestID string) (again bool, err error) {
	if !slices.Contains(redemptions, iface) {
		return false, fmt.Errorf("licence: interface %s takes no show code", iface)
	}
	if c.Redeemer == nil {
		return false, nil
	}
	if c.Redeemer.App != g.App || c.Redeemer.Department != g.Department ||
		c.Redeemer.ServiceItem != g.ServiceItem || c.Redeemer.BizNum != g.BizNum {
		return false, ErrNoCode
	}
	used, ok := c.Redeemer.Uses[iface]
	if ok && (requestID == "" || used != requestID) {
		return false, ErrNoCode
	}
	return ok, nil
}
