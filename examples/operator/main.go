// Operator keeps the charts of Applications deployed.
//
//	operator run -leader-elect -workers 4      the operator, against KUBECONFIG or in a pod
//	operator install -namespace fairlead       deploys its chart by the engine
//	operator story                             shows on a test cluster what it does
//
// Run ends within two seconds after SIGTERM. Revisions that are under way stay
// pending, and the next operator goes on with them.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
	"github.com/fairlead-dev/fairlead/examples/operator/internal/controller"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "run":
		return operate(ctx, args)
	case "install":
		return install(ctx, args)
	case "story":
		return story(ctx)
	}
	return errors.New("usage: operator run|install|story [flags]; -h lists them")
}

// shutdown is how long passes and servers have to end.
const shutdown = 1500 * time.Millisecond

// settings are the flags of run.
type settings struct {
	controller.Options
	selector                labels.Selector
	metrics, health         string
	elect                   bool
	namespace, leaseID      string
	lease                   time.Duration
	privateAddresses, plain bool
}

func parse(args []string) (settings, error) {
	s := settings{selector: labels.Everything()}
	flags := flag.NewFlagSet("operator run", flag.ContinueOnError)
	flags.IntVar(&s.Workers, "workers", 4, "number of passes at the same time")
	flags.StringVar(&s.DefaultServiceAccount, "default-service-account", "", "ServiceAccount of Applications that name none; empty: the operator's own permissions")
	flags.DurationVar(&s.Resync, "resync", time.Minute, "how often a release that is as wanted is looked at")
	flags.BoolVar(&s.Watch, "watch", false, "notice at once what others do to releases; takes the permission to read them")
	flags.Func("selector", "label selector of the Applications of this shard", func(text string) (err error) {
		s.selector, err = labels.Parse(text)
		return err
	})
	flags.StringVar(&s.metrics, "metrics-address", ":8080", "address of /metrics; 0: none")
	flags.StringVar(&s.health, "health-address", ":8081", "address of /healthz and /readyz; 0: none")
	flags.BoolVar(&s.elect, "leader-elect", false, "elect a leader among the operators of a shard")
	flags.StringVar(&s.namespace, "leader-elect-namespace", "", "namespace of the Lease; empty: that of the pod")
	flags.DurationVar(&s.lease, "lease-duration", 15*time.Second, "after how long a leader that is gone is replaced")
	flags.BoolVar(&s.privateAddresses, "private-addresses", false, "load charts from private addresses, too")
	flags.BoolVar(&s.plain, "plain-http", false, "load charts by http, too")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.Charts.UnsafePlainHTTP = s.plain
	if !s.privateAddresses {
		s.Charts.Transport = charts.PublicTransport()
	}
	// Each shard has a leader of its own.
	sum := fnv.New32a()
	fmt.Fprint(sum, s.selector)
	s.leaseID = fmt.Sprintf("fairlead-operator-%08x", sum.Sum32())
	return s, nil
}

// operate runs the operator until ctx ends.
func operate(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil)))
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	renew, retry, grace := s.lease*2/3, s.lease/8, shutdown
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: server.Options{BindAddress: s.metrics}, HealthProbeBindAddress: s.health,
		Cache:          cache.Options{ByObject: map[client.Object]cache.ByObject{&v1alpha1.Application{}: {Label: s.selector}}},
		LeaderElection: s.elect, LeaderElectionID: s.leaseID, LeaderElectionNamespace: s.namespace, LeaderElectionReleaseOnCancel: true,
		LeaseDuration: &s.lease, RenewDeadline: &renew, RetryPeriod: &retry, GracefulShutdownTimeout: &grace,
	})
	if err != nil {
		return err
	}
	synced := func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the cache is not filled yet")
		}
		return nil
	}
	if err := cmp.Or(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("cache", synced), controller.Setup(mgr, s.Options)); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme))
}
