package licence

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
