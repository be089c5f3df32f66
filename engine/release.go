package engine

import (
	"context"
	"fmt"
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/render"
)

// Key names a release: one name in one namespace.
type Key struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String returns "namespace/name", on one line.
func (k Key) String() string { return clean.Line(k.Namespace + "/" + k.Name) }

// maxReleaseName is Helm's own bound: the name goes into labels and into the
// names of objects, which end at 63 characters.
const maxReleaseName = 53

var releaseName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// ValidateKey returns the error, which wraps ErrInvalidKey, with which each call on
// a release fails whose name or namespace Kubernetes would refuse.
func ValidateKey(k Key) error { return k.validate() }

func (k Key) validate() error {
	switch {
	case k.Name == "":
		return &Error{Op: "check release", Key: k, Hint: "set Key.Name", Err: ErrInvalidKey}
	case len(k.Name) > maxReleaseName || !releaseName.MatchString(k.Name):
		return &Error{
			Op: "check release", Key: k,
			Hint: fmt.Sprintf("a release name has at most %d characters: lower-case letters, digits, '-' and '.', with a letter or digit at both ends", maxReleaseName),
			Err:  fmt.Errorf("%w: name %q", ErrInvalidKey, k.Name),
		}
	case k.Namespace == "":
		return &Error{Op: "check release", Key: k, Hint: "set Key.Namespace; there is no default, so that no release lands in a namespace by accident", Err: ErrInvalidKey}
	}
	if why := validation.IsDNS1123Label(k.Namespace); len(why) > 0 {
		return &Error{Op: "check release", Key: k, Hint: why[0], Err: fmt.Errorf("%w: namespace %q", ErrInvalidKey, k.Namespace)}
	}
	return nil
}

// Source renders the objects of a release. *render.Chart, *render.Kustomization
// and *render.Manifests are Sources. It must be safe for concurrent use and
// render the same for the same input, because a stored plan is rendered again
// when it is applied.
type Source interface {
	Render(context.Context, render.Input) (*render.Manifest, error)
}

// Release is what should be in the cluster.
type Release struct {
	Key
	Source Source
	// Values over the chart's defaults. Zero: the defaults.
	Values render.Values
	// ValuesFrom are values that ConfigMaps and Secrets hold, later ones over earlier
	// ones, and Values over all of them. They are read when the release is planned.
	ValuesFrom []ValuesFrom
	// ReuseValues decides what becomes of the values that the release was deployed
	// with. Zero: they are not used.
	ReuseValues ReuseValues
	// Cause says why, for people: it is recorded in the history, and as
	// kubernetes.io/change-cause on workloads whose pods change. It is not part
	// of the desired state: a new cause alone changes nothing.
	Cause string
	// Labels of the release, for List and helm list: they are merged over those
	// that its newest revision has, Helm's own included; the value "null" removes
	// one. Changing them records a revision. They are not written to objects. Nil:
	// it keeps what it has.
	Labels map[string]string
	// CommonLabels and CommonAnnotations are written to the metadata of all objects
	// and hooks, over what the chart says there, and so into the history. Selectors
	// and pod templates stay as they are: a change restarts no pod. CRDs of the
	// chart's crds/ directory get none. Those that Helm, Fairlead or kubectl apply
	// act on are refused. Nil: none.
	CommonLabels, CommonAnnotations map[string]string
	// Owner owns all objects of the release in its namespace, hooks included, and its
	// revisions where they are kept in that namespace: when it is deleted, so are
	// they. It is an object of that namespace, such as the custom resource that an
	// operator deploys the release for, or one without a namespace. Objects in
	// other namespaces or in none cannot have it; the plan notes them. Rollbacks,
	// corrections and rollouts keep the owner that the newest revision has. Nil:
	// none, and one that was set before is removed.
	Owner *metav1.OwnerReference
	// Hide are Secrets whose values are hidden in reports, plans and errors
	// wherever the release renders them: values that the caller took from them.
	// They are neither applied nor recorded. Nil: none beyond those of the
	// release itself.
	Hide []*unstructured.Unstructured
	// CreateNamespace creates the release's namespace if it does not exist.
	// False: a missing namespace is an error.
	CreateNamespace bool
	// Adopt takes over objects that exist already and belong to no release.
	// False: they are problems of the plan. Objects of another release are never
	// taken over.
	Adopt bool
	// Force takes fields that other field managers own and set differently.
	// False: they are conflicts, and the plan is not applied.
	Force bool
	// UnsafePrune deletes what left the manifest however much that is. False:
	// an upgrade whose manifest is empty, or that would delete more than half
	// of a release of five live objects or more, is a problem of the plan.
	UnsafePrune bool
	// Seed says whether passwords, keys and certificates that the chart draws stay
	// from one revision to the next. Empty: they do, see SeedKeep.
	Seed SeedPolicy
	// PostRender changes the rendered objects before they are planned, in
	// order. PostRenderScope says whether hooks and CRDs too; empty: neither.
	PostRender      []render.PostRenderer
	PostRenderScope render.PostRenderScope
	// Helm, Strict, SkipSchema and SchemaLoader are as in render.Input.
	Helm               render.HelmVersion
	Strict, SkipSchema bool
	SchemaLoader       func(ctx context.Context, url string) ([]byte, error)
	// Limits of rendering. Zero: safe limits.
	Limits render.Limits
	// Share is the tenant's share of a budget of memory for all renders of the
	// program. Nil: a render takes what Limits allow.
	Share *render.Share
}
