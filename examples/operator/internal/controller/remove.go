package controller

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
)

// remove takes one pass towards the release being gone, and lets the Application go
// once it is.
func (r *reconciler) remove(ctx context.Context, app *v1alpha1.Application) (time.Duration, error) {
	if !controllerutil.ContainsFinalizer(app, finalizer) {
		return 0, nil
	}
	if app.Spec.DeletionPolicy != v1alpha1.Orphan {
		if after, err := r.uninstall(ctx, app); err != nil || after != 0 {
			return after, err
		}
	}
	before := app.DeepCopy()
	controllerutil.RemoveFinalizer(app, finalizer)
	r.charts.Forget(keyOf(app).String())
	return 0, client.IgnoreNotFound(r.client.Patch(ctx, app, client.MergeFrom(before)))
}

// uninstall takes one pass. After is 0 if the release is gone, or cannot be uninstalled
// any more because its namespace goes, and the permissions of the ServiceAccount with
// it.
func (r *reconciler) uninstall(ctx context.Context, app *v1alpha1.Application) (after time.Duration, err error) {
	who, err := r.identity(app)
	if err != nil {
		return 0, err
	}
	opts := passOptions(app)
	opts.OnFailure = engine.LeaveFailed
	p, err := who.engine.ReconcileUninstall(ctx, keyOf(app), opts)
	if err == nil && p.Phase == engine.PhaseUninstalled {
		return 0, nil
	}
	if err != nil || p.Phase == engine.PhaseBlocked {
		if goes, getErr := r.namespaceGoes(ctx, app.Namespace); getErr == nil && goes {
			r.emit(app, eventWarning, "Abandoned", "namespace %s is being deleted, and the release cannot be uninstalled: what it has in other places stays", app.Namespace)
			return 0, nil
		}
	}
	if err != nil {
		return 0, err
	}
	observe(app, p)
	return max(p.After, immediately), nil
}

func (r *reconciler) namespaceGoes(ctx context.Context, name string) (bool, error) {
	ns := &corev1.Namespace{}
	err := r.live.Get(ctx, client.ObjectKey{Name: name}, ns)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return err == nil && ns.DeletionTimestamp != nil, err
}
