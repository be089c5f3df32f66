// Package controller keeps the charts of Applications deployed. Each look at an
// Application is one pass of the engine, which never waits: any number of
// Applications that do not become ready hold no worker.
package controller

import (
	"context"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/recorder"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
)

// Options are the settings of the operator. The zero value is safe.
type Options struct {
	// Workers take passes at the same time. 0: 1.
	Workers int
	// DefaultServiceAccount is the ServiceAccount, in the namespace of each, of
	// Applications that name none. Empty: they have the operator's own permissions.
	DefaultServiceAccount string
	// Watch notices at once what others do to releases; it takes the permissions to read
	// what releases have, and all that keep revisions. While it does, a pass over a release
	// that nothing has touched takes no request. False: Resync notices it.
	Watch bool
	// Resync is how often a release that is as wanted is looked at again. 0: a minute.
	Resync time.Duration
	// Charts are how charts are loaded; what Applications say is added.
	Charts charts.LoadOptions
}

// reconciler takes one pass for an Application.
type reconciler struct {
	Options
	client  client.Client // reads from the caches
	live    client.Reader // reads from the API server
	config  *rest.Config
	engine  *engine.Engine
	charts  *charts.Refresher // set when the queue is there
	events  recorder.EventRecorder
	metrics *passMetrics
	seen    versions

	identities identities
}

// Setup adds the controller to a manager.
func Setup(mgr ctrl.Manager, opts Options) error {
	eng, err := engine.New(mgr.GetConfig(), engine.Options{Cache: true})
	if err != nil {
		return err
	}
	if opts.Resync <= 0 {
		opts.Resync = time.Minute
	}
	r := &reconciler{
		Options: opts, client: mgr.GetClient(), live: mgr.GetAPIReader(), config: mgr.GetConfig(), engine: eng,
		events: mgr.GetEventRecorder("fairlead-operator"), metrics: newPassMetrics(),
	}
	if err := r.metrics.register(metrics.Registry, mgr.GetClient()); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Application{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Application{}, handler.EnqueueRequestsFromMapFunc(r.dependants)).
		WatchesRawSource(source.Func(r.touched)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: opts.Workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](200*time.Millisecond, 30*time.Second),
		}).
		Complete(r)
}

// touched queues Applications of which something else than themselves has changed: a
// chart has been loaded, or another client has touched the release.
func (r *reconciler) touched(ctx context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	r.charts = charts.NewRefresher(charts.RefresherOptions{Load: r.Charts, OnChange: func(user string) {
		namespace, name, _ := strings.Cut(user, "/")
		queue.Add(ctrl.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
	}})
	if !r.Watch {
		return nil
	}
	go wait.UntilWithContext(ctx, func(ctx context.Context) {
		for t, err := range r.engine.Watch(ctx, engine.WatchOptions{}) {
			if err != nil {
				log.FromContext(ctx).Error(err, "releases are not watched")
				return // and tried again; until then Resync finds what has changed
			}
			queue.Add(ctrl.Request{NamespacedName: types.NamespacedName(t.Key)})
		}
	}, watchAgain)
	return nil
}

// watchAgain is how long after a failure the watch begins again.
const watchAgain = 30 * time.Second
