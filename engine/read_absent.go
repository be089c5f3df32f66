package engine

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
)

// expectsNone reports whether an object is to be looked for by the dry-run that
// judges it anyway, which shows whether it exists: the first revision of a release
// mostly creates its objects, and a GET before that is a request more.
func (r *reader) expectsNone(o *object) bool {
	switch {
	case r.asking.DryRun == DryRunNone, len(r.history.inventory.Revisions) > 0, r.set.wanted, r.set.keeps:
		return false
	case o.desired == nil, o.origin != fromManifest, o.isDefinition(), isNamespace(o.id):
		return false
	case o.readAs != nil, o.pending, isPlain(o.desired) && isOrdinary(o.desired):
		return false
	case o.id.Namespace != "" && (o.id.Namespace != r.key.Namespace || r.asking.assume.namespaces()[o.id.Namespace]):
		return false
	}
	_, brought := r.brings[o.groupKind()]
	return !brought
}

// absent reports whether an object does not exist, and notes what creating it
// would give. Whatever else the API server says, the object is to be read.
func (l liveReader) absent(ctx context.Context, o *object) bool {
	if l.refused.Load() {
		return false
	}
	ctx, warned := cluster.WithWarnings(ctx)
	u, err := l.e.serverSideApply(ctx, o.target, o.desired, false, true)
	if apierrors.IsForbidden(err) && lacksPermission(err) {
		l.refused.Store(true)
	}
	if err != nil || u.GetResourceVersion() != "" { // only what is not stored has none
		return false
	}
	o.asked, o.readWarnings = &askedCreate{o.desired, u}, warned.Texts()
	return true
}

// askOrGet reads an object that is expected not to exist.
func (l liveReader) askOrGet(ctx context.Context, o *object) error {
	if l.absent(ctx, o) {
		return nil
	}
	return l.get(ctx, o)
}

// expectedAbsent are the objects that are expected not to exist, and the others.
func (l liveReader) expectedAbsent(objects []*object) (expected, others []*object) {
	if l.expectsNone == nil {
		return nil, objects
	}
	for _, o := range objects {
		if l.expectsNone(o) {
			expected = append(expected, o)
		} else {
			others = append(others, o)
		}
	}
	return expected, others
}

// probe is objects of one kind and namespace that are read once it is known
// whether the first expected one exists: if it does, so do the others, probably,
// and a LIST is cheaper than asking for each.
type probe struct{ expected, others []*object }

func (l liveReader) readProbed(ctx context.Context, probes []probe) error {
	work := parallel.New(ctx, l.e.opts.Concurrency)
	for _, p := range probes {
		if p.expected[0].asked != nil {
			l.each(work, l.askOrGet, p.expected[1:])
			l.each(work, l.get, p.others)
			continue
		}
		work.Do(func(ctx context.Context) error { return l.list(ctx, slices.Concat(p.expected, p.others)) })
	}
	return work.Wait()
}
