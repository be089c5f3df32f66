package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// Marks of the ApplySet specification, KEP-3659.
const (
	labelSetID           = "applyset.kubernetes.io/id"      // on the parent
	labelPartOf          = "applyset.kubernetes.io/part-of" // on each member
	annotationTooling    = "applyset.kubernetes.io/tooling"
	annotationKinds      = "applyset.kubernetes.io/contains-group-kinds"
	annotationNamespaces = "applyset.kubernetes.io/additional-namespaces"
)

// setTool keeps its sets to itself: other tools refuse to change the set of
// another. setVersion is that of the form of the set, not of this library,
// whose upgrade would otherwise be a change to every release.
const (
	setTool    = "fairlead"
	setVersion = "v1"
)

// setSource stands for the template of a set's parent.
const setSource = "Options.ApplySet"

// applySet is how a plan sees the release as a set.
type applySet struct {
	id     string
	wanted bool // what is desired becomes a member
	asIs   bool // what is a member stays one, and no more
}

func (pl *planning) applySet() applySet {
	s := applySet{id: setID(pl.key), wanted: pl.e.opts.ApplySet && !pl.uninstalls}
	if s.asIs = pl.correct || pl.only != nil; s.asIs {
		s.wanted = pl.past.last.ApplySet
	}
	return s
}

// setParentOf is the parent of a release's set. Charts like to name a ConfigMap
// after the release, so it is named as the release's Lease is.
func setParentOf(k Key) diff.Object {
	return diff.Object{Kind: "ConfigMap", Namespace: k.Namespace, Name: leaseName(k.Name)}
}

// isParent says whether an object is the parent of the set that is wanted: a
// tool takes what is its own in it from whoever has it, as kubectl does.
func (pl *planning) isParent(o diff.Object) bool {
	return pl.set.wanted && identity(o) == setParentOf(pl.key)
}

// setID is the name of a release's set, as the specification makes it of its
// parent's.
func setID(k Key) string {
	p := setParentOf(k)
	sum := sha256.Sum256([]byte(strings.Join([]string{p.Name, p.Namespace, p.Kind, p.Group}, ".")))
	return "applyset-" + base64.RawURLEncoding.EncodeToString(sum[:]) + "-v1"
}

// setScope is where the members of a set are: kinds as in "Deployment.apps",
// and the namespaces other than the parent's. Both are sorted.
type setScope struct{ kinds, namespaces []string }

func (s *setScope) add(home string, kind schema.GroupKind, namespace string) {
	s.kinds = insertNew(s.kinds, kind.String())
	if namespace != "" && namespace != home {
		s.namespaces = insertNew(s.namespaces, namespace)
	}
}

// with is the scope that covers both.
func (s setScope) with(o setScope) setScope {
	out := setScope{slices.Clone(s.kinds), slices.Clone(s.namespaces)}
	for _, k := range o.kinds {
		out.kinds = insertNew(out.kinds, k)
	}
	for _, n := range o.namespaces {
		out.namespaces = insertNew(out.namespaces, n)
	}
	return out
}

func (s setScope) equal(o setScope) bool {
	return slices.Equal(s.kinds, o.kinds) && slices.Equal(s.namespaces, o.namespaces)
}

func insertNew(sorted []string, s string) []string {
	i, found := slices.BinarySearch(sorted, s)
	if found {
		return sorted
	}
	return slices.Insert(sorted, i, s)
}

// scopeIn reads what a parent lists; nothing if there is none.
func scopeIn(parent *unstructured.Unstructured) setScope {
	var s setScope
	if parent == nil {
		return s
	}
	read := func(text string) (out []string) {
		for part := range strings.SplitSeq(text, ",") {
			if part != "" {
				out = insertNew(out, part)
			}
		}
		return out
	}
	a := parent.GetAnnotations()
	return setScope{read(a[annotationKinds]), read(a[annotationNamespaces])}
}

// writeInto makes a parent list the scope. An empty list of kinds says that
// the set is empty, and none that nobody knows.
func (s setScope) writeInto(parent *unstructured.Unstructured) {
	a := parent.GetAnnotations()
	if a == nil {
		a = map[string]string{}
	}
	a[annotationKinds] = strings.Join(s.kinds, ",")
	if delete(a, annotationNamespaces); len(s.namespaces) > 0 {
		a[annotationNamespaces] = strings.Join(s.namespaces, ",")
	}
	parent.SetAnnotations(a)
}

// scopeOf is the scope of what is desired. What is in crds/ is the cluster's,
// and no member.
func (pl *planning) scopeOf(items []*item) setScope {
	var s setScope
	for _, it := range items {
		if it.desired != nil && !it.crd {
			s.add(pl.key.Namespace, it.mapping.GroupVersionKind.GroupKind(), it.object.Namespace)
		}
	}
	return s
}

// recordedScope is what the parent lists once a revision has written it, after
// the revisions before that may be in the cluster: until one has become healthy
// it lists what they had, too.
func (pl *planning) recordedScope(ctx context.Context, before setScope, record *storage.Record, objects []render.Object) setScope {
	var s setScope
	if !settled(record.Status) {
		s = before
	}
	for _, o := range objects {
		gvk, namespace := o.GroupVersionKind(), o.GetNamespace()
		if m, err := pl.mapping(ctx, gvk); err == nil && !namespaced(m) { // or it is gone, or yet to come
			namespace = ""
		}
		s.add(pl.key.Namespace, gvk.GroupKind(), namespace)
	}
	return s
}

