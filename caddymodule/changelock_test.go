package caddymodule

import (
	"context"
	"errors"
	"testing"
	"time"

	"licgate/store"
)

// TestStopDoesNotWaitForAChange: a key job that waits for somebody else's change ends when the gateway stops.
func TestStopDoesNotWaitForAChange(t *testing.T) {
	t.Parallel()
	a := &App{gateway: &gateway{shared: &shared{change: newChangeLock()}}}
	if err := a.gateway.change.take(t.Context()); err != nil { // somebody writes, and comes to no end
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&keyWorker{app: a}).resealRegistry(ctx, new(store.KeyJob)) }()
	stop()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it still waits")
	}
	a.gateway.change.give()
	if err := a.gateway.change.take(t.Context()); err != nil {
		t.Errorf("the lock is lost: %v", err)
	}
}
