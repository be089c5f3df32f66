package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
)

// departing are the objects that a plan deletes in any case.
type departing struct {
	ids  map[diff.Object]bool // by identity
	uids map[types.UID]bool
}

// departingOf are what a plan deletes itself, and hooks of the release, which no
// manifest lists.
func departingOf(p premise, r reading) departing {
	out := departing{ids: map[diff.Object]bool{}, uids: map[types.UID]bool{}}
	for _, o := range r.objects {
		if o.desired == nil && removal(o, p.key).Action == diff.Deleted {
			out.ids[identity(o.id)] = true
			out.uids[o.live.GetUID()] = true
		}
	}
	if p.history != nil && p.history.last != nil {
		for _, u := range hookObjects(p.history.last) {
			out.ids[identityIn(p.key, u)] = true
		}
	}
	return out
}

// has reports whether the plan deletes the object, or what owns it.
func (d departing) has(o diff.Object, u metav1.Object) bool {
	return d.ids[identity(o)] || slices.ContainsFunc(u.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return d.uids[r.UID] })
}

// loss is what is deleted along with an object, beside what the plan deletes
// itself.
type loss struct {
	what    string // for people, with the number; empty: nothing
	unread  string // why it is not known; empty: it is
	blocks  bool   // it is a problem unless the caller has allowed it
	blocker string // a sentence about what keeps using it; may be empty
}

// withLoss adds what is deleted along with the object of a verdict: as the
// reason of the change, and as a problem unless the caller has allowed it.
func (j *judge) withLoss(ctx context.Context, o *object, v verdict) (verdict, error) {
	if o.live == nil || o.live.GetDeletionTimestamp() != nil { // what is being deleted takes along what it holds in any case
		return v, nil
	}
	l, err := j.lossOf(ctx, o)
	if err != nil || l.what == "" && l.unread == "" {
		return v, err
	}
	reason := l.what
	if reason == "" {
		reason = l.unread
	}
	v.change.Reason = strings.TrimPrefix(v.change.Reason+"; "+reason, "; ")
	if !l.blocks || j.policy.unsafeDelete[identity(o.id)] {
		return v, nil
	}
	message := reason
	if l.blocker != "" {
		message += "; " + l.blocker
	}
	v.problems = append(v.problems, newProblem(ProblemContents, o.id, message, fmt.Sprintf(
		"to keep it, annotate it with %s: %s; to delete it with all that, list it in UnsafeDelete of PlanOptions and ApplyOptions", annotationPolicy, resourcePolicyKeep)))
	return v, nil
}

func (j *judge) lossOf(ctx context.Context, o *object) (loss, error) {
	switch {
	case o.isDefinition():
		return j.lossOfDefinition(ctx, o)
	case isNamespace(o.id):
		return j.lossOfNamespace(ctx, o)
	case isClaim(o.id):
		return j.lossOfClaim(ctx, o)
	case o.id.Group == "" && o.id.Kind == "PersistentVolume":
		return j.lossOfVolume(o), nil
	}
	return loss{}, nil
}

// lossOfDefinition counts the custom resources of a CRD.
func (j *judge) lossOfDefinition(ctx context.Context, o *object) (loss, error) {
	kind, served := definedKind(o.live)
	if !served {
		return loss{unread: "it serves no version, so it is not known which objects are deleted with it", blocks: true}, nil
	}
	c := counted{kind: kind}
	if err := j.count(ctx, &c, "", func(m *metav1.PartialObjectMetadata) bool { return !j.departs(kind.Name, kind.Resource.Group, m) }); err != nil {
		return loss{}, err
	}
	if c.forbidden {
		return loss{unread: fmt.Sprintf("without permission to list %s it is not known which objects are deleted with it", c.kind.Resource.GroupResource()), blocks: true}, nil
	}
	return loss{what: whatGoes(c.found, c.more), blocks: true}, nil
}

// definedKind is the kind that a CRD defines, in a version that is served; false
// if none is.
func definedKind(crd *unstructured.Unstructured) (cluster.Kind, bool) {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	version := servedVersion(crd)
	return cluster.Kind{Name: kind, Resource: schema.GroupVersionResource{Group: group, Version: version, Resource: plural}}, version != ""
}

