package engine

import "context"

// openSet makes the parent of the apply set list everything that is or will be
// a member, before the first one is written. parent is -1 if there is none.
func (r *run) openSet(ctx context.Context, parent int) error {
	if parent < 0 || r.w.steps[parent].object.desired == nil {
		return nil
	}
	s := r.w.steps[parent]
	had, want := scopeIn(s.object.live), scopeIn(s.object.desired)
	all := want.with(had).with(s.object.members)
	if !s.change.Changed() || all.equal(want) {
		return orNil(r.applyStep(ctx, parent))
	}
	if s.object.live != nil && all.equal(had) {
		return nil // closeSet writes it
	}
	body := s.write.body.DeepCopy()
	all.writeInto(body)
	if err := r.write(ctx, parent, s.write.withBody(body)); err != nil {
		return r.fail(parent, "apply", err)
	}
	return nil
}

// closeSet makes the parent list what is a member, after the last one has gone,
// or deletes it with the set.
func (r *run) closeSet(ctx context.Context, parent int) error {
	switch {
	case parent < 0 || r.state.ended(parent):
		return nil
	case r.w.steps[parent].object.desired == nil:
		return orNil(r.deleteStep(ctx, parent, r.opts.Foreground))
	}
	return orNil(r.applyStep(ctx, parent))
}
