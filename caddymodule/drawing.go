package caddymodule

import (
	"context"
	"fmt"
	"runtime"

	"licgate/render"
)

// drawings bounds how many licences are drawn at once, over all configurations: one with a large photo takes tens of megabytes for a moment.
var drawings = make(chan struct{}, min(2*runtime.GOMAXPROCS(0), 16))

// drawn does a drawing when its turn comes.
func drawn[T any](ctx context.Context, draw func() (T, error)) (T, error) {
	select {
	case drawings <- struct{}{}:
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("waiting to draw: %w", ctx.Err())
	}
	defer func() { <-drawings }()
	return draw()
}

// unfitPhoto is render.UnfitPhoto in its turn: reading a photo takes as much as drawing it.
func unfitPhoto(file []byte) string {
	fault, _ := drawn(context.Background(), func() (string, error) { return render.UnfitPhoto(file), nil })
	return fault
}