// servedVersion is a version in which a CRD's objects can be listed; empty if
// there is none.
func servedVersion(crd *unstructured.Unstructured) string {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		if v, ok := v.(map[string]any); ok && v["served"] == true {
			name, _ := v["name"].(string)
			return name
		}
	}
	return ""
}

func (j *judge) departs(kind, group string, m *metav1.PartialObjectMetadata) bool {
	return j.departing.has(diff.Object{Group: group, Kind: kind, Namespace: m.Namespace, Name: m.Name}, m)
}

// counted are the objects of one kind that are deleted along.
type counted struct {
	kind      cluster.Kind
	found     foundObjects
	more      bool // there are more than were read
	forbidden bool
}

// count lists objects of one kind by their metadata, at most maxChecked, and
// notes those that are selected.
func (j *judge) count(ctx context.Context, c *counted, namespace string, selected func(*metav1.PartialObjectMetadata) bool) error {
	opts := metav1.ListOptions{Limit: checkedPage}
	for checked := 0; ; {
		page, err := j.lister.metadata(ctx, c.kind.Resource, namespace, opts)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
			return nil // not served, so it has no objects
		case apierrors.IsForbidden(err):
			c.forbidden = true
			return nil
		case apierrors.IsResourceExpired(err) && opts.Continue != "":
			opts.Continue, c.found, checked = "", foundObjects{}, 0
			continue
		case err != nil:
			return fmt.Errorf("list %s: %w", c.kind.Resource.GroupResource(), err)
		}
		for i := range page.Items {
			if m := &page.Items[i]; selected(m) {
				c.found = j.found(c.found, diff.Object{Group: c.kind.Resource.Group, Version: c.kind.Resource.Version, Kind: c.kind.Name, Namespace: m.Namespace, Name: m.Name})
			}
		}
		checked += len(page.Items)
		if opts.Continue = page.Continue; opts.Continue == "" {
			return nil
		}
		if checked >= maxChecked {
			c.more = true
			return nil
		}
	}
}

// whatGoes says how many objects are deleted along, and names the first ones.
func whatGoes(found foundObjects, more bool) string {
	switch {
	case found.count() == 0 && more:
		return fmt.Sprintf("more than %d objects are deleted with it", maxChecked)
	case found.count() == 0:
		return ""
	case found.count() == 1 && !more:
		return "1 object is deleted with it" + found.named()
	}
	atLeast := ""
	if more {
		atLeast = "at least "
	}
	return fmt.Sprintf("%s%d objects are deleted with it%s", atLeast, found.count(), found.named())
}

