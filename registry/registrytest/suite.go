// Package registrytest holds every implementation of the registry's stores to the same promises.
package registrytest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// check is one promise of an interface.
type check[S any] struct {
	name string
	hold func(*testing.T, S)
}

// run holds a fresh, empty store of its own to each promise; the subtests run in parallel.
func run[S any](t *testing.T, open func(t *testing.T) S, checks []check[S]) {
	t.Helper()
	for _, one := range checks {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			one.hold(t, open(t))
		})
	}
}

// epoch is a time with microseconds, so that a store that cuts them is found out.
var epoch = time.Date(2026, 3, 5, 1, 2, 3, 456789000, time.UTC)

// beijing shows that stores keep instants: the zone is free.
var beijing = time.FixedZone("CST", 8*3600)

// sameTime demands the same instant; the zero time must stay zero.
func sameTime(got, want time.Time) bool { return got.Equal(want) && got.IsZero() == want.IsZero() }

// noError ends the test when a store that should work does not.
func noError(t *testing.T, doing string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", doing, err)
	}
}

// refused demands an error of a kind.
func refused(t *testing.T, doing string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", doing, err, want)
	}
}

// callers is how many goroutines press one store at once.
const callers = 24

// together runs f in goroutines that start at the same moment.
func together(f func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// cancelled makes each call with a context that is done, and demands its error.
func cancelled(t *testing.T, calls map[string]func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls {
		refused(t, name+" after cancel", call(ctx), context.Canceled)
	}
}
