package registrytest

import (
	"context"
	"slices"
	"testing"
	"time"

	"licgate/registry"
)

// RunSecretUses checks a registry.SecretUses. open returns a fresh, empty one and undoes it in t.Cleanup. Stores keep times
// to the microsecond at least.
func RunSecretUses(t *testing.T, open func(t *testing.T) registry.SecretUses) {
	t.Helper()
	run(t, open, []check[registry.SecretUses]{
		{"note", noteUse},
		{"the later use stays", laterUseStays},
		{"order by application and secret", useOrder},
		{"cancelled context", usesCancelled},
		{"the latest of many stays", concurrentUse},
	})
}

func use(appKey, secret string, at time.Time) registry.SecretUse {
	return registry.SecretUse{AppKey: appKey, Secret: secret, LastUsed: at}
}

func note(t *testing.T, s registry.SecretUses, all ...registry.SecretUse) {
	t.Helper()
	for _, one := range all {
		noError(t, "NoteSecretUse", s.NoteSecretUse(t.Context(), one))
	}
}

// wantUses demands these uses in this order.
func wantUses(t *testing.T, s registry.SecretUses, want ...registry.SecretUse) {
	t.Helper()
	got, err := s.ListSecretUses(t.Context())
	noError(t, "ListSecretUses", err)
	same := func(a, b registry.SecretUse) bool {
		return a.AppKey == b.AppKey && a.Secret == b.Secret && sameTime(a.LastUsed, b.LastUsed)
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("uses\n got %+v\nwant %+v", got, want)
	}
}

func noteUse(t *testing.T, s registry.SecretUses) {
	wantUses(t, s)
	note(t, s, use("hydj", "0a1b2c3d", epoch.In(beijing)))
	wantUses(t, s, use("hydj", "0a1b2c3d", epoch))
}

func laterUseStays(t *testing.T, s registry.SecretUses) {
	other := use("hydj", "other", epoch.Add(-time.Hour))
	note(t, s, use("hydj", "0a", epoch), other)
	for _, one := range []struct{ at, stays time.Time }{
		{epoch.Add(time.Microsecond), epoch.Add(time.Microsecond)},
		{epoch, epoch.Add(time.Microsecond)},
		{epoch.Add(time.Microsecond), epoch.Add(time.Microsecond)},
		{time.Time{}, epoch.Add(time.Microsecond)},
		{epoch.Add(time.Hour).In(beijing), epoch.Add(time.Hour)},
	} {
		note(t, s, use("hydj", "0a", one.at))
		wantUses(t, s, use("hydj", "0a", one.stays), other)
	}
}

func useOrder(t *testing.T, s registry.SecretUses) {
	sorted := []registry.SecretUse{ // as bytes sort; two applications may name their secrets alike
		use("B", "0a", epoch), use("_", "ff", epoch), use("a", "0A", epoch.Add(time.Hour)), use("a", "0a", epoch), use("a", "ff", epoch), use("应用", "0a", epoch),
	}
	for _, i := range []int{3, 0, 5, 4, 2, 1} {
		note(t, s, sorted[i])
	}
	wantUses(t, s, sorted...)
}

func usesCancelled(t *testing.T, s registry.SecretUses) {
	there := use("hydj", "0a", epoch)
	note(t, s, there)
	cancelled(t, map[string]func(context.Context) error{
		"NoteSecretUse":  func(ctx context.Context) error { return s.NoteSecretUse(ctx, use("hydj", "0a", epoch.Add(time.Hour))) },
		"ListSecretUses": func(ctx context.Context) error { _, err := s.ListSecretUses(ctx); return err },
	})
	wantUses(t, s, there)
}

func concurrentUse(t *testing.T, s registry.SecretUses) {
	together(func(i int) {
		if err := s.NoteSecretUse(t.Context(), use("hydj", "0a", epoch.Add(time.Duration(i)*time.Second))); err != nil {
			t.Errorf("NoteSecretUse: %v", err)
		}
	})
	wantUses(t, s, use("hydj", "0a", epoch.Add((callers-1)*time.Second)))
}
