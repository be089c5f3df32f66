package stack

import (
	"context"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
)

// outputPoll is how often an output is looked for that is not there yet.
const outputPoll = 250 * time.Millisecond

// inputs are the values of a member's inputs now that what it needs is ready.
func (a *application) inputs(ctx context.Context, m *member) (inputs, error) {
	in := inputs{first: map[string]any{}, second: map[string]any{}, known: map[string]any{}}
	limit := a.opts.Timeout
	if limit <= 0 {
		limit = engine.DefaultTimeout
	}
	for _, path := range m.paths {
		o := m.Inputs[path]
		until := time.Now().Add(limit)
		for {
			r, err := a.current(ctx, o)
			if err != nil {
				return in, err
			}
			if r.known {
				if r.value, err = o.typed(r.value); err != nil {
					return in, err
				}
				in.add(path, o, r)
				break
			}
			if time.Now().After(until) {
				return in, &OutputError{o.String(), ErrOutputMissing}
			}
			select {
			case <-ctx.Done():
				return in, context.Cause(ctx)
			case <-time.After(outputPoll):
			}
		}
	}
	return in, nil
}

// current is the value of an output now, with what its member hides.
func (a *application) current(ctx context.Context, o Output) (resolved, error) {
	r, err := a.find(ctx, o)
	if err != nil || o.kind == outputFunc {
		return r, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r.hide = addObjects(r.hide, a.state[o.member].release.Hide)
	return r, nil
}

func (a *application) find(ctx context.Context, o Output) (resolved, error) {
	switch o.kind {
	case outputFunc:
		return o.findFunc(ctx, func(f Output) (resolved, error) {
			r, err := a.current(ctx, f)
			if err == nil && r.known {
				r.value, err = f.typed(r.value)
			}
			return r, err
		})
	case outputValue:
		names, _ := splitPath(o.path)
		a.mu.Lock()
		defer a.mu.Unlock()
		value := at(a.state[o.member].release.Values.Map(), names)
		if value == nil {
			return resolved{}, &OutputError{o.String(), ErrOutputMissing}
		}
		return resolved{value: value, known: true}, nil
	case outputNotes:
		m := a.byName[o.member]
		stored, err := m.engine.Get(ctx, m.key(), 0)
		if err != nil {
			return resolved{}, err
		}
		return resolved{value: stored.Notes, known: true}, nil
	}
	return a.byName[o.member].live(ctx, o)
}
