package licence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// reasonChanged is the 废止原因 of a licence that a change replaced.
const reasonChanged = "变更"

// Create validates data_fields against the item's fields and keeps a REGISTERED licence (table 5).
func (s *Service) Create(ctx context.Context, a Actor, item *Item, m Making) (Made, error) {
	l, err := s.draft(a, item, m)
	if err != nil {
		return Made{}, err
	}
	return s.keep(ctx, a, l, nil)
}

// Issue is create and sign in one transaction (domain.md §2).
func (s *Service) Issue(ctx context.Context, a Actor, item *Item, m Making) (Made, error) {
	l, err := s.draft(a, item, m)
	if err != nil {
		return Made{}, err
	}
	if err := l.issue(a, item, l.CreationTime); err != nil {
		return Made{}, err
	}
	return s.keep(ctx, a, l, nil)
}

// Update replaces the data of a REGISTERED licence (table 6); it returns the licence as it now is. Group, SealCode and
// BizNum stay when they are not given.
func (s *Service) Update(ctx context.Context, a Actor, item *Item, t Target, m Making) (*Licence, error) {
	load := func() (*Licence, error) { return s.find(ctx, a, item, t) }
	return s.revise(ctx, load, func(l *Licence, now time.Time) error {
		if l.State != Registered {
			return ErrState
		}
		return s.take(l, a, item, m, now)
	})
}

// Delete removes a REGISTERED licence, leaving a tombstone of its number (table 7). It returns the licence as it was,
// but for its state.
func (s *Service) Delete(ctx context.Context, a Actor, item *Item, t Target) (*Licence, error) {
	load := func() (*Licence, error) { return s.find(ctx, a, item, t) }
	return s.revise(ctx, load, func(l *Licence, now time.Time) error {
		if l.State != Registered {
			return ErrState
		}
		l.State = Deleted
		l.modified(a, now)
		return nil
	})
}

// Sign issues a REGISTERED licence (table 8). By IDCode alone it takes the one that is REGISTERED.
func (s *Service) Sign(ctx context.Context, a Actor, item *Item, t Target) (*Licence, error) {
	load := func() (*Licence, error) { return s.findToSign(ctx, a, item, t) }
	return s.revise(ctx, load, func(l *Licence, now time.Time) error {
		if l.State != Registered {
			return ErrState
		}
		if err := s.checkRoom(item, l); err != nil { // it may be another face than on the day it was made
			return err
		}
		return l.issue(a, item, now)
	})
}

// Change abolishes an ISSUED licence and issues its successor in one transaction (table 9). The successor keeps the
// group when none is given.
func (s *Service) Change(ctx context.Context, a Actor, item *Item, t Target, m Making) (Made, error) {
	if err := inForce(item); err != nil {
		return Made{}, err
	}
	for try := 1; ; try++ {
		made, err := s.tryChange(ctx, a, item, t, m)
		if !errors.Is(err, ErrStale) || try == attempts {
			return made, err
		}
	}
}

func (s *Service) tryChange(ctx context.Context, a Actor, item *Item, t Target, m Making) (Made, error) {
	old, err := s.find(ctx, a, item, t)
	if err != nil {
		return Made{}, err
	}
	if old.State != Issued {
		return Made{}, ErrState
	}
	if m.Group == "" && slices.Contains(item.Groups, old.Group) {
		m.Group = old.Group
	}
	l, err := s.draft(a, item, m)
	if err != nil {
		return Made{}, err
	}
	if err := l.issue(a, item, l.CreationTime); err != nil {
		return Made{}, err
	}
	l.Correlative = old.Code
	l.Version = nextVersion(old.Version)
	old.abolish(a, reasonChanged, l.CreationTime)
	old.Revision++
	return s.keep(ctx, a, l, old)
}

// Abolish ends an ISSUED licence (table 10).
func (s *Service) Abolish(ctx context.Context, a Actor, item *Item, t Target, reason string) (*Licence, error) {
	if err := checkNotes("abolish_reason", reason); err != nil {
		return nil, err
	}
	load := func() (*Licence, error) { return s.find(ctx, a, item, t) }
	return s.revise(ctx, load, func(l *Licence, now time.Time) error {
		if l.State != Issued {
			return ErrState
		}
		l.abolish(a, reason, now)
		return nil
	})
}

// inForce refuses to make licences of an item that is not published or not open.
func inForce(item *Item) error {
	if item.Status != published || !item.Open {
		return ErrItemClosed
	}
	return nil
}

// draft is a REGISTERED licence that has no number yet and is kept nowhere.
func (s *Service) draft(a Actor, item *Item, m Making) (*Licence, error) {
	if err := inForce(item); err != nil {
		return nil, err
	}
	// Found out now, not when the licence is to be signed.
	if _, err := parseValidity(item.Validity); err != nil {
		return nil, fmt.Errorf("licence: item %s: %w", item.Code, err)
	}
	now := s.now()
	l := &Licence{
		Item: item.Code, Name: item.Name, State: Registered, Revision: 1, Department: a.Department,
		Division: a.Division, DivisionCode: a.DivisionCode, SealCode: item.SealCode, Version: "1",
		Creator: a.Account, CreationTime: now,
	}
	if err := s.take(l, a, item, m, now); err != nil {
		return nil, err
	}
	return l, nil
}

// take puts the content of m into l.
func (s *Service) take(l *Licence, a Actor, item *Item, m Making, now time.Time) error {
	if m.Group != "" && !slices.Contains(item.Groups, m.Group) {
		return ErrGroup
	}
	if err := checkNotes("seal_code", m.SealCode, "service_item_code", m.ServiceItem,
		"service_item_name", m.ServiceItemName, "biz_num", m.BizNum); err != nil {
		return err
	}
	fields, err := checkFields(item, m.Fields)
	if err != nil {
		return err
	}
	if err := s.fitPictures(item, fields); err != nil {
		return err
	}
	if err := s.checkPrintable(item, fields); err != nil {
		return err
	}
	for _, one := range []struct {
		into  *string
		given string
	}{{&l.Group, m.Group}, {&l.SealCode, m.SealCode}, {&l.BizNum, m.BizNum}} {
		if one.given != "" {
			*one.into = one.given
		}
	}
	l.ServiceItem, l.ServiceItemName = m.ServiceItem, m.ServiceItemName
	l.modified(a, now)
	if err := l.takeFields(a, item, fields); err != nil {
		return err
	}
	return s.checkRoom(item, l)
}

func (l *Licence) issue(a Actor, item *Item, now time.Time) error {
	l.State, l.Issuer, l.IssueTime = Issued, a.Account, now
	l.Face = item.Face(l.Group)
	l.modified(a, now)
	return l.settleDates(item, now)
}

func (l *Licence) abolish(a Actor, reason string, now time.Time) {
	l.State, l.Abolisher, l.AbolishTime, l.AbolishReason = Abolished, a.Account, now, reason
	l.modified(a, now)
}

func (l *Licence) modified(a Actor, now time.Time) {
	l.LastModificator, l.LastModificationTime = a.Account, now
}

// nextVersion counts the licences of a chain of changes.
func nextVersion(version string) string {
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 {
		n = 1
	}
	return strconv.Itoa(n + 1)
}
