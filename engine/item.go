package engine

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fairlead-dev/fairlead/diff"
)

// item is one object on its way through a plan.
type item struct {
	object  diff.Object
	mapping *meta.RESTMapping
	source  string // template path; for display
	// pending is set if the kind is served only once a CRD of this release is
	// there.
	pending bool
	// readAs is a version in which the object can be read, if its own one is
	// served only once a CRD of this release has changed; nil: it can in its own.
	readAs *meta.RESTMapping

	// shifts is set if a CRD of this release changes its kind's schema first.
	shifts bool

	candidates []candidate                // for base, of the revisions that may be in the cluster, oldest first
	base       *unstructured.Unstructured // the one of them applied last, with marks; nil: never
	unwritten  bool                       // base was attempted, and never seen to be there

	rendered *unstructured.Unstructured // nil: no longer wanted
	desired  *unstructured.Unstructured // as to be applied, with marks; nil: no longer wanted
	live     *unstructured.Unstructured // nil: does not exist

	schema   diff.Schema // of a kind that is not built in; nil: diff's own
	change   diff.Change
	problems []Problem
	unread   error // why it could not be read: the right is missing
	missing  []right
	tried    bool          // a dry-run of applying it was let through
	outmoded []string      // what the API server says of reading it in this version
	notes    []string      // for people, about fields left to others
	force    bool          // apply with force: all conflicts are ours to win
	takeOver bool          // former managers own fields that are ours
	orphan   bool          // a replacement leaves what the object owns
	awaited  bool          // other objects are deleted once it is gone with all that it owns
	crd      bool          // from the chart's crds/: the cluster's, once it exists
	parent   bool          // of the release's apply set
	members  setScope      // of a parent: where those are that have the label now
	related  []diff.Change // what becomes of claims along with it, after it in the report
	told     int           // how many of related have had their terminal event
	grows    []claimGrowth // before it is replaced; the first of related

	ownCause bool // the chart sets the change cause itself
}

// uncertain says whether the API server judges the item by another schema than
// the one that will hold when it is applied.
func (it *item) uncertain() bool { return it.readAs != nil || it.shifts }

// reading is how the live object is read.
func (it *item) reading() *meta.RESTMapping {
	if it.readAs != nil {
		return it.readAs
	}
	return it.mapping
}

// Marks by which Helm, and so Fairlead, knows its own objects, as in Helm's
// pkg/action/validate.go.
const (
	labelManagedBy       = "app.kubernetes.io/managed-by"
	managedByHelm        = "Helm"
	annotationName       = "meta.helm.sh/release-name"
	annotationNamespace  = "meta.helm.sh/release-namespace"
	annotationPolicy     = "helm.sh/resource-policy"
	annotationCause      = "kubernetes.io/change-cause"
	resourcePolicyKeep   = "keep"
	annotationDefaultFor = "storageclass.kubernetes.io/is-default-class"
)

// mark writes the release's ownership into metadata.
func mark(metadata map[string]any, k Key) {
	labels, annotations := cloned(metadata["labels"]), cloned(metadata["annotations"])
	labels[labelManagedBy] = managedByHelm
	annotations[annotationName], annotations[annotationNamespace] = k.Name, k.Namespace
	metadata["labels"], metadata["annotations"] = labels, annotations
}

func setLabel(u *unstructured.Unstructured, key, value string) {
	setMetadata(u, "labels", key, value)
}

// setAnnotation removes it if the value is empty.
func setAnnotation(u *unstructured.Unstructured, key, value string) {
	setMetadata(u, "annotations", key, value)
}

func setMetadata(u *unstructured.Unstructured, field, key, value string) {
	u.Object = withMetadata(u, func(metadata map[string]any) {
		all := cloned(metadata[field])
		if all[key] = value; value == "" {
			delete(all, key)
		}
		metadata[field] = all
	}).Object
}

// owner is the release that the object says it belongs to; zero if none, or
// if there is no object.
func owner(u *unstructured.Unstructured) Key {
	if u == nil {
		return Key{}
	}
	metadata, _ := u.Object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	name, _ := annotations[annotationName].(string)
	if name == "" {
		return Key{}
	}
	namespace, _ := annotations[annotationNamespace].(string)
	return Key{Namespace: namespace, Name: name}
}

// keeps reads the policy as Helm does, whatever its case and the space around
// it.
func keeps(u *unstructured.Unstructured) bool {
	return u != nil && strings.EqualFold(strings.TrimSpace(u.GetAnnotations()[annotationPolicy]), resourcePolicyKeep)
}

// hasCause says whether kubectl rollout history shows a change cause for the
// kind.
func hasCause(o diff.Object) bool {
	return o.Group == "apps" && (o.Kind == "Deployment" || o.Kind == "StatefulSet" || o.Kind == "DaemonSet")
}

// keepCause gives what is desired the cause that is live, so that leaving it
// out does not look like its removal; settleCause decides.
func (it *item) keepCause() {
	if !hasCause(it.object) {
		return
	}
	if it.ownCause = it.desired.GetAnnotations()[annotationCause] != ""; it.ownCause || it.live == nil {
		return
	}
	if have := it.live.GetAnnotations()[annotationCause]; have != "" {
		setAnnotation(it.desired, annotationCause, have)
	}
}

// settleCause decides the change cause of a workload, and says whether that
// changed what is desired. A cause belongs to a version of the pods: it is set
// when the pod template changes, and stays as it is otherwise, because kubectl
// and the controllers would put it on the current version. A cause that the
// chart itself sets is the chart's business.
//
// The engine's own cause is taken from whoever wrote another, because it tells
// of what the engine does.
func (it *item) settleCause(cause, manager string, f forecast, change diff.Change) bool {
	if !hasCause(it.object) || it.ownCause || it.live != nil && !slices.ContainsFunc(change.Fields, ofPodTemplate) {
		return false
	}
	if it.desired.GetAnnotations()[annotationCause] == cause {
		return false
	}
	setAnnotation(it.desired, annotationCause, cause)
	if _, others := ownersOf(it.live, manager, causePath); others {
		it.force = true // every other conflict is settled, or a problem
	}
	if f.merged != nil {
		setAnnotation(f.merged, annotationCause, cause)
	}
	return true
}

var causePath = fieldpath.MakePathOrDie("metadata", "annotations", annotationCause)

func ofPodTemplate(f diff.Field) bool {
	return f.Path == "spec.template" || strings.HasPrefix(f.Path, "spec.template.")
}
