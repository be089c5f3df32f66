package engine

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
)

// readNamespace reads the release's own namespace. A missing one is an error
// unless create is set, or it is assumed to exist by then. Without the permission to
// read it, it is treated as existing, with no UID; the API server refuses what is in it
// otherwise.
func (e *Engine) readNamespace(ctx context.Context, k Key, create, assumed bool) (namespaceState, error) {
	ns, err := e.cluster.Typed.CoreV1().Namespaces().Get(cluster.Accounted(ctx), k.Namespace, metav1.GetOptions{})
	inputsOf(ctx).addNamespace(k)
	switch {
	case err == nil && ns.DeletionTimestamp != nil:
		return namespaceState{}, &Error{
			Op: "plan", Key: k, Hint: "wait until it is gone, or use another namespace",
			Err: fmt.Errorf("namespace %s is being deleted", k.Namespace),
		}
	case err == nil:
		return namespaceState{uid: ns.UID}, nil
	case apierrors.IsForbidden(err):
		return namespaceState{}, nil
	case !apierrors.IsNotFound(err):
		return namespaceState{}, fmt.Errorf("read namespace %s: %w", k.Namespace, err)
	case assumed:
		return namespaceState{missing: true, assumed: true}, nil
	case create:
		own := diff.Object{Version: "v1", Kind: "Namespace", Name: k.Namespace}
		if why := e.blocked(k, own, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": k.Namespace}}}); why != nil {
			return namespaceState{}, notAllowed("plan", k, own, why)
		}
		return namespaceState{missing: true}, nil
	}
	return namespaceState{}, &Error{
		Op: "plan", Key: k, Hint: "create it, or set Release.CreateNamespace",
		Err: fmt.Errorf("%w: %s", ErrNamespaceNotFound, k.Namespace),
	}
}

// readNamespaceFor is readNamespace beside history, which reads the history. A call
// that was not made for review, over a release whose revisions this engine has read
// or written in that namespace, does without, as long as they are there: where the
// namespace is being deleted, the API server refuses the revision that would be recorded
// before anything else is written.
func (e *Engine) readNamespaceFor(ctx context.Context, k Key, a asking, create, assumed bool, history func(context.Context) (*history, error)) (h *history, state namespaceState, err error) {
	known := a.purpose != forReview && !assumed && e.opts.Storage.namespaceOf(k) == k.Namespace && !e.opts.Storage.elsewhere() && e.store.Knows(k.Namespace, k.Name)
	err = parallel.All(ctx,
		func(ctx context.Context) (err error) { h, err = history(ctx); return err },
		func(ctx context.Context) (err error) {
			if !known {
				state, err = e.readNamespace(ctx, k, create, assumed)
			}
			return err
		},
	)
	if err == nil && known {
		inputsOf(ctx).addNamespace(k)
		if len(h.inventory.Revisions) == 0 {
			state, err = e.readNamespace(ctx, k, create, assumed)
		}
	}
	return h, state, err
}

// requireNamespace fails with ErrNamespaceNotFound if the namespace of an
// object does not exist.
func (e *Engine) requireNamespace(ctx context.Context, k Key, o diff.Object) error {
	_, err := e.cluster.Typed.CoreV1().Namespaces().Get(ctx, o.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return namespaceNotFound(k, o)
	case err != nil && !apierrors.IsForbidden(err):
		return fmt.Errorf("read namespace %s: %w", o.Namespace, err)
	}
	return nil
}
