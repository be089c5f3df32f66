package controller

import (
	"cmp"
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
)

// finalizer keeps an Application until its release is uninstalled.
const finalizer = v1alpha1.Group + "/release"

const immediately = time.Millisecond

// Reconcile takes one pass for an Application and records what it has found.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	app := &v1alpha1.Application{}
	if err := r.client.Get(ctx, req.NamespacedName, app); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.seen.forget(req.NamespacedName)
			r.identities.forget(req.NamespacedName)
			r.charts.Forget(req.String())
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.seen.later(app) {
		return ctrl.Result{RequeueAfter: 20 * time.Millisecond}, nil // the cache has not seen our last write
	}
	if !app.DeletionTimestamp.IsZero() {
		return r.recorded(ctx, app, r.remove)
	}
	if !controllerutil.ContainsFinalizer(app, finalizer) {
		before := app.DeepCopy()
		controllerutil.AddFinalizer(app, finalizer)
		if err := r.client.Patch(ctx, app, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
	}
	return r.recorded(ctx, app, r.hold)
}

// recorded takes a pass, writes the status that it leaves, and emits events about what
// has changed.
func (r *reconciler) recorded(ctx context.Context, app *v1alpha1.Application, pass func(context.Context, *v1alpha1.Application) (time.Duration, error)) (ctrl.Result, error) {
	before, began := app.DeepCopy(), time.Now()
	app.Status.ObservedGeneration = app.Generation
	after, err := pass(ctx, app)
	if ctx.Err() != nil {
		return ctrl.Result{}, nil // the operator ends; the release stays as it is, for the next one
	}
	r.metrics.passed(app, time.Since(began))
	if app.DeletionTimestamp != nil && !controllerutil.ContainsFinalizer(app, finalizer) {
		return ctrl.Result{}, err // it is gone
	}
	if err != nil {
		failed(app, err)
	}
	if !equality.Semantic.DeepEqual(before.Status, app.Status) {
		r.announce(before, app)
		patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
		if writeErr := r.client.Status().Patch(ctx, app, patch); writeErr != nil {
			return ctrl.Result{}, client.IgnoreNotFound(errors.Join(err, writeErr))
		}
		r.seen.wrote(app)
	}
	return ctrl.Result{RequeueAfter: after}, err
}

// hold takes one pass towards what the Application wants, or looks at it if it is
// there already.
func (r *reconciler) hold(ctx context.Context, app *v1alpha1.Application) (time.Duration, error) {
	if app.Spec.Suspend {
		suspended(app)
		return 0, nil
	}
	who, err := r.identity(app)
	if err != nil {
		return 0, err
	}
	chart, nextLook, err := r.chart(ctx, app, who)
	if errors.Is(err, charts.ErrLoading) {
		waiting(app, "ChartLoading", "the chart is being loaded")
		return 0, nil // it is queued once that has ended
	}
	if err != nil {
		return 0, err
	}
	wanted, err := r.wanted(ctx, app, who, chart)
	if err != nil {
		return 0, err
	}
	if app.Status.Deployed == wanted.digest {
		p, err := r.steady(ctx, app, who)
		if err == nil {
			observe(app, p)
			return r.next(p, nextLook), nil
		}
		if !errors.Is(err, errChanged) {
			return 0, err
		}
		app.Status.Deployed = "" // another client has deployed, or uninstalled it
	}
	if !begun(app) {
		why, err := r.unmet(ctx, app)
		if err != nil {
			return 0, err
		}
		if why != "" {
			waiting(app, "DependencyNotReady", why)
			return min(r.Resync, 10*time.Second), nil
		}
	}
	p, err := who.engine.Reconcile(ctx, wanted.release, passOptions(app))
	if err != nil {
		return 0, err
	}
	info := chart.Info()
	app.Status.Chart = &v1alpha1.ChartStatus{Name: info.Name, Version: info.Version, Digest: info.Digest}
	if p.Phase == engine.PhaseDeployed {
		app.Status.Deployed, app.Status.Drift = wanted.digest, nil
	}
	observe(app, p)
	return r.next(p, nextLook), nil
}

// begun reports whether a revision is under way: it is not stopped for a dependency.
func begun(app *v1alpha1.Application) bool {
	phase := engine.Phase(app.Status.Phase)
	return phase == engine.PhaseProgressing || phase == engine.PhaseReverting
}

// next is when the next pass has to be, if nothing queues it before.
func (r *reconciler) next(p engine.Progress, chart time.Duration) time.Duration {
	return min(cmp.Or(p.After, r.Resync), cmp.Or(chart, r.Resync))
}

func passOptions(app *v1alpha1.Application) engine.ReconcileOptions {
	opts := engine.ReconcileOptions{History: app.Spec.History, OnFailure: engine.OnFailure(app.Spec.OnFailure)}
	if opts.OnFailure == engine.OnFailure(v1alpha1.LeaveFailed) {
		opts.OnFailure = engine.LeaveFailed
	}
	if app.Spec.Timeout != nil {
		opts.Timeout = app.Spec.Timeout.Duration
	}
	return opts
}
