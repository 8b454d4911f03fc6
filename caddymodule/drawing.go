package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"licgate/render"
)

// drawings bounds how many licences are drawn at once, over all configurations: one with a large photo takes tens of megabytes for a moment.
var drawings = make(chan struct{}, min(2*runtime.GOMAXPROCS(0), 16))

// inTurn does a drawing when its turn comes.
func inTurn(ctx context.Context, draw func() error) error {
	select {
	case drawings <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("waiting to draw: %w", ctx.Err())
	}
	defer func() { <-drawings }()
	return draw()
}

// drawn draws a view of an item's licence by draw, which reads the view. A face that has no room for a value, because the licence was issued in
// other fonts or under another program, gives way to the plain one.
func (t *trip) drawn(ctx context.Context, item string, v *render.View, draw func() error) error {
	return inTurn(ctx, func() error {
		err := draw()
		if v.Template == nil || !errors.Is(err, render.ErrOverflow) {
			return err
		}
		t.app.gateway.faceless(item, v.Template.Version(), err)
		v.Template = nil
		return draw()
	})
}

// fitPicture is render.FitPicture in its turn: reading a picture takes as much as drawing one.
func fitPicture(file []byte, holder bool, most int) (kept []byte, suffix, fault string) {
	_ = inTurn(context.Background(), func() error { // a context that does not end: no error
		kept, suffix, fault = render.FitPicture(file, holder, most)
		return nil
	})
	return kept, suffix, fault
}
