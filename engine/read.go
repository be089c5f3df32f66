package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// reader collects the objects of a plan, in the phases of readPhases.
type reader struct {
	e *Engine
	premise
	want    wanted
	locator *locator

	byID    map[diff.Object]*object      // by identity
	written []*object                    // in install order
	removed []*object                    // in the order of the revisions that applied them
	setHas  setScope                     // what recorded revisions list in the set's parent
	secrets []*unstructured.Unstructured // of the revisions that count, those of their hooks included
	reading
}

// readPhases are the phases of reading, in order. Each needs what those before
// it have filled in.
var readPhases = []struct {
	name string
	run  func(*reader, context.Context) error
}{
	{"collect what is desired", (*reader).collectDesired},
	{"collect the parent of the apply set", (*reader).collectSetParent},
	{"collect what earlier revisions applied", (*reader).collectApplied},
	{"order", (*reader).order},
	{"read live objects", (*reader).readLive},
	{"label members of the apply set", (*reader).labelMembers},
	{"select what was applied last", (*reader).selectBases},
	{"hide Secrets", (*reader).hideSecrets},
	{"compare with what was written last", (*reader).desireWritten},
	{"find kinds that are not served yet", (*reader).awaitDefinitions},
	{"find namespaces", (*reader).findNamespaces},
}

// read collects the objects of a plan: what is wanted, in install order, then
// what earlier revisions applied and is no longer wanted, in uninstall order;
// each with its live state.
func (e *Engine) read(ctx context.Context, p premise, want wanted) (reading, error) {
	if p.policy.definitions == CRDsSkip {
		want.crds = nil
	}
	r := &reader{e: e, premise: p, want: want, byID: map[diff.Object]*object{}}
	r.brings = kindsOf(append(append([]render.Object(nil), want.crds...), want.objects...)...)
	if p.policy.definitions == CRDsCreate {
		for kind, k := range kindsOf(want.crds...) {
			k.unchanged = true
			r.brings[kind] = k
		}
	}
	for kind, k := range p.asking.assume.kinds() {
		if _, own := r.brings[kind]; !own {
			r.brings[kind] = k
		}
	}
	r.locator = e.locator(p.key, r.brings)
	for _, phase := range readPhases {
		if err := phase.run(r, ctx); err != nil {
			return reading{}, err
		}
	}
	if r.mode != rollingOut { // which is about one object of many
		e.whereabouts.note(p.key, r.objects)
	}
	return r.reading, nil
}

func (r *reader) collectDesired(ctx context.Context) error {
	for _, o := range r.want.crds {
		if _, err := r.desire(ctx, o, fromCRDs); err != nil {
			return err
		}
	}
	for _, o := range inInstallOrder(r.want.objects) {
		if _, err := r.desire(ctx, o, fromManifest); err != nil {
			return err
		}
	}
	return nil
}

