package licence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"licgate/gm"
)

// Actor is who acts: the authenticated application, account and acting department (never the claimed operator).
type Actor struct{ App, Account, Department, DepartmentName, Division, DivisionCode string }

// Making is the content of a licence to be made or changed.
type Making struct {
	Fields                               map[string]any
	Group, SealCode                      string
	ServiceItem, ServiceItemName, BizNum string
}

// Target names an existing licence: by Code, or (for sign) by IDCode alone. When both are given both must fit.
type Target struct{ Code, IDCode string }

// Service holds the rules. Fields are set once before use; safe for concurrent use when Random is.
type Service struct {
	Store  Store
	Keys   *gm.Keyring
	Now    func() time.Time
	Random io.Reader
	// Fit returns a picture as a licence keeps it, without metadata, and its suffix; one that it returned it returns the same again. holder: it is the
	// holder's photo; most is how many bytes there is room for, and it gets longer only if nothing helps. fault says in Chinese what is wrong with it,
	// "" when nothing is; a licence with such a picture is refused when it is made. nil: pictures are kept as they are given.
	Fit func(picture []byte, holder bool, most int) (kept []byte, suffix, fault string)
	// Unprintable finds a character of a text that no face can show; a licence with one is refused when it is made. nil: none
	// is looked for.
	Unprintable func(text string) (rune, bool)
	// Overflows finds a field (by key; "" is none of the item's) whose value has no room on the face that the licence would be issued under,
	// and may stand nowhere else; such a licence is neither made nor signed. nil: none is looked for.
	Overflows func(item *Item, l *Licence) (field string, found bool)
	// Lifetimes; zero: 24 h, 120 s, 10 min, 15 min (domain.md §4).
	AuthCodeTTL, ShowCodeTTL, RedeemedTTL, AccessTokenTTL time.Duration
}

// now is the present to the millisecond, which every store keeps.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// attempts is how often a write is tried when others write the same row, or when a fresh number is taken.
const attempts = 3

// find loads the licence that t names by Code. What another department issued, or belongs to another item, does not
// exist for the actor.
func (s *Service) find(ctx context.Context, a Actor, item *Item, t Target) (*Licence, error) {
	code := strings.TrimSpace(t.Code)
	if code == "" {
		return nil, ErrTarget
	}
	if !ValidNumber(code) {
		return nil, ErrNotFound
	}
	row, err := s.Store.Find(ctx, code)
	if err != nil {
		return nil, fmt.Errorf("licence: find %s: %w", code, err)
	}
	if row.Department != a.Department || row.Item != item.Code || row.State == Deleted {
		return nil, ErrNotFound
	}
	l, err := s.open(row)
	if err != nil {
		return nil, err
	}
	if idCode := normaliseNumber(t.IDCode); idCode != "" && idCode != normaliseNumber(l.IDCode) {
		return nil, ErrMismatch
	}
	return l, nil
}

// findToSign is find, or finds the REGISTERED licence of an IDCode alone.
func (s *Service) findToSign(ctx context.Context, a Actor, item *Item, t Target) (*Licence, error) {
	if strings.TrimSpace(t.Code) != "" {
		return s.find(ctx, a, item, t)
	}
	digest := s.idCodeDigest(item.Code, t.IDCode)
	if digest == nil {
		return nil, ErrTarget
	}
	rows, err := s.Store.FindByIDCode(ctx, item.Code, digest)
	if err != nil {
		return nil, fmt.Errorf("licence: find by id_code: %w", err)
	}
	var registered, own []Stored
	for _, row := range rows {
		if row.Department != a.Department {
			continue
		}
		own = append(own, row)
		if row.State == Registered {
			registered = append(registered, row)
		}
	}
	switch {
	case len(own) == 0:
		return nil, ErrNotFound
	case len(registered) == 0:
		return nil, ErrState
	case len(registered) > 1:
		return nil, ErrSeveral
	}
	return s.open(registered[0])
}

// revise loads a licence, lets edit change it, and keeps the result. When another writer came between, both are done
// anew, so that the licence is judged as it then is.
func (s *Service) revise(ctx context.Context, load func() (*Licence, error), edit func(l *Licence, now time.Time) error) (*Licence, error) {
	for try := 1; ; try++ {
		l, err := load()
		if err != nil {
			return nil, err
		}
		if err := edit(l, s.now()); err != nil {
			return nil, err
		}
		l.Revision++
		row, err := s.row(l)
		if err != nil {
			return nil, err
		}
		err = s.Store.Apply(ctx, Write{Update: []Stored{row}})
		if errors.Is(err, ErrStale) && try < attempts {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("licence: keep %s: %w", l.Code, err)
		}
		return l, nil
	}
}

// Made is the answer of create, change and issue.
type Made struct {
	Licence  *Licence
	AuthCode string // bound to the actor, the licence and its service item
}

// keep numbers a new licence and keeps it, its auth code and, when given, the licence that it replaces, in one write.
func (s *Service) keep(ctx context.Context, a Actor, l, replaced *Licence) (Made, error) {
	for try := 1; ; try++ {
		made, err := s.tryKeep(ctx, a, l, replaced)
		if err == nil {
			return made, nil
		}
		if !errors.Is(err, ErrDuplicate) {
			return Made{}, err
		}
		// Either the id_code is in use, which is for the caller to know, or the fresh number is, which is not.
		taken, findErr := s.idCodeTaken(ctx, l, replaced)
		if findErr != nil {
			return Made{}, findErr
		}
		if taken {
			return Made{}, ErrDuplicate
		}
		if try == attempts {
			return Made{}, fmt.Errorf("licence: no free number in %d attempts", attempts)
		}
	}
}

func (s *Service) tryKeep(ctx context.Context, a Actor, l, replaced *Licence) (Made, error) {
	var err error
	if l.Code, err = newNumber(s.Random, a.DivisionCode, l.CreationTime); err != nil {
		return Made{}, err
	}
	var w Write
	if replaced != nil {
		replaced.Correlative = l.Code
		row, err := s.row(replaced)
		if err != nil {
			return Made{}, err
		}
		w.Update = []Stored{row}
	}
	row, err := s.row(l)
	if err != nil {
		return Made{}, err
	}
	w.Insert = []Stored{row}
	code, stored, err := s.newCode(AuthCode, l.Code, Grant{
		App: a.App, Account: a.Account, Department: a.Department,
		ServiceItem: l.ServiceItem, ServiceItemName: l.ServiceItemName, BizNum: l.BizNum,
	})
	if err != nil {
		return Made{}, err
	}
	w.InsertCodes = []StoredCode{stored}
	if err := s.Store.Apply(ctx, w); err != nil {
		return Made{}, fmt.Errorf("licence: keep %s: %w", l.Code, err)
	}
	return Made{Licence: l, AuthCode: code}, nil
}

// idCodeTaken reports whether a licence other than l's forerunner has its id_code.
func (s *Service) idCodeTaken(ctx context.Context, l, replaced *Licence) (bool, error) {
	digest := s.idCodeDigest(l.Item, l.IDCode)
	if digest == nil {
		return false, nil
	}
	rows, err := s.Store.FindByIDCode(ctx, l.Item, digest)
	if err != nil {
		return false, fmt.Errorf("licence: find by id_code: %w", err)
	}
	for _, row := range rows {
		if replaced == nil || row.Code != replaced.Code {
			return true, nil
		}
	}
	return false, nil
}