// setParent is the parent that lists a scope, without the release's marks.
func (pl *planning) setParent(s setScope) render.Object {
	o := setParentOf(pl.key)
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": o.Kind}}
	u.SetName(o.Name)
	u.SetNamespace(o.Namespace)
	u.SetLabels(map[string]string{labelSetID: pl.set.id})
	u.SetAnnotations(map[string]string{annotationTooling: setTool + "/" + setVersion})
	s.writeInto(u)
	return render.Object{Unstructured: u, Source: setSource}
}

// joinSet puts the members' label into what is desired and into what earlier
// revisions applied, once what is live is known. A set that no revision tells
// of, because Helm recorded the last one, is known by its members; its parent
// is the item that joinSet then answers, to be removed.
func (pl *planning) joinSet(ctx context.Context, items []*item) (*item, error) {
	var parent *item
	var there setScope
	recorded := pl.past.hasSet()
	for _, it := range items {
		if it.parent {
			parent = it
			continue
		}
		is := partOf(it.live) == pl.set.id
		if is {
			there.add(pl.key.Namespace, it.mapping.GroupVersionKind.GroupKind(), it.object.Namespace)
		}
		if it.desired != nil && !it.crd && (pl.set.wanted || pl.set.asIs && is) {
			if have := partOf(it.desired); have != "" && have != pl.set.id {
				it.problem(ProblemInvalid, fmt.Sprintf("the chart puts it into an apply set of its own, %s", have), "leave the label "+labelPartOf+" out of the chart, or leave Options.ApplySet unset")
			} else {
				join(it.desired, pl.set.id)
			}
		}
		for _, c := range it.candidates {
			if (c.member || is && !recorded) && partOf(c.object) == "" {
				join(c.object, pl.set.id)
			}
		}
	}
	if parent != nil {
		parent.members = there
		return nil, nil
	}
	if pl.set.wanted || pl.set.asIs || len(there.kinds) == 0 {
		return nil, nil
	}
	it, err := pl.newItem(ctx, pl.setParent(there).Unstructured, setSource, nil)
	if err != nil {
		return nil, err
	}
	it.parent = true
	if !pl.e.allowed(pl.key, it.object) {
		return it, nil
	}
	if err := pl.get(ctx, it); err != nil {
		return nil, err
	}
	return it, pl.unreadable([]*item{it})
}

// hasSet says whether a revision that the plan starts from tells of a set.
func (p *past) hasSet() bool {
	for _, r := range p.base {
		if r.ApplySet {
			return true
		}
	}
	return false
}

// partOf is the set that an object says it is a member of; empty if none.
func partOf(u *unstructured.Unstructured) string {
	if u == nil {
		return ""
	}
	id, _, _ := unstructured.NestedString(u.Object, "metadata", "labels", labelPartOf)
	return id
}

func join(u *unstructured.Unstructured, id string) { setLabel(u, labelPartOf, id) }

// mayJoin makes a problem of a live object that is another set's, if it would
// become the release's: whoever owns that set may prune it.
func (pl *planning) mayJoin(it *item) {
	if it.parent {
		tool, _, _ := strings.Cut(it.live.GetAnnotations()[annotationTooling], "/")
		if tool != "" && tool != setTool {
			it.problem(ProblemOwned, fmt.Sprintf("it is the parent of an apply set of %s", tool), "delete it there first, or leave Options.ApplySet unset")
		}
		return
	}
	other := partOf(it.live)
	if other == "" || other == pl.set.id || other == partOf(it.desired) || !pl.set.wanted && owner(it.live) == pl.key {
		return
	}
	it.problem(ProblemOwned, fmt.Sprintf("it is part of another apply set, %s", other), "take it out there first, or rename it here")
}

// openSet makes the parent list all that is or will be a member, before the
// first one is written. Nil: there is none.
func (r *run) openSet(ctx context.Context, parent *item) error {
	if parent == nil || parent.desired == nil {
		return nil
	}
	had, want := scopeIn(parent.live), scopeIn(parent.desired)
	all := want.with(had).with(parent.members)
	if !parent.change.Changed() || all.equal(want) {
		return orNil(r.applyItem(ctx, parent))
	}
	if parent.live != nil && all.equal(had) {
		return nil // it is trimmed in the end
	}
	first := *parent
	first.desired = parent.desired.DeepCopy()
	all.writeInto(first.desired)
	if err := r.write(ctx, &first); err != nil {
		return r.failed(parent, "apply", err)
	}
	parent.live = first.live
	return nil
}

// closeSet makes the parent list what is a member, after the last one has gone,
// or deletes it with the set.
func (r *run) closeSet(ctx context.Context, parent *item) error {
	switch {
	case parent == nil || parent.change.Action == "" || r.settled[parent]:
		return nil
	case parent.desired == nil:
		return orNil(r.removeItem(ctx, parent))
	}
	return orNil(r.applyItem(ctx, parent))
}

// orNil is an error that is nil if e is.
func orNil(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}
