package engine

import (
	"context"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
)

// besideLive reads the history of a release, and beside it the live objects that
// its last plan was about, if the newest revision is still the one that this engine
// has read or written last.
func (e *Engine) besideLive(ctx context.Context, k Key, read func(context.Context, Key) (*history, error)) (*history, error) {
	at, before := e.whereabouts.of(k), e.store.Remembered(k.Namespace, k.Name)
	if len(at) == 0 || before.IsZero() {
		return read(ctx, k)
	}
	var h *history
	var found early
	err := parallel.All(ctx,
		func(ctx context.Context) (err error) { h, err = read(ctx, k); return err },
		func(ctx context.Context) error { found = e.readEarly(ctx, k, at); return nil },
	)
	if err == nil && before.IsNewestOf(h.inventory) {
		h.early = found
	}
	return h, err
}

// readEarly reads live objects; nil if not all of them can be read. Those are left out
// that may be read only for what is desired.
func (e *Engine) readEarly(ctx context.Context, k Key, at []location) early {
	var objects []*object
	out := early{}
	for _, l := range at {
		if e.blocked(k, l.id, nil) != nil {
			continue
		}
		o := &object{location: l}
		objects, out[identity(l.id)] = append(objects, o), o
	}
	l := liveReader{e: e, key: k}
	if err := l.fetch(cluster.Accounted(ctx), objects); err != nil || l.unreadable(objects) != nil {
		return nil
	}
	return out
}
