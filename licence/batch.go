package licence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Row is the outcome of one row of a batch; Err is nil or one of this package's errors.
type Row struct {
	Code string
	Made Made
	Err  error
}

// maxBatch is how many licences one BatchSign without codes takes; the rest stay REGISTERED for the next call.
const maxBatch = 10_000

// BatchCreate makes each row alone, in order (table 11). A cancelled context stops between rows. With an error, which is
// one of the store, the rows before it are returned: they are made.
func (s *Service) BatchCreate(ctx context.Context, a Actor, item *Item, rows []Making) ([]Row, error) {
	done := make([]Row, 0, len(rows))
	for i, m := range rows {
		if err := ctx.Err(); err != nil {
			return done, fmt.Errorf("licence: batch_create stopped before row %d: %w", i+1, err)
		}
		made, err := s.Create(ctx, a, item, m)
		if err != nil && !refusal(err) {
			return done, fmt.Errorf("licence: batch_create row %d: %w", i+1, err)
		}
		row := Row{Made: made, Err: err}
		if err == nil {
			row.Code = made.Licence.Code
		}
		done = append(done, row)
	}
	return done, nil
}

// BatchSign signs each code alone, in order (table 12). With no codes: all REGISTERED licences of the item that the
// actor's department made, narrowed by bizNum and divisionCode when given. Errors are as those of BatchCreate.
func (s *Service) BatchSign(ctx context.Context, a Actor, item *Item, codes []string, bizNum, divisionCode string) ([]Row, error) {
	if len(codes) == 0 {
		if err := checkNotes("biz_num", bizNum, "division_code", divisionCode); err != nil {
			return nil, err
		}
		var err error
		if codes, err = s.Store.ListRegistered(ctx, item.Code, a.Department, bizNum, divisionCode, maxBatch); err != nil {
			return nil, fmt.Errorf("licence: list registered: %w", err)
		}
	}
	done := make([]Row, 0, len(codes))
	for i, code := range codes {
		if err := ctx.Err(); err != nil {
			return done, fmt.Errorf("licence: batch_sign stopped before row %d: %w", i+1, err)
		}
		l, err := s.Sign(ctx, a, item, Target{Code: code})
		if err != nil && !refusal(err) {
			return done, fmt.Errorf("licence: batch_sign row %d: %w", i+1, err)
		}
		done = append(done, Row{Code: strings.TrimSpace(code), Made: Made{Licence: l}, Err: err})
	}
	return done, nil
}

// refusal tells this package's errors, which are a row's own, from failures of what it stands on.
func refusal(err error) bool {
	if _, ok := errors.AsType[*FieldError](err); ok {
		return true
	}
	return slices.ContainsFunc([]error{
		ErrNotFound, ErrDuplicate, ErrState, ErrSeveral, ErrTarget, ErrMismatch, ErrItemClosed, ErrStale, ErrGroup, ErrTampered,
	}, func(one error) bool { return errors.Is(err, one) })
}
