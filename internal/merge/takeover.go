package merge

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// TakeOver moves the ownership of fields from former managers to manager: those
// that are in base, the configuration that the former managers applied last.
// Other fields keep their owners, so that no apply by manager removes them. It
// returns live with other managedFields, or live itself if nothing is moved.
//
// Without it, a field that Helm once wrote and that is no longer desired would
// stay forever: server-side apply removes only what its own manager owns.
//
// The former managers also keep the annotation mark, by which they are
// recognized.
//
// It returns an [*UndecidedError] as Merge does. The arguments are not changed.
func (m *Merger) TakeOver(ctx context.Context, live, base *unstructured.Unstructured, manager string, former []string, mark string) (*unstructured.Unstructured, error) {
	isFormer := func(e metav1.ManagedFieldsEntry) bool {
		ours := e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply
		return !ours && e.Subresource == "" && slices.Contains(former, e.Manager)
	}
	unmanaged := live != nil && len(live.GetManagedFields()) == 0 && slices.Contains(former, UnmanagedFields)
	if live == nil || base == nil || !unmanaged && !slices.ContainsFunc(live.GetManagedFields(), isFormer) {
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
	if err == nil && unmanaged {
		err = who.addUnmanaged(converter, live)
	}
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
		if rest.Empty() || unmanaged {
			// Of an object without managedFields the rest is defaults, which have no
			// owner elsewhere either: an owner would keep them when what they belong
			// to is removed.
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

// UnmanagedFields is the manager to which the API server assigns the fields of
// an object without managedFields when it is applied.
const UnmanagedFields = "before-first-apply"

// addUnmanaged assigns all fields of live to UnmanagedFields.
func (m *managers) addUnmanaged(converter managedfields.TypeConverter, live *unstructured.Unstructured) error {
	whole := prepare(live)
	delete(whole.Object, "status")
	value, err := converter.ObjectToTyped(whole)
	if err != nil {
		return err
	}
	set, err := value.ToFieldSet()
	if err != nil {
		return err
	}
	entry := metav1.ManagedFieldsEntry{Manager: UnmanagedFields, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: live.GetAPIVersion()}
	id, err := identity(entry)
	if err != nil {
		return err
	}
	m.entries[id], m.order = entry, append(m.order, id)
	m.sets[id] = fieldpath.NewVersionedSet(set, fieldpath.APIVersion(live.GetAPIVersion()), false)
	strip(m.sets, id)
	return nil
}
