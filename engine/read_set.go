package engine

import (
	"context"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// collectSetParent adds the parent of the apply set, if one is wanted, before
// everything else.
func (r *reader) collectSetParent(ctx context.Context) error {
	if !r.set.wanted || r.mode == rollingOut {
		return nil
	}
	parent, err := r.desire(ctx, setParent(r.key, r.desiredScope()), fromApplySet)
	if err != nil {
		return err
	}
	last := len(r.written) - 1
	r.written = append([]*object{parent}, r.written[:last]...)
	return nil
}

// desiredScope is the scope of what is desired. CRDs of crds/ belong to the
// cluster, and are no members.
func (r *reader) desiredScope() setScope {
	var s setScope
	for _, o := range r.written {
		if o.origin == fromManifest {
			s.add(r.key.Namespace, o.groupKind(), o.id.Namespace)
		}
	}
	return s
}

// candidateParent adds the parent of the apply set as a revision wrote it. Until
// a revision has become healthy its parent also lists what those before it
// had.
func (r *reader) candidateParent(ctx context.Context, record *storage.Record, objects []render.Object) error {
	var scope setScope
	if !wasHealthy(record.Status) {
		scope = r.setHas
	}
	for _, o := range objects {
		gvk, namespace := o.GroupVersionKind(), o.GetNamespace()
		if m, err := r.locator.mapping(ctx, gvk); err == nil && !cluster.Namespaced(m) { // otherwise it is gone, or not served yet
			namespace = ""
		}
		scope.add(r.key.Namespace, gvk.GroupKind(), namespace)
	}
	r.setHas = scope
	from := setParent(r.key, scope)
	parent := r.byID[setParentOf(r.key)]
	if parent == nil {
		at, err := r.e.locator(r.key, nil).locate(ctx, from.Unstructured, from.Source)
		if err != nil {
			return err
		}
		parent = &object{location: at, origin: fromApplySet, source: from.Source}
		r.byID[setParentOf(r.key)] = parent
		r.removed = append([]*object{parent}, r.removed...) // deleted last
	}
	base, err := r.baseOf(ctx, from.Unstructured, parent, record.Owner)
	if err != nil {
		return err
	}
	parent.candidates = append(parent.candidates, candidateOf(base, record))
	return nil
}

// labelMembers puts the members' label into what is desired and into what
// earlier revisions applied. A set that no revision recorded, because Helm
// recorded the last one, is recognised by its members; its parent is added, to
// be deleted.
func (r *reader) labelMembers(ctx context.Context) error {
	var parent *object
	var live setScope
	recorded := r.history.hasSet()
	for _, o := range r.objects {
		if o.isSetParent() {
			parent = o
			continue
		}
		is := partOf(o.live) == r.set.id
		if is {
			live.add(r.key.Namespace, o.groupKind(), o.id.Namespace)
		}
		if o.desired != nil && o.origin != fromCRDs && (r.set.wanted || r.set.keeps && is) && otherSet(o.desired, r.set) == "" {
			o.desired = joined(o.desired, r.set.id)
		}
		for i, c := range o.candidates {
			if (c.member || is && !recorded) && partOf(c.object) == "" {
				o.candidates[i].object = joined(c.object, r.set.id)
			}
		}
	}
	if parent != nil {
		parent.members = live
		return nil
	}
	if r.set.wanted || r.set.keeps || len(live.kinds) == 0 {
		return nil
	}
	return r.readForgottenParent(ctx, live)
}

func (r *reader) readForgottenParent(ctx context.Context, members setScope) error {
	at, err := r.e.locator(r.key, nil).locate(ctx, setParent(r.key, members).Unstructured, setSource)
	if err != nil {
		return err
	}
	parent := &object{location: at, origin: fromApplySet, source: setSource}
	r.objects = append(r.objects, parent)
	if r.blocked(parent) != nil {
		return nil
	}
	if err := r.get(ctx, parent); err != nil {
		return err
	}
	return r.liveReader().unreadable([]*object{parent})
}
