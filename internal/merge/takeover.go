package merge

import (
	"bytes"
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/fairlead-dev/fairlead/diff"
)

// Former are field managers whose fields another manager takes over.
type Former struct {
	Managers []string
	// Base is the configuration that they applied last; nil if it is not known.
	Base *unstructured.Unstructured
	// Desired is what is applied next; nil if it is not known. Of a mapping that
	// Base has and Desired lacks, the former managers keep no defaults either,
	// which would keep the rest of it from going.
	Desired *unstructured.Unstructured
	// Entire are those of Managers of which all fields are moved, where they
	// wrote by server-side apply, or where Base is nil: what they own is then
	// what they applied.
	Entire []string
	// Leave reports whether a field stays with its manager all the same, by its
	// path in the notation of diff.Field: of a manager that did not write by
	// server-side apply, whose fields include defaults. Nil: none does.
	Leave func(path string) bool
	// Reversion writes all entries of managedFields of other API versions in the
	// version of live, with those of their fields that live has: the API server
	// cannot apply an object if the schema of an entry's version lacks what is
	// applied.
	Reversion bool
	// Mark is an annotation that its managers keep, by which they are recognized;
	// empty: there is none.
	Mark string
}

// names reports whether an entry of managedFields is one of these managers'.
func (f Former) names(e metav1.ManagedFieldsEntry, manager string) bool {
	ours := e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply
	return !ours && e.Subresource == "" && slices.Contains(f.Managers, e.Manager)
}

func (f Former) movesAll(e metav1.ManagedFieldsEntry) bool {
	return slices.Contains(f.Entire, e.Manager) && (f.Base == nil || e.Operation == metav1.ManagedFieldsOperationApply)
}

// moved are the fields of a former manager that are taken over; last are those
// that were applied last.
func (f Former) moved(e metav1.ManagedFieldsEntry, set, last *fieldpath.Set) *fieldpath.Set {
	if !f.movesAll(e) {
		return set.Intersection(last)
	}
	if f.Leave == nil || e.Operation == metav1.ManagedFieldsOperationApply {
		return set
	}
	left := fieldpath.NewSet()
	set.Iterate(func(p fieldpath.Path) {
		if f.Leave(diff.FormatPath(p)) {
			left.Insert(p.Copy())
		}
	})
	return set.Difference(left)
}

// TakeOver moves the ownership of fields from former managers to manager: those
// that are in the configuration that they applied last, or all of them, see
// [Former]. Other fields keep their owners, so that no apply by manager removes
// them. It returns live with other managedFields, or live itself if nothing is
// moved.
//
// Without it, a field that Helm once wrote and that is no longer desired would
// stay forever: server-side apply removes only what its own manager owns.
//
// It returns an [*UndecidedError] as Merge does. The arguments are not changed.
func (m *Merger) TakeOver(ctx context.Context, live *unstructured.Unstructured, manager string, f Former) (*unstructured.Unstructured, error) {
	if live == nil {
		return live, nil
	}
	if f.Reversion {
		current, err := m.reversion(ctx, live)
		if err != nil {
			return nil, err
		}
		live = current
	}
	unmanaged := len(live.GetManagedFields()) == 0 && slices.Contains(f.Managers, UnmanagedFields)
	if !(unmanaged && f.Base != nil) && !slices.ContainsFunc(live.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool {
		return f.names(e, manager) && (f.Base != nil || f.movesAll(e))
	}) {
		return live, nil
	}
	converter, err := m.converterOf(ctx, live)
	if err != nil {
		return nil, err
	}
	last, err := f.lastApplied(converter, live)
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
		entry := who.entries[other]
		if !f.names(entry, manager) || string(set.APIVersion()) != live.GetAPIVersion() {
			continue
		}
		moved := f.moved(entry, set.Set(), last)
		own := entry.Manager == manager // by other means than an apply
		if moved.Difference(ours).Empty() && !own {
			continue
		}
		taken = true
		ours = ours.Union(moved)
		if rest := f.rest(set.Set(), moved); rest.Empty() || unmanaged || own {
			// Of an object without managedFields, and of what manager patched as a
			// whole, the rest is defaults, which have no owner elsewhere either: an
			// owner would keep them when what they belong to is removed.
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

// rest are the fields that stay a former manager's: those that do not move, and
// the mark.
func (f Former) rest(set, moved *fieldpath.Set) *fieldpath.Set {
	rest := set.Leaves().Difference(moved)
	if f.Base != nil && f.Desired != nil {
		kept := fieldpath.NewSet()
		rest.Iterate(func(p fieldpath.Path) {
			if !f.leaves(p) {
				kept.Insert(p.Copy())
			}
		})
		rest = kept
	}
	if p := fieldpath.MakePathOrDie("metadata", "annotations", f.Mark); f.Mark != "" && set.Has(p) {
		rest.Insert(p)
	}
	return rest
}

// leaves reports whether a field goes along with a mapping that leaves the
// manifest.
func (f Former) leaves(p fieldpath.Path) bool {
	for i := 1; i < len(p); i++ {
		_, isMap := at(f.Base.Object, p[:i]).(map[string]any)
		if isMap && p[i-1].FieldName != nil && at(f.Desired.Object, p[:i]) == nil {
			return true
		}
	}
	return false
}

// lastApplied are the fields of Base in the version of live.
func (f Former) lastApplied(converter managedfields.TypeConverter, live *unstructured.Unstructured) (*fieldpath.Set, error) {
	if f.Base == nil {
		return fieldpath.NewSet(), nil
	}
	applied := prepare(f.Base)
	applied.SetAPIVersion(live.GetAPIVersion())
	foldStringData(applied)
	delete(applied.Object, "status")
	// Helm may have applied items of a list twice.
	value, err := converter.ObjectToTyped(applied, typed.AllowDuplicates)
	if err != nil {
		return nil, err
	}
	return value.ToFieldSet()
}

// reversion returns live with all entries of managedFields in its own version.
func (m *Merger) reversion(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	converter, err := m.converterOf(ctx, live)
	if err != nil {
		return nil, err
	}
	whole := prepare(live)
	delete(whole.Object, "status") // which is its controllers' business
	value, err := converter.ObjectToTyped(whole, typed.AllowDuplicates)
	if err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	has, err := value.ToFieldSet()
	if err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	entries := live.GetManagedFields()
	var out []metav1.ManagedFieldsEntry
	for _, e := range entries {
		if e.APIVersion == live.GetAPIVersion() || e.FieldsV1 == nil {
			out = append(out, e)
			continue
		}
		set := &fieldpath.Set{}
		if err := set.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())); err != nil {
			return nil, undecided(live, ErrLive, err)
		}
		text, err := set.Intersection(has).ToJSON()
		if err != nil {
			return nil, undecided(live, ErrLive, err)
		}
		e.APIVersion, e.FieldsV1 = live.GetAPIVersion(), metav1.NewFieldsV1(string(text))
		if string(text) != "{}" {
			out = append(out, e)
		}
	}
	current := live.DeepCopy()
	current.SetManagedFields(out)
	return current, nil
}

// UnmanagedFields is the manager to which the API server assigns the fields of
// an object without managedFields when it is applied.
const UnmanagedFields = "before-first-apply"

// addUnmanaged assigns all fields of live to UnmanagedFields.
func (m *managers) addUnmanaged(converter managedfields.TypeConverter, live *unstructured.Unstructured) error {
	whole := prepare(live)
	delete(whole.Object, "status")
	value, err := converter.ObjectToTyped(whole, typed.AllowDuplicates)
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
