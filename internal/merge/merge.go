package merge

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/merge"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/fairlead-dev/fairlead/diff"
)

// Merger merges objects as the API server behind its Loader would. It is safe
// for concurrent use, and keeps a bounded number of parsed schemas.
type Merger struct {
	schemas schemas
	// Define returns the OpenAPI schema of a custom resource by its definition; nil
	// if there is none, or it may not be read. It is asked where the server has no
	// schema, because it publishes that of a new kind a while after it serves it.
	// Nil: never. It must be set before the Merger is used.
	Define func(ctx context.Context, gvk schema.GroupVersionKind) (map[string]any, error)
}

// New returns a Merger. Schemas are loaded when the first object of their group
// version is merged.
func New(load Loader) *Merger {
	return &Merger{schemas: schemas{load: load}}
}

// Forget drops the cached schema of gv. It must be called when the schema has
// changed, because a CustomResourceDefinition was written.
func (m *Merger) Forget(gv schema.GroupVersion) { m.schemas.forget(gv) }

// ForgetGroup is Forget of all versions of a group.
func (m *Merger) ForgetGroup(group string) { m.schemas.forgetGroup(group) }

// Request is one apply to compute.
type Request struct {
	// Live is the object as the cluster has it, with its managedFields; nil
	// if it does not exist.
	Live *unstructured.Unstructured
	// Desired is the configuration to apply.
	Desired *unstructured.Unstructured
	// Base is what Manager applied last; nil if unknown. It separates defaults
	// from Manager's own earlier values in lists and maps that are replaced as a
	// whole.
	Base *unstructured.Unstructured
	// Manager is the field manager that applies.
	Manager string
	// Force takes over the fields of other managers.
	Force bool
	// Yield reports whether a conflict is resolved by leaving the field to the
	// other manager. Nil: none is.
	Yield func(Conflict) bool
}

// Result is the outcome of a Request.
type Result struct {
	// Merged is the object after the apply; if there are conflicts, after a
	// forced one. Its managedFields are the resulting ones, with the times of
	// live.
	Merged *unstructured.Unstructured
	// Conflicts are the fields because of which the API server would reject the
	// apply, by path and manager. None if it is forced.
	Conflicts []Conflict
	// Removed are the paths that are in live and not in Merged.
	Removed []string
	// Yielded are the conflicts that Request.Yield resolved, and Desired is what
	// remains to be applied then; nil if there are none.
	Yielded []Conflict
	Desired *unstructured.Unstructured
}

// Conflict is a field that desired would change and another manager owns.
type Conflict struct {
	Manager string
	// Operation is Apply or Update.
	Operation metav1.ManagedFieldsOperationType
	// Subresource is the one that Manager wrote through, such as scale.
	Subresource string
	// Time is when Manager wrote last; nil if unknown.
	Time *time.Time
	// Path is in the notation of diff.Field.
	Path string
	// Live and Desired are the values; nil if absent or null, which can be owned
	// as well, and Live also for a Secret's stringData, which is write-only.
	Live, Desired any
}

// Apply merges desired into live as manager would by server-side apply; live
// is nil for an object that does not exist. If there are conflicts and force is
// not set, merged is the result of a forced apply. The arguments are not changed.
//
// It returns an [*UndecidedError] if only the API server can compute the result,
// and an [*InvalidError] if desired does not match the schema.
func (m *Merger) Apply(ctx context.Context, live, desired *unstructured.Unstructured, manager string, force bool) (merged *unstructured.Unstructured, conflicts []Conflict, err error) {
	r, err := m.Merge(ctx, Request{Live: live, Desired: desired, Manager: manager, Force: force})
	return r.Merged, r.Conflicts, err
}

