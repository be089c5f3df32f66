package merge

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// TakeOver gives manager the fields of live that former managers own and that
// base, the configuration which they applied last, holds. What they own beyond
// that stays theirs, so that no apply by manager removes it. It answers live
// with other managedFields, or live itself if there is nothing to take.
//
// Without it, a field that Helm once wrote and that is no longer desired would
// stay for ever: server-side apply removes only what its own manager owns.
//
// The former managers go on owning, too, the annotation mark, by which they
// are known.
//
// It fails with an [*UndecidedError] as Merge does. It changes no argument.
func (m *Merger) TakeOver(ctx context.Context, live, base *unstructured.Unstructured, manager string, former []string, mark string) (*unstructured.Unstructured, error) {
	isFormer := func(e metav1.ManagedFieldsEntry) bool {
		ours := e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply
		return !ours && e.Subresource == "" && slices.Contains(former, e.Manager)
	}
	if live == nil || base == nil || !slices.ContainsFunc(live.GetManagedFields(), isFormer) {
		return live, nil
	}
	applied := prepare(base)
	applied.SetAPIVersion(live.GetAPIVersion())
	foldStringData(applied)
	delete(applied.Object, "status")
	converter, err := m.schemas.of(ctx, live.GroupVersionKind().GroupVersion())
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, err
	case err != nil || converter == nil:
		return nil, undecided(live, ErrNoSchema, err)
	}
	value, err := converter.ObjectToTyped(applied)
	if err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	last, err := value.ToFieldSet()
	if err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	who, err := managersOf(live)
	if err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	own := metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: live.GetAPIVersion()}
	id, err := identity(own)
	if err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	sets, ours := who.sets.Copy(), &fieldpath.Set{}
	if have, ok := sets[id]; ok {
		ours = have.Set()
	} else {
		who.entries[id] = own
	}
	taken := false
	for other, set := range who.sets {
		if !isFormer(who.entries[other]) || string(set.APIVersion()) != live.GetAPIVersion() {
			continue
		}
		moved := set.Set().Intersection(last)
		if moved.Difference(ours).Empty() {
			continue
		}
		taken = true
		ours = ours.Union(moved)
		rest := set.Set().Leaves().Difference(moved)
		if p := fieldpath.MakePathOrDie("metadata", "annotations", mark); set.Set().Has(p) {
			rest.Insert(p)
		}
		if rest.Empty() {
			delete(sets, other)
		} else {
			sets[other] = fieldpath.NewVersionedSet(rest, set.APIVersion(), set.Applied())
		}
	}
	if !taken {
		return live, nil
	}
	sets[id] = fieldpath.NewVersionedSet(ours, fieldpath.APIVersion(live.GetAPIVersion()), true)
	strip(sets, id)
	out := live.DeepCopy()
	if err := who.write(out, sets); err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	return out, nil
}
