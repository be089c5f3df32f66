package engine

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
)

// Live returns an object as it is in the cluster, for the release k: one of its
// own, or one that a controller has made for it, such as a generated Secret, whose
// values it then holds. An empty Version is the one that the API server prefers,
// and an empty Namespace of a namespaced kind is that of k. Options.Allow has to
// permit it.
//
// It returns ErrObjectNotFound if there is no such object, and ErrUnknownKind if
// its kind is not served.
func (e *Engine) Live(ctx context.Context, k Key, o diff.Object) (*unstructured.Unstructured, error) {
	e = e.forCall()
	u, at, err := e.live(ctx, k, o)
	return u, explain("read", k, at, err)
}

func (e *Engine) live(ctx context.Context, k Key, o diff.Object) (*unstructured.Unstructured, diff.Object, error) {
	if err := k.validate(); err != nil {
		return nil, o, err
	}
	m, err := e.resourceOf(ctx, k, o)
	if err != nil {
		return nil, o, err
	}
	o.Version = m.GroupVersionKind.Version
	if !cluster.Namespaced(m) {
		o.Namespace = ""
	} else if o.Namespace == "" {
		o.Namespace = k.Namespace
	}
	if why := e.blocked(k, o, nil); why != nil {
		return nil, o, notAllowed("read", k, o, why)
	}
	u, err := e.cluster.Resource(m, o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		err = fmt.Errorf("%w: %s", ErrObjectNotFound, o)
	}
	return u, o, err
}

// resourceOf is the resource that serves the kind of an object.
func (e *Engine) resourceOf(ctx context.Context, k Key, o diff.Object) (*meta.RESTMapping, error) {
	if o.Version == "" {
		m, err := e.cluster.ServedVersion(ctx, o.GroupVersionKind().GroupKind())
		if err == nil && m == nil {
			err = unknownKind(k, o, "the caller")
		}
		return m, err
	}
	m, err := e.locator(k, nil).mapping(ctx, o.GroupVersionKind())
	if meta.IsNoMatchError(err) {
		return nil, unknownKind(k, o, "the caller")
	}
	return m, err
}
