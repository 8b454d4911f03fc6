// Package licencetest holds every licence.Store to its contract, and has one in memory for the tests of its users.
package licencetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"licgate/licence"
)

// NewMemory returns an empty store that forgets everything with the process.
func NewMemory() licence.Store {
	return &memory{licences: map[string]licence.Stored{}, codes: map[string]licence.StoredCode{}}
}

type memory struct {
	mu       sync.RWMutex
	licences map[string]licence.Stored
	codes    map[string]licence.StoredCode
}

// Apply builds the state after w beside the present one and swaps both maps at the end.
func (m *memory) Apply(ctx context.Context, w licence.Write) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("licencetest: apply: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	licences, codes := maps.Clone(m.licences), maps.Clone(m.codes)
	for _, row := range w.Update {
		if old, ok := licences[row.Code]; !ok || old.Revision != row.Revision-1 {
			return fmt.Errorf("licencetest: update licence: %w", licence.ErrStale)
		}
		if inUse(licences, row) {
			return fmt.Errorf("licencetest: update licence: %w", licence.ErrDuplicate)
		}
		licences[row.Code] = cloneLicence(row)
	}
	for _, row := range w.Insert {
		if _, ok := licences[row.Code]; ok || inUse(licences, row) {
			return fmt.Errorf("licencetest: insert licence: %w", licence.ErrDuplicate)
		}
		licences[row.Code] = cloneLicence(row)
	}
	for _, row := range w.UpdateCodes {
		if old, ok := codes[string(row.Digest)]; !ok || old.Revision != row.Revision-1 {
			return fmt.Errorf("licencetest: update code: %w", licence.ErrStale)
		}
		codes[string(row.Digest)] = cloneCode(row)
	}
	for _, row := range w.InsertCodes {
		if _, ok := codes[string(row.Digest)]; ok {
			return fmt.Errorf("licencetest: insert code: %w", licence.ErrDuplicate)
		}
		codes[string(row.Digest)] = cloneCode(row)
	}
	m.licences, m.codes = licences, codes
	return nil
}

