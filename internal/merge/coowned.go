package merge

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fairlead-dev/fairlead/diff"
)

// Lost is a field of a live object that is as desired, and that another manager
// owns since it changed it and changed it back.
type Lost struct {
	Manager string
	// Path is in the notation of diff.Field.
	Path string
	// Value is live.
	Value any
	// Time is when Manager wrote last; nil if unknown.
	Time *time.Time
}

// Lost returns the fields of desired that live has with the same value, that
// manager and the former managers do not own, and that another one does. There
// are none in an object of which manager and the former ones own nothing. It
// returns an [*UndecidedError] as Merge does.
func (m *Merger) Lost(ctx context.Context, live, desired *unstructured.Unstructured, manager string, former []string) ([]Lost, error) {
	l, err := m.lost(ctx, live, desired, manager, former)
	if err != nil {
		return nil, err
	}
	return l.fields, nil
}

// TakeBack moves the ownership of the fields that Lost returns, as far as they
// are selected, to manager. It returns live with other managedFields, or live
// itself if there are none. The arguments are not changed.
func (m *Merger) TakeBack(ctx context.Context, live, desired *unstructured.Unstructured, manager string, former []string, selected func(Lost) bool) (*unstructured.Unstructured, error) {
	l, err := m.lost(ctx, live, desired, manager, former)
	if err != nil {
		return nil, err
	}
	sets, taken := l.who.sets.Copy(), fieldpath.NewSet()
	for i, f := range l.fields {
		if !selected(f) {
			continue
		}
		id, set := l.ids[i], sets[l.ids[i]]
		taken.Insert(l.paths[i])
		if rest := set.Set().Difference(fieldpath.NewSet(l.paths[i])); rest.Leaves().Empty() {
			delete(sets, id)
		} else {
			sets[id] = fieldpath.NewVersionedSet(rest, set.APIVersion(), set.Applied())
		}
	}
	if taken.Empty() {
		return live, nil
	}
	own := metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: live.GetAPIVersion()}
	id, err := identity(own)
	if err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	if have, ok := sets[id]; ok {
		taken = taken.Union(have.Set())
	} else {
		l.who.entries[id] = own
	}
	sets[id] = fieldpath.NewVersionedSet(taken, fieldpath.APIVersion(live.GetAPIVersion()), true)
	out := live.DeepCopy()
	if err := l.who.write(out, sets); err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	return out, nil
}

// lost are lost fields, with the entry of managedFields and the path of each.
type lost struct {
	who    *managers
	fields []Lost
	ids    []string
	paths  []fieldpath.Path
}

func (m *Merger) lost(ctx context.Context, live, desired *unstructured.Unstructured, manager string, former []string) (*lost, error) {
	who, err := managersOf(live)
	if err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	out := &lost{who: who}
	ours := fieldpath.NewSet()
	var others []string
	for _, id := range who.order {
		e := who.entries[id]
		isOurs := e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == ""
		switch {
		case e.APIVersion != live.GetAPIVersion() || e.Subresource == "status":
		case isOurs || e.Manager == manager || slices.Contains(former, e.Manager):
			ours = ours.Union(who.sets[id].Set())
		default:
			others = append(others, id)
		}
	}
	if ours.Empty() || len(others) == 0 {
		return out, nil
	}
	wanted := prepare(desired)
	foldStringData(wanted)
	delete(wanted.Object, "status")
	wanted.SetAPIVersion(live.GetAPIVersion())
	converter, err := m.converterOf(ctx, live)
	if err != nil {
		return nil, err
	}
	value, err := converter.ObjectToTyped(wanted)
	if err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	fields, err := value.ToFieldSet()
	if err != nil {
		return nil, undecided(live, ErrLive, err)
	}
	missing := fields.Leaves().Difference(ours)
	for _, id := range others {
		e := who.entries[id]
		missing.Intersection(who.sets[id].Set().Leaves()).Iterate(func(p fieldpath.Path) {
			have := at(live.Object, p)
			if have == nil || !Covers(have, at(wanted.Object, p)) {
				return
			}
			f := Lost{Manager: e.Manager, Path: diff.FormatPath(p), Value: have}
			if e.Time != nil {
				t := e.Time.UTC()
				f.Time = &t
			}
			out.fields, out.ids, out.paths = append(out.fields, f), append(out.ids, id), append(out.paths, p.Copy())
		})
	}
	return out, nil
}