// Merge is Apply with all options. It returns the same errors.
func (m *Merger) Merge(ctx context.Context, req Request) (Result, error) {
	if req.Desired == nil {
		return Result{}, errors.New("merge: Request.Desired is nil")
	}
	desired := prepare(req.Desired)
	gvk := desired.GroupVersionKind()
	if _, ok := desired.Object["status"]; ok {
		if !diff.IsBuiltinGroup(gvk.Group) {
			return Result{}, undecided(desired, ErrStatus, nil)
		}
		delete(desired.Object, "status")
	}
	converter, err := m.converterOf(ctx, desired)
	if err != nil {
		return Result{}, err
	}

	live, who := emptyOf(desired), &managers{sets: fieldpath.ManagedFields{}}
	if req.Live != nil {
		if v := req.Live.GetAPIVersion(); v != desired.GetAPIVersion() {
			return Result{}, undecided(desired, ErrVersion, errors.New("live is "+v))
		}
		if who, err = managersOf(req.Live); err != nil {
			return Result{}, undecided(desired, ErrLive, err)
		}
		live = prepare(req.Live)
	}
	for id, set := range who.sets {
		if v := string(set.APIVersion()); v != desired.GetAPIVersion() {
			return Result{}, undecided(desired, ErrVersion, errors.New("manager "+who.entries[id].Manager+" wrote "+v))
		}
	}
	liveTyped, err := converter.ObjectToTyped(live, typed.AllowDuplicates)
	if err != nil {
		if isNoType(converter, live) {
			return Result{}, undecided(desired, ErrNoSchema, err)
		}
		return Result{}, undecided(desired, ErrLive, err)
	}
	desiredTyped, err := converter.ObjectToTyped(desired)
	if err != nil {
		return Result{}, &InvalidError{GVK: gvk, Namespace: desired.GetNamespace(), Name: desired.GetName(), Err: err}
	}
	a := &apply{
		updater: (&merge.UpdaterBuilder{Converter: sameVersion{}}).BuildUpdater(),
		version: fieldpath.APIVersion(desired.GetAPIVersion()),
		live:    liveTyped, desired: desiredTyped,
		who: who,
	}
	if err := a.manager(req, converter, live); err != nil {
		return Result{}, undecided(desired, ErrLive, err)
	}
	return a.run(req, live, desired, converter)
}

// apply is one merge in progress.
type apply struct {
	updater       *merge.Updater
	version       fieldpath.APIVersion
	live, desired *typed.TypedValue
	who           *managers
	id            string // our manager's
}

// manager sets the identity of Request.Manager, and assigns the fields of an
// object without managedFields to the manager that the API server uses then.
func (a *apply) manager(req Request, converter managedfields.TypeConverter, live *unstructured.Unstructured) error {
	e := metav1.ManagedFieldsEntry{Manager: req.Manager, Operation: metav1.ManagedFieldsOperationApply}
	id, err := identity(e)
	if err != nil {
		return err
	}
	a.id = id
	if a.who.entries == nil {
		a.who.entries = map[string]metav1.ManagedFieldsEntry{}
	}
	if _, ok := a.who.entries[id]; !ok {
		a.who.entries[id] = e
	}
	if req.Live == nil || len(a.who.sets) > 0 {
		return nil
	}
	e = metav1.ManagedFieldsEntry{Manager: UnmanagedFields, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: string(a.version)}
	if id, err = identity(e); err != nil {
		return err
	}
	empty, err := converter.ObjectToTyped(emptyOf(live))
	if err != nil {
		return err
	}
	_, sets, err := a.updater.Update(empty, a.live, a.version, fieldpath.ManagedFields{}, id)
	if err != nil {
		return err
	}
	strip(sets, id)
	a.who.entries[id] = e
	a.who.sets = sets
	return nil
}

func (a *apply) run(req Request, live, desired *unstructured.Unstructured, converter managedfields.TypeConverter) (Result, error) {
	var res Result
	before := a.who.sets[a.id]
	merged, sets, err := a.updater.Apply(a.live, a.desired, a.version, a.who.sets.Copy(), a.id, req.Force)
	var conflicts merge.Conflicts
	if errors.As(err, &conflicts) && req.Yield != nil {
		if res.Yielded, res.Desired, err = a.yield(req, conflicts, live, desired, converter); err != nil {
			return Result{}, undecided(desired, ErrLive, err)
		}
		if res.Desired != nil {
			desired = res.Desired
		}
		merged, sets, err = a.updater.Apply(a.live, a.desired, a.version, a.who.sets.Copy(), a.id, req.Force)
		conflicts = nil
	}
	if errors.As(err, &conflicts) {
		res.Conflicts = a.conflicts(conflicts, live, desired)
		merged, sets, err = a.updater.Apply(a.live, a.desired, a.version, a.who.sets.Copy(), a.id, true)
	}
	if err != nil {
		return Result{}, undecided(desired, ErrLive, err)
	}
	strip(sets, a.id)
	u := live // where nothing changes
	if merged != nil {
		o, err := converter.TypedToObject(merged)
		if err != nil {
			return Result{}, undecided(desired, ErrLive, err)
		}
		u = o.(*unstructured.Unstructured)
	}
	u = u.DeepCopy()
	dropNull(u.Object, live.Object, nullableIn(converter, u.GroupVersionKind()))
	foldStringData(u)
	if req.Live != nil && req.Base != nil && before != nil {
		keepDefaults(u.Object, live.Object, desired.Object, prepare(req.Base).Object, before.Set(), sets[a.id])
	}
	if merged != nil {
		res.Removed = removed(converter, live, u)
	}
	if err := a.who.write(u, sets); err != nil {
		return Result{}, undecided(desired, ErrLive, err)
	}
	res.Merged = u
	return res, nil
}