func (m *memory) Find(ctx context.Context, code string) (licence.Stored, error) {
	if err := ctx.Err(); err != nil {
		return licence.Stored{}, fmt.Errorf("licencetest: find: %w", err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	row, ok := m.licences[code]
	if !ok {
		return licence.Stored{}, licence.ErrNotFound
	}
	return cloneLicence(row), nil
}

func (m *memory) FindByIDCode(ctx context.Context, item string, digest []byte) ([]licence.Stored, error) {
	return m.choose(ctx, byAge, func(row licence.Stored) bool {
		return row.Item == item && live(row.State) && len(digest) > 0 && bytes.Equal(row.IDCodeDigest, digest)
	})
}

func (m *memory) ListByHolder(ctx context.Context, digests [][]byte, items []string, limit, offset int) ([]licence.Stored, int, error) {
	rows, err := m.choose(ctx, byIssue, func(row licence.Stored) bool {
		return row.State == licence.Issued && slices.Contains(items, row.Item) &&
			slices.ContainsFunc(row.HolderDigests, func(held []byte) bool {
				return slices.ContainsFunc(digests, func(asked []byte) bool { return bytes.Equal(held, asked) })
			})
	})
	if err != nil {
		return nil, 0, err
	}
	total := len(rows)
	rows = rows[min(offset, total):]
	return rows[:min(limit, len(rows))], total, nil
}

func (m *memory) ListEverHeld(ctx context.Context, digest []byte, after string, limit int) ([]licence.Stored, error) {
	rows, err := m.choose(ctx, byCode, func(row licence.Stored) bool {
		return row.Code > after && slices.ContainsFunc(row.HolderDigests, func(held []byte) bool { return bytes.Equal(held, digest) })
	})
	return rows[:min(limit, len(rows))], err
}

func (m *memory) ListRegistered(ctx context.Context, item, department, bizNum, divisionCode string, limit int) ([]string, error) {
	rows, err := m.choose(ctx, byAge, func(row licence.Stored) bool {
		return row.State == licence.Registered && row.Item == item && row.Department == department &&
			(bizNum == "" || row.BizNum == bizNum) && (divisionCode == "" || row.DivisionCode == divisionCode)
	})
	if err != nil {
		return nil, err
	}
	var codes []string
	for _, row := range rows[:min(limit, len(rows))] {
		codes = append(codes, row.Code)
	}
	return codes, nil
}

func (m *memory) ListIssued(ctx context.Context, item, department string, from time.Time, after string, limit int) ([]licence.Stored, error) {
	rows, err := m.choose(ctx, oldestIssueFirst, func(row licence.Stored) bool {
		return row.State == licence.Issued && row.Item == item && row.Department == department &&
			(row.IssueTime.After(from) || row.IssueTime.Equal(from) && row.Code > after)
	})
	return rows[:min(limit, len(rows))], err
}

func (m *memory) CountIssued(ctx context.Context, item, department string, from time.Time, after string) (int, error) {
	rows, err := m.ListIssued(ctx, item, department, from, after, math.MaxInt)
	return len(rows), err
}

func (m *memory) HasLicences(ctx context.Context, item string) (bool, error) {
	rows, err := m.choose(ctx, byAge, func(row licence.Stored) bool {
		return row.Item == item && row.State != licence.Deleted
	})
	return len(rows) > 0, err
}

func (m *memory) FindCode(ctx context.Context, digest []byte) (licence.StoredCode, error) {
	if err := ctx.Err(); err != nil {
		return licence.StoredCode{}, fmt.Errorf("licencetest: find code: %w", err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	row, ok := m.codes[string(digest)]
	if !ok {
		return licence.StoredCode{}, licence.ErrNoCode
	}
	return cloneCode(row), nil
}

func (m *memory) PurgeCodes(ctx context.Context, t time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("licencetest: purge codes: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.codes)
	maps.DeleteFunc(m.codes, func(_ string, row licence.StoredCode) bool { return row.Expires.Before(t) })
	return before - len(m.codes), nil
}

// choose returns copies of the rows that fit, in the given order.
func (m *memory) choose(ctx context.Context, order func(a, b licence.Stored) int, fits func(licence.Stored) bool) ([]licence.Stored, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("licencetest: list: %w", err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var rows []licence.Stored
	for _, row := range m.licences {
		if fits(row) {
			rows = append(rows, cloneLicence(row))
		}
	}
	slices.SortFunc(rows, order)
	return rows, nil
}

func byAge(a, b licence.Stored) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Code, b.Code))
}

func byCode(a, b licence.Stored) int { return cmp.Compare(a.Code, b.Code) }

func byIssue(a, b licence.Stored) int {
	return cmp.Or(b.IssueTime.Compare(a.IssueTime), cmp.Compare(a.Code, b.Code))
}

func oldestIssueFirst(a, b licence.Stored) int {
	return cmp.Or(a.IssueTime.Compare(b.IssueTime), cmp.Compare(a.Code, b.Code))
}

func live(s licence.State) bool { return s == licence.Registered || s == licence.Issued }

// inUse reports whether another live row of the item has row's id code.
func inUse(licences map[string]licence.Stored, row licence.Stored) bool {
	if row.IDCodeDigest == nil || !live(row.State) {
		return false
	}
	for _, other := range licences {
		if other.Code != row.Code && other.Item == row.Item && live(other.State) && bytes.Equal(other.IDCodeDigest, row.IDCodeDigest) {
			return true
		}
	}
	return false
}

func cloneLicence(row licence.Stored) licence.Stored {
	row.IDCodeDigest = bytes.Clone(row.IDCodeDigest)
	row.Sealed = bytes.Clone(row.Sealed)
	row.HolderDigests = slices.Clone(row.HolderDigests)
	for i := range row.HolderDigests {
		row.HolderDigests[i] = bytes.Clone(row.HolderDigests[i])
	}
	return row
}

func cloneCode(row licence.StoredCode) licence.StoredCode {
	row.Digest = bytes.Clone(row.Digest)
	if row.Redeemer != nil {
		redeemer := *row.Redeemer
		redeemer.Uses = maps.Clone(redeemer.Uses)
		row.Redeemer = &redeemer
	}
	return row
}
