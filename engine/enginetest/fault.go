package enginetest

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
)

// Fault is a failure on demand. Empty fields match everything.
type Fault struct {
	// Verb is that of the request, as in RBAC: get, list, watch, create, patch, update,
	// delete, deletecollection.
	Verb string
	// Object is what the request is about; a field of it that is empty matches all. The
	// version is ignored.
	Object diff.Object
	// DryRun selects server-side dry-runs, by which plans are made. False: what is
	// really done.
	DryRun bool
	// After is the number of requests that pass before the first one that fails.
	After int
	// Times is how many fail. 0: all from then on.
	Times int
	// Err is what the API server returns: an error of k8s.io/apimachinery's package
	// api/errors, or any other, which becomes an internal error. Nil: an internal error.
	Err error
}

type fault struct {
	Fault
	seen int
}

// Fail makes requests fail from now on. The engine repeats requests that failed for a
// reason that may pass, as it does on a real cluster.
func (c *Cluster) Fail(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, &fault{Fault: f})
}

// Heal ends all faults.
func (c *Cluster) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
}

// failure is the error of a request that is to fail. The caller holds the lock.
func (c *Cluster) failure(verb string, o diff.Object, dry bool) error {
	matches := func(want, have string) bool { return want == "" || want == have }
	for _, f := range c.faults {
		at := f.Object
		if !matches(f.Verb, verb) || f.DryRun != dry || at.Kind != "" && (at.Kind != o.Kind || at.Group != o.Group) || !matches(at.Namespace, o.Namespace) || !matches(at.Name, o.Name) {
			continue
		}
		if f.seen++; f.seen <= f.After || f.Times > 0 && f.seen > f.After+f.Times {
			continue
		}
		var status apierrors.APIStatus
		if errors.As(f.Err, &status) {
			return f.Err
		}
		if f.Err == nil {
			return apierrors.NewInternalError(errors.New("a fault of the test"))
		}
		return apierrors.NewInternalError(f.Err)
	}
	return nil
}

// statusOf is an error as the API server sends it.
func statusOf(err error) *metav1.Status {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return statusOf(apierrors.NewInternalError(err))
	}
	out := status.Status()
	out.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return &out
}