// yield removes from desired the fields that are left to other managers.
func (a *apply) yield(req Request, in merge.Conflicts, live, desired *unstructured.Unstructured, converter managedfields.TypeConverter) ([]Conflict, *unstructured.Unstructured, error) {
	left := fieldpath.NewSet()
	var yielded []Conflict
	for _, c := range in {
		conflict := a.conflicts(merge.Conflicts{c}, live, desired)[0]
		if req.Yield(conflict) {
			left.Insert(c.Path)
			yielded = append(yielded, conflict)
		}
	}
	if len(yielded) == 0 {
		return nil, nil, nil
	}
	a.desired = a.desired.RemoveItems(left)
	o, err := converter.TypedToObject(a.desired)
	if err != nil {
		return nil, nil, err
	}
	return yielded, o.(*unstructured.Unstructured), nil
}

func (a *apply) conflicts(in merge.Conflicts, live, desired *unstructured.Unstructured) []Conflict {
	out := make([]Conflict, 0, len(in))
	for _, c := range in {
		e := a.who.entries[c.Manager]
		n := Conflict{
			Manager: e.Manager, Operation: e.Operation, Subresource: e.Subresource,
			Path: diff.FormatPath(c.Path), Live: at(live.Object, c.Path), Desired: at(desired.Object, c.Path),
		}
		if e.Time != nil {
			t := e.Time.UTC()
			n.Time = &t
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b Conflict) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Manager, b.Manager), cmp.Compare(a.Subresource, b.Subresource))
	})
	return out
}

// removed returns the paths that are in live and not in merged, without those
// below another one.
func removed(converter managedfields.TypeConverter, live, merged *unstructured.Unstructured) []string {
	l, err := converter.ObjectToTyped(live, typed.AllowDuplicates)
	if err != nil {
		return nil
	}
	m, err := converter.ObjectToTyped(merged, typed.AllowDuplicates)
	if err != nil {
		return nil
	}
	c, err := l.Compare(m)
	if err != nil {
		return nil
	}
	var out []string
	c.Removed.Iterate(func(p fieldpath.Path) {
		for n := 1; n < len(p); n++ {
			if c.Removed.Has(p[:n]) {
				return
			}
		}
		out = append(out, diff.FormatPath(p))
	})
	slices.Sort(out)
	return out
}

// sameVersion converts nothing: other versions were rejected before.
type sameVersion struct{}

func (sameVersion) Convert(v *typed.TypedValue, _ fieldpath.APIVersion) (*typed.TypedValue, error) {
	return v, nil
}
func (sameVersion) IsMissingVersionError(error) bool { return false }

// strip removes from a manager's fields those that cannot be owned.
func strip(sets fieldpath.ManagedFields, id string) {
	set, ok := sets[id]
	if !ok {
		return
	}
	out := set.Set().Difference(fieldpath.NewSet(
		fieldpath.MakePathOrDie("apiVersion"), fieldpath.MakePathOrDie("kind"),
		fieldpath.MakePathOrDie("metadata"), fieldpath.MakePathOrDie("metadata", "name"),
		fieldpath.MakePathOrDie("metadata", "namespace"), fieldpath.MakePathOrDie("metadata", "creationTimestamp"),
		fieldpath.MakePathOrDie("metadata", "selfLink"), fieldpath.MakePathOrDie("metadata", "uid"),
		fieldpath.MakePathOrDie("metadata", "clusterName"), fieldpath.MakePathOrDie("metadata", "generation"),
		fieldpath.MakePathOrDie("metadata", "managedFields"), fieldpath.MakePathOrDie("metadata", "resourceVersion"),
	))
	if out.Empty() {
		delete(sets, id)
		return
	}
	sets[id] = fieldpath.NewVersionedSet(out, set.APIVersion(), set.Applied())
}

// isNoType reports whether the schema lacks the kind, by converting an empty
// object.
func isNoType(converter managedfields.TypeConverter, u *unstructured.Unstructured) bool {
	_, err := converter.ObjectToTyped(emptyOf(u))
	return err != nil
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
