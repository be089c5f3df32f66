package stack

import (
	"context"
	"fmt"
	"sync"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

// twin renders a source for the engine, and keeps what was rendered. With inputs
// that are unknown it renders once more, with other examples in their place.
type twin struct {
	source engine.Source
	second map[string]any // values over those of the first render; nil: nothing is unknown

	mu          sync.Mutex
	first, next *render.Manifest
}

// Render renders as the source does.
func (t *twin) Render(ctx context.Context, in render.Input) (*render.Manifest, error) {
	first, err := t.source.Render(ctx, in)
	if err != nil || t.second == nil {
		t.keep(first, nil)
		return first, err
	}
	if in.Values, err = over(in.Values, t.second); err != nil {
		return nil, err
	}
	next, err := t.source.Render(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("with another example of an unknown output (see Output.Like): %w", err)
	}
	t.keep(first, next)
	return first, nil
}

func (t *twin) keep(first, next *render.Manifest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.first, t.next = first, next
}
