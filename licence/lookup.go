package licence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxHolders is how many identity numbers one look-up takes.
const maxHolders = 20

// ErrHolders says that a look-up names too many holders.
var ErrHolders = errors.New("licence: more than 20 identity numbers")

// EverHeld returns the codes of licences that an identity number holds, whatever their item and state, expired and abolished ones too; of
// deleted ones nobody knows the holder any more. They come by code: at most limit of those behind after. It opens nothing, so a shredded
// one is among them until its row goes.
func (s *Service) EverHeld(ctx context.Context, identityNum, after string, limit int) ([]string, error) {
	rows, err := s.Store.ListEverHeld(ctx, s.identityDigest(NormaliseIdentity(identityNum)), after, limit)
	if err != nil {
		return nil, fmt.Errorf("licence: list what was ever held: %w", err)
	}
	codes := make([]string, 0, len(rows))
	for _, row := range rows {
		codes = append(codes, row.Code)
	}
	return codes, nil
}

// IssuePage is a page of what a department issued, oldest first.
type IssuePage struct {
	Licences []*Licence
	// Next is the code behind which the next page begins; "": there is none.
	Next string
	// Total counts all, on a first page; nil on the others.
	Total *int
}

// ByIssue returns the ISSUED licences of an item that the actor's department issued since a time (zero: ever), at most limit of those behind
// the code after ("": from the beginning), which must be one of them, or have been one. Who issues meanwhile adds to the end, so that a walk
// through all pages misses nothing that was there when it began. A licence that does not open is ErrTampered; one that was shredded is left out.
func (s *Service) ByIssue(ctx context.Context, a Actor, item *Item, since time.Time, after string, limit int) (IssuePage, error) {
	from, behind := since, ""
	if after != "" {
		row, err := s.Store.Find(ctx, after)
		if err != nil {
			return IssuePage{}, fmt.Errorf("licence: find %s: %w", after, err)
		}
		if row.Department != a.Department || row.Item != item.Code || row.IssueTime.IsZero() {
			return IssuePage{}, ErrNotFound
		}
		if !row.IssueTime.Before(since) {
			from, behind = row.IssueTime, row.Code
		}
	}
	rows, err := s.Store.ListIssued(ctx, item.Code, a.Department, from, behind, limit)
	if err != nil {
		return IssuePage{}, fmt.Errorf("licence: list what was issued: %w", err)
	}
	var page IssuePage
	if after == "" {
		total, err := s.Store.CountIssued(ctx, item.Code, a.Department, from, behind)
		if err != nil {
			return IssuePage{}, fmt.Errorf("licence: count what was issued: %w", err)
		}
		page.Total = &total
	}
	if len(rows) == limit && limit > 0 {
		page.Next = rows[limit-1].Code
	}
	for _, row := range rows {
		l, err := s.open(row)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return IssuePage{}, err
		}
		// The sealed content decides, not the index that led here.
		if l.State != Issued || l.Department != a.Department || l.Item != item.Code {
			return IssuePage{}, fmt.Errorf("%w: who issued %s", ErrTampered, l.Code)
		}
		page.Licences = append(page.Licences, l)
	}
	return page, nil
}

// ByHolder returns ISSUED licences (of any department) of the given items that any of the identity numbers holds,
// newest issue first, and how many there are in all. A licence that does not open is ErrTampered, never left out; one that was
// shredded is.
func (s *Service) ByHolder(ctx context.Context, identityNums []string, items []string, p Page) ([]*Licence, int, error) {
	if len(identityNums) > maxHolders {
		return nil, 0, ErrHolders
	}
	var numbers []string
	var digests [][]byte
	for _, number := range identityNums {
		number = NormaliseIdentity(number)
		if number == "" || slices.Contains(numbers, number) {
			continue
		}
		numbers = append(numbers, number)
		digests = append(digests, s.identityDigest(number))
	}
	if len(digests) == 0 || len(items) == 0 {
		return nil, 0, nil
	}
	limit, offset := p.bounds()
	rows, total, err := s.Store.ListByHolder(ctx, digests, items, limit, offset)
	if err != nil {
		return nil, 0, fmt.Errorf("licence: list by holder: %w", err)
	}
	licences := make([]*Licence, 0, len(rows))
	for _, row := range rows {
		l, err := s.open(row)
		if errors.Is(err, ErrNotFound) {
			total-- // shredded; its row goes soon
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		// The sealed content decides whose licence it is, not the index that led here.
		if l.State != Issued || !slices.ContainsFunc(l.HolderIdentityNums, func(held string) bool { return slices.Contains(numbers, held) }) {
			return nil, 0, fmt.Errorf("%w: holder of %s", ErrTampered, l.Code)
		}
		licences = append(licences, l)
	}
	return licences, total, nil
}

// ByCode returns a licence by its 证照编码, whatever its state; one that was deleted or shredded is ErrNotFound.
func (s *Service) ByCode(ctx context.Context, code string) (*Licence, error) {
	row, err := s.Store.Find(ctx, code)
	if err != nil {
		return nil, fmt.Errorf("licence: find by code: %w", err)
	}
	if row.State == Deleted {
		return nil, fmt.Errorf("licence: find by code: %w", ErrNotFound)
	}
	return s.open(row)
}
