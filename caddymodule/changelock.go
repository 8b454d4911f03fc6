package caddymodule

import (
	"context"
	"fmt"
)

// changeLock is a lock whose wait ends with a context: who writes a version may be waiting for a store that does not answer, and neither
// a gateway that stops nor an administrator who went away waits for him.
type changeLock chan struct{}

func newChangeLock() changeLock { return make(changeLock, 1) }

// take takes the lock, or fails with the context.
func (l changeLock) take(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for another change: %w", ctx.Err())
	}
}

// give gives it back.
func (l changeLock) give() { <-l }
