package stack

import (
	"context"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
)

// outputPoll is how often an output is looked for that is not there yet.
const outputPoll = 250 * time.Millisecond

// inputs are the values of a member's inputs now that what it needs is ready. It
// waits for those that are not there yet, for all of them until one Timeout is over.
func (a *application) inputs(ctx context.Context, m *member) (inputs, error) {
	in := newInputs()
	limit := a.opts.Timeout
	if limit <= 0 {
		limit = engine.DefaultTimeout
	}
	until := time.Now().Add(limit)
	for _, path := range m.paths {
		o := m.Inputs[path]
		r, err := a.await(ctx, o, until)
		if err != nil {
			return in, err
		}
		in.add(path, o, r)
	}
	return in, nil
}

// await is the value of an output once it is there, or ErrOutputMissing.
func (a *application) await(ctx context.Context, o Output, until time.Time) (resolved, error) {
	for {
		r, err := a.current(ctx, o)
		if err != nil || r.known {
			return r, err
		}
		if time.Now().After(until) {
			return resolved{}, &OutputError{o.String(), ErrOutputMissing}
		}
		select {
		case <-ctx.Done():
			return resolved{}, context.Cause(ctx)
		case <-time.After(outputPoll):
		}
	}
}

// current is the value of an output now, if it is there, with what its member hides.
func (a *application) current(ctx context.Context, o Output) (resolved, error) {
	r, err := a.find(ctx, o)
	if err != nil || !r.known {
		return r, err
	}
	if o.kind != outputFunc {
		a.mu.Lock()
		r.hide = addObjects(r.hide, a.state[o.member].release.Hide)
		a.mu.Unlock()
		now, before, err := a.secrets(ctx, a.byName[o.member])
		if err != nil {
			return resolved{}, err
		}
		r.hide = addObjects(addObjects(r.hide, before), showing(r.value, now))
	}
	r.value, err = o.typed(r.value)
	return r, err
}

func (a *application) find(ctx context.Context, o Output) (resolved, error) {
	switch o.kind {
	case outputFunc:
		return o.findFunc(ctx, func(f Output) (resolved, error) { return a.current(ctx, f) })
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
