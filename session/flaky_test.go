package session_test

import (
	"context"
	"time"

	"licgate/session"
)

func (f flaky) fail(method string) error {
	if f.fails[method] {
		return errBackend
	}
	return nil
}

func (f flaky) Insert(ctx context.Context, digest []byte, s session.Session) error {
	if err := f.fail("Insert"); err != nil {
		return err
	}
	return f.Store.Insert(ctx, digest, s)
}

func (f flaky) Find(ctx context.Context, digest []byte) (session.Session, error) {
	if err := f.fail("Find"); err != nil {
		return session.Session{}, err
	}
	return f.Store.Find(ctx, digest)
}

func (f flaky) Touch(ctx context.Context, digest []byte, seen time.Time) error {
	if err := f.fail("Touch"); err != nil {
		return err
	}
	return f.Store.Touch(ctx, digest, seen)
}

func (f flaky) Delete(ctx context.Context, digest []byte) error {
	if err := f.fail("Delete"); err != nil {
		return err
	}
	return f.Store.Delete(ctx, digest)
}

func (f flaky) DeleteMatching(ctx context.Context, match session.Match) (int, error) {
	if err := f.fail("DeleteMatching"); err != nil {
		return 0, err
	}
	return f.Store.DeleteMatching(ctx, match)
}

func (f flaky) List(ctx context.Context, match session.Match, limit int) ([]session.Session, error) {
	if err := f.fail("List"); err != nil {
		return nil, err
	}
	return f.Store.List(ctx, match, limit)
}

func (f flaky) Purge(ctx context.Context, t, idle time.Time) (int, error) {
	if err := f.fail("Purge"); err != nil {
		return 0, err
	}
	return f.Store.Purge(ctx, t, idle)
}

func (f flaky) Attempt(ctx context.Context, key []byte) (session.Attempt, error) {
	if err := f.fail("Attempt"); err != nil {
		return session.Attempt{}, err
	}
	return f.Store.Attempt(ctx, key)
}

func (f flaky) Fail(ctx context.Context, key []byte, now time.Time, threshold int, base, max time.Duration) (session.Attempt, error) {
	if err := f.fail("Fail"); err != nil {
		return session.Attempt{}, err
	}
	return f.Store.Fail(ctx, key, now, threshold, base, max)
}

func (f flaky) Clear(ctx context.Context, key []byte) error {
	if err := f.fail("Clear"); err != nil {
		return err
	}
	return f.Store.Clear(ctx, key)
}