// lossOfNamespace counts what a namespace holds, of all kinds that the API
// server serves: claims first, then releases, then the rest by kind.
func (j *judge) lossOfNamespace(ctx context.Context, o *object) (loss, error) {
	kinds, unavailable, err := j.lister.namespacedKinds(ctx)
	if err != nil {
		return loss{}, err
	}
	kinds = slices.DeleteFunc(slices.Clone(kinds), func(k cluster.Kind) bool { return accompanies(k.Resource) })
	slices.SortStableFunc(kinds, func(a, b cluster.Kind) int {
		if d := rankOf(a.Resource) - rankOf(b.Resource); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	all := make([]counted, len(kinds))
	work := parallel.New(ctx, j.concurrency)
	for i, k := range kinds {
		all[i].kind = k
		work.Do(func(ctx context.Context) error {
			return j.count(ctx, &all[i], o.id.Name, func(m *metav1.PartialObjectMetadata) bool { return j.lostWithNamespace(k, m) })
		})
	}
	if err := work.Wait(); err != nil {
		return loss{}, err
	}
	var found foundObjects
	var forbidden []string
	more := false
	for _, c := range all {
		found.names, found.unnamed = append(found.names, c.found.names...), found.unnamed+c.found.unnamed
		more = more || c.more
		if c.forbidden {
			forbidden = append(forbidden, c.kind.Resource.GroupResource().String())
		}
	}
	out := loss{what: whatGoes(found, more), blocks: true}
	switch {
	case out.what != "":
	case len(forbidden) > 0:
		out.unread = "without permission to list " + someOf(forbidden) + " it is not known what is deleted with it"
	case len(unavailable) > 0:
		out.unread = "what is deleted with it is not known: " + unavailable[0].Error()
	}
	return out, nil
}

// accompanies reports whether objects of a resource are made for others, and so
// are no loss of their own.
func accompanies(r schema.GroupVersionResource) bool {
	switch r.Group + "/" + r.Resource {
	case "/events", "events.k8s.io/events", "/endpoints", "discovery.k8s.io/endpointslices", "coordination.k8s.io/leases", "apps/controllerrevisions":
		return true
	}
	return false
}

func rankOf(r schema.GroupVersionResource) int {
	switch r.Group + "/" + r.Resource {
	case "/persistentvolumeclaims":
		return 0
	case "apps/statefulsets", "apps/deployments", "apps/daemonsets":
		return 1
	case "/secrets":
		return 2
	}
	return 3
}

// lostWithNamespace reports whether an object is a loss if its namespace is
// deleted: not what the plan deletes, what a controller would make again, or what
// every namespace has.
func (j *judge) lostWithNamespace(k cluster.Kind, m *metav1.PartialObjectMetadata) bool {
	switch {
	case j.departs(k.Name, k.Resource.Group, m):
		return false
	case k.Resource.Group == "" && k.Name == "ConfigMap" && m.Name == "kube-root-ca.crt", k.Resource.Group == "" && k.Name == "ServiceAccount" && m.Name == "default":
		return false
	case k.Resource.Group == "" && (k.Name == "Secret" || k.Name == "ConfigMap" && strings.HasPrefix(m.Name, "sh.helm.release.v1.")) && m.Namespace == j.key.Namespace && m.Labels["owner"] != "" && m.Labels["name"] == j.key.Name:
		return false // the release's own history
	}
	return metav1.GetControllerOf(m) == nil || k.Name == "PersistentVolumeClaim"
}

// lossOfClaim is the data of a claim. An uninstall deletes it as it says; an
// upgrade hardly means to.
func (j *judge) lossOfClaim(ctx context.Context, o *object) (loss, error) {
	phase, _, _ := unstructured.NestedString(o.live.Object, "status", "phase")
	volume, _, _ := unstructured.NestedString(o.live.Object, "spec", "volumeName")
	if phase != "Bound" && volume == "" {
		return loss{}, nil
	}
	size, _, _ := unstructured.NestedString(o.live.Object, "status", "capacity", "storage")
	out := loss{
		what:   fmt.Sprintf("its data (%s in volume %s) is deleted with it, unless the volume's reclaim policy is Retain", size, volume),
		blocks: j.asksAboutData(),
	}
	if !out.blocks {
		return out, nil
	}
	pods, err := j.lister.pods(ctx, o.id.Namespace, "")
	if apierrors.IsForbidden(err) {
		out.blocker = "without permission to list pods it is not known which pods use it"
		return out, nil
	}
	if err != nil {
		return loss{}, fmt.Errorf("list the pods that use it: %w", err)
	}
	var users []string
	for _, p := range pods {
		for _, v := range p.Spec.Volumes {
			if v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == o.id.Name && p.Status.Phase != "Succeeded" && p.Status.Phase != "Failed" {
				users = append(users, p.Name)
			}
		}
	}
	if len(users) > 0 {
		out.blocker = "pods use it: " + someOf(users)
	}
	return out, nil
}

// lossOfVolume is the data of a volume that a claim is bound to.
func (j *judge) lossOfVolume(o *object) loss {
	claim, _, _ := unstructured.NestedString(o.live.Object, "spec", "claimRef", "name")
	if claim == "" {
		return loss{}
	}
	namespace, _, _ := unstructured.NestedString(o.live.Object, "spec", "claimRef", "namespace")
	return loss{
		what:   fmt.Sprintf("claim %s/%s is bound to it: its data is no longer reachable", namespace, claim),
		blocks: j.asksAboutData(),
	}
}

// asksAboutData reports whether deleting data has to be allowed: not in an
// uninstall, nor on the way back from a deploy that failed.
func (j *judge) asksAboutData() bool { return j.mode != uninstalling && !j.asking.reverts }