// desire adds an object that is wanted. It returns nil for one whose kind is gone,
// if that is drift.
func (r *reader) desire(ctx context.Context, from render.Object, origin origin) (*object, error) {
	at, err := r.locator.locate(ctx, from.Unstructured, from.Source)
	if errors.Is(err, ErrUnknownKind) && (r.mode.restores() || r.mode == rollingOut) {
		at, from, err = r.locateRestored(ctx, from, err)
	}
	if errors.Is(err, ErrUnknownKind) && r.mode.undoesDrift() {
		gone := identityIn(r.key, from.Unstructured)
		gone.Version = from.GroupVersionKind().Version
		p := kindGone(gone)
		p.Source = from.Source
		r.unserved = append(r.unserved, p)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o := &object{location: at, origin: origin, source: from.Source}
	if have := r.byID[identity(o.id)]; have != nil {
		return nil, &Error{
			Op: "plan", Key: r.key, Object: o.id, Hint: "an object may be in a release only once",
			Err: fmt.Errorf("rendered twice, by %s and %s", have.source, o.source),
		}
	}
	o.notes = r.want.notes[identity(o.id)]
	var before *unstructured.Unstructured
	if n := len(r.written); n > 0 {
		before = r.written[n-1].desired
	}
	o.rendered = from.Unstructured
	if o.desired, err = r.applied(ctx, from.Unstructured, o, origin != fromCRDs, r.owner, before); err != nil {
		return nil, explain("plan", r.key, o.id, err)
	}
	r.byID[identity(o.id)] = o
	r.written = append(r.written, o)
	return o, nil
}

// applied is u as it is applied: normalized, with the object's namespace and, if
// it is to be the release's, with its marks and the owner, if any. Labels and
// annotations that equal those of other are shared with it; nil: with none.
func (r *reader) applied(ctx context.Context, u *unstructured.Unstructured, o *object, marked bool, owner *metav1.OwnerReference, other *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	nulls, err := r.nullsOf(ctx, u, o.target)
	if err != nil {
		return nil, err
	}
	return withMetadata(normalized(u, nulls), func(metadata map[string]any) {
		if delete(metadata, "namespace"); o.id.Namespace != "" {
			metadata["namespace"] = o.id.Namespace
		}
		if marked {
			mark(metadata, r.key)
		}
		if marked && o.id.Namespace == r.key.Namespace {
			ownedBy(metadata, owner)
		}
		if other != nil {
			shareMetadata(metadata, other)
		}
	}), nil
}

// shareMetadata shares labels and annotations with another object that has the
// same ones.
func shareMetadata(metadata map[string]any, other *unstructured.Unstructured) {
	theirs, _ := other.Object["metadata"].(map[string]any)
	for _, field := range []string{"labels", "annotations"} {
		if reflect.DeepEqual(metadata[field], theirs[field]) {
			metadata[field] = theirs[field]
		}
	}
}

// collectApplied adds what the revisions that count applied: as candidates for
// the base of what is wanted, and as objects to be removed otherwise.
func (r *reader) collectApplied(ctx context.Context) error {
	known := documents(r.want.objects)
	decoder := storage.NewDecoder()
	for _, record := range r.history.base {
		objects, err := storage.Objects(decoder, record.Manifest.String(), known)
		if err != nil {
			if err = fmt.Errorf("read the manifest of revision %d: %w", record.Revision, err); len(r.history.base) == 1 {
				return err // nothing would be known of what is deployed
			}
			r.e.events.emit(Warning{about(r.key), "a stored revision is passed over: " + err.Error()})
			continue
		}
		record.Manifest = record.Manifest.Share(r.want.text)
		r.secrets = append(append(r.secrets, secretsIn(objects)...), hookObjects(record)...)
		for _, o := range inInstallOrder(objects) {
			if r.mode == rollingOut && identityIn(r.key, o.Unstructured) != r.workload {
				continue
			}
			if err := r.candidate(ctx, record, o); err != nil {
				return err
			}
		}
		if record.ApplySet && r.mode != rollingOut {
			if err := r.candidateParent(ctx, record, objects); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) candidate(ctx context.Context, record *storage.Record, from render.Object) error {
	at, err := r.locator.locate(ctx, from.Unstructured, from.Source)
	if errors.Is(err, ErrUnknownKind) {
		at, err = r.locateOtherVersion(ctx, from)
	}
	if errors.Is(err, ErrUnknownKind) {
		r.warnUnserved(record, from, nil)
		return nil // its CRD is gone, and the object with it
	}
	if err != nil {
		return err
	}
	if at.id.Version != from.GroupVersionKind().Version {
		r.warnUnserved(record, from, &at)
	}
	o := r.byID[identity(at.id)]
	if o == nil {
		o = &object{location: at, source: from.Source}
		r.byID[identity(at.id)] = o
		r.removed = append(r.removed, o)
	}
	base, err := r.baseOf(ctx, from.Unstructured, o, record.Owner)
	if err != nil {
		return explain("plan", r.key, o.id, err)
	}
	o.candidates = append(o.candidates, candidateOf(base, record))
	return nil
}

// baseOf is an object of an earlier revision as it was applied then: with the
// marks, so that they do not look like a change.
func (r *reader) baseOf(ctx context.Context, u *unstructured.Unstructured, o *object, owner *metav1.OwnerReference) (*unstructured.Unstructured, error) {
	if u == o.rendered && o.origin != fromCRDs && sameOwner(owner, r.owner) {
		return &unstructured.Unstructured{Object: o.desired.Object}, nil // rendered again unchanged
	}
	return r.applied(ctx, u, o, true, owner, nil)
}

// locateOtherVersion is for what was applied in a version that is no longer
// served: the object still exists, in the versions that are.
func (r *reader) locateOtherVersion(ctx context.Context, from render.Object) (location, error) {
	m, err := r.e.cluster.ServedVersion(ctx, from.GroupVersionKind().GroupKind())
	if err != nil {
		return location{}, fmt.Errorf("find the resource of %s: %w", diff.ObjectOf(from.Unstructured), err)
	}
	if m == nil {
		return location{}, ErrUnknownKind
	}
	u := from.DeepCopy()
	u.SetGroupVersionKind(m.GroupVersionKind)
	return r.e.locator(r.key, nil).locate(ctx, u, from.Source)
}

// locateRestored is locateOtherVersion for what is desired again: the object is
// applied in that version. If there is none, the error is unknown.
func (r *reader) locateRestored(ctx context.Context, from render.Object, unknown error) (location, render.Object, error) {
	at, err := r.locateOtherVersion(ctx, from)
	if errors.Is(err, ErrUnknownKind) {
		return location{}, from, unknown
	}
	if err != nil {
		return location{}, from, err
	}
	to := from
	to.Unstructured = from.DeepCopy()
	to.SetGroupVersionKind(at.mapping.GroupVersionKind)
	r.warnings = appendNew(r.warnings, fmt.Sprintf("%s is stored as %s, which the API server no longer serves; it is applied as %s", diff.ObjectOf(from.Unstructured), from.GetAPIVersion(), to.GetAPIVersion()))
	return at, to, nil
}

// warnUnserved notes that a revision holds what the API server no longer serves
// in that version; at is where it is read now, nil: nowhere.
func (r *reader) warnUnserved(record *storage.Record, from render.Object, at *location) {
	text := fmt.Sprintf("revision %d holds %s as %s, which the API server no longer serves", record.Revision, diff.ObjectOf(from.Unstructured), from.GetAPIVersion())
	if at == nil {
		text += "; treating it as deleted"
	} else {
		text += "; reading it as " + at.mapping.GroupVersionKind.GroupVersion().String()
	}
	r.warnings = appendNew(r.warnings, text)
}

// order puts the objects into the order of the report: what is written in
// install order, then what is deleted in uninstall order.
func (r *reader) order(context.Context) error {
	r.objects = make([]*object, 0, len(r.written)+len(r.removed))
	r.objects = append(r.objects, r.written...)
	for i := len(r.removed) - 1; i >= 0; i-- {
		r.objects = append(r.objects, r.removed[i])
	}
	return nil
}

// hideSecrets hides the values of all Secrets that the objects may show: a live
// object may have the values of any revision that counts, and a workload that
// was undone those of a revision that does not count any more.
func (r *reader) hideSecrets(ctx context.Context) error {
	secrets := append(append([]*unstructured.Unstructured(nil), r.hidden...), r.secrets...)
	for _, o := range r.objects {
		secrets = append(secrets, o.base, o.live, o.desired)
	}
	records := r.history.base
	if r.record != nil {
		records = append(slices.Clip(records), r.record)
	}
	if slices.ContainsFunc(records, hasUndone) {
		more, err := r.e.storedSecrets(ctx, r.key)
		if err != nil {
			return err
		}
		secrets = append(secrets, more...)
	}
	r.redactor = redactorOf(secrets...)
	return nil
}

// desireWritten makes what was written last what is desired, where the newest
// revision did not become healthy: what it did not get to is not drift. What
// was never written, and what is gone and no longer wanted, is left out.
func (r *reader) desireWritten(ctx context.Context) error {
	if r.mode != comparing {
		return nil
	}
	var out []*object
	for _, o := range r.objects {
		if o.base == nil || o.unwritten || o.live == nil && o.desired == nil {
			continue
		}
		written, err := r.asWritten(ctx, o)
		if err != nil {
			return err
		}
		out = append(out, written)
	}
	r.objects = out
	return nil
}

// asWritten is an object with its base as what is desired, in the base's own
// version where that is served.
func (r *reader) asWritten(ctx context.Context, o *object) (*object, error) {
	out, body := *o, o.base
	if body.GroupVersionKind() != o.mapping.GroupVersionKind {
		at, err := r.locator.locate(ctx, body, o.source)
		switch {
		case errors.Is(err, ErrUnknownKind):
			body = body.DeepCopy()
			body.SetGroupVersionKind(o.mapping.GroupVersionKind)
		case err != nil:
			return nil, err
		default:
			out = object{location: at, origin: o.origin, source: o.source, base: o.base}
			if o.live != nil {
				if err := r.get(ctx, &out); err != nil {
					return nil, err
				}
			}
		}
	}
	out.desired = &unstructured.Unstructured{Object: body.Object}
	out.rendered = out.desired
	return &out, nil
}

// awaitDefinitions marks the custom resources whose CRD the release brings and
// the cluster lacks: what discovery knows of their kind is out of date.
func (r *reader) awaitDefinitions(context.Context) error {
	missing := map[schema.GroupKind]bool{}
	for _, o := range r.objects {
		if o.desired != nil && o.live == nil && o.isDefinition() {
			for kind := range kindsDefinedBy(o.desired) {
				missing[kind] = true
			}
		}
	}
	for _, o := range r.objects {
		o.pending = o.pending || missing[o.groupKind()]
	}
	return nil
}

// findNamespaces finds the namespaces that applying creates, and refuses
// objects in namespaces that are missing otherwise.
func (r *reader) findNamespaces(ctx context.Context) error {
	r.createdNamespaces = map[string]bool{}
	if r.namespace.missing {
		r.createdNamespaces[r.key.Namespace] = true
	}
	for name := range r.asking.assume.namespaces() {
		r.createdNamespaces[name] = true
	}
	exists := map[string]bool{"": true, r.key.Namespace: true}
	for _, o := range r.objects {
		if o.live != nil {
			exists[o.id.Namespace] = true
		}
		if o.live == nil && o.desired != nil && isNamespace(o.id) {
			r.createdNamespaces[o.id.Name] = true
		}
	}
	work := parallel.New(ctx, r.e.opts.Concurrency)
	for _, o := range r.objects {
		namespace := o.id.Namespace
		if o.desired == nil || r.blocked(o) != nil || exists[namespace] || r.createdNamespaces[namespace] {
			continue
		}
		exists[namespace] = true // asked once
		work.Do(func(ctx context.Context) error { return r.e.requireNamespace(ctx, r.key, o.id) })
	}
	return work.Wait()
}
