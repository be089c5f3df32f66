package engine

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// origin is what brings an object into a release.
type origin int

const (
	// fromManifest: a template, or a source's own object.
	fromManifest origin = iota
	// fromCRDs: the chart's crds/ directory. Such a CRD belongs to the cluster
	// once it exists: it carries no marks of the release and is never deleted.
	fromCRDs
	// fromApplySet: Options.ApplySet, whose parent ConfigMap it is.
	fromApplySet
)

// object is one object of a plan in all its states. The read stage builds it;
// afterwards neither it nor any of its states is changed.
type object struct {
	location
	origin origin
	source string // template path, for people

	// base is the object as the release applied it last, with the release's
	// marks; nil: never.
	base *unstructured.Unstructured
	// unwritten: base was attempted, and never seen live.
	unwritten bool

	rendered *unstructured.Unstructured // nil: no longer wanted
	desired  *unstructured.Unstructured // rendered, with namespace and marks; nil: no longer wanted
	live     *unstructured.Unstructured // nil: does not exist

	notes        []string // for people: fields whose overrides are kept
	readWarnings []string // of the API server, about the version it was read in
	members      setScope // of an apply set's parent: where labelled members are now

	candidates []candidate // for base, oldest first
	unread     error       // why it could not be read: the permission is missing

	// asked is the dry-run that showed that the object does not exist; nil: it was
	// read instead.
	asked *askedCreate
}

// askedCreate is a dry-run of creating an object.
type askedCreate struct {
	body    *unstructured.Unstructured // that was applied
	created *unstructured.Unstructured // the result
}

// reading is the resource by which the live object is read.
func (o *object) reading() *meta.RESTMapping {
	if o.readAs != nil {
		return o.readAs
	}
	return o.mapping
}

func (o *object) isSetParent() bool { return o.origin == fromApplySet }

// candidate is an object as one revision applied it, if it got to it.
type candidate struct {
	object *unstructured.Unstructured
	// recorded is when the API server stored the revision, which is before
	// anything of it was written.
	recorded time.Time
	healthy  bool // the revision was deployed once, and so was written completely
	member   bool // of the release's apply set
}

func candidateOf(u *unstructured.Unstructured, r *storage.Record) candidate {
	return candidate{u, r.Created(), wasHealthy(r.Status), r.ApplySet}
}
