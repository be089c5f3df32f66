package engine

import (
	"fmt"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// DefaultFieldManager is the name under which the engine owns fields in
// metadata.managedFields.
const DefaultFieldManager = "fairlead"

// Options are the settings of an [Engine]. The zero value is safe.
type Options struct {
	// FieldManager owns what the engine applies. Empty: DefaultFieldManager.
	// Changing it on a living release makes the fields of the former name
	// somebody else's; name that one in FormerManagers then.
	FieldManager string
	// FormerManagers are field managers whose fields count as the release's
	// own and are taken over without a conflict. Nil: "helm", the name of
	// Helm's own program. Empty and not nil: none. Programs that embed Helm
	// write under their own names; they need not be listed, because whoever
	// wrote the release's mark into an object is known by that.
	FormerManagers []string
	// Ownership settles conflicts with other field managers, field by field;
	// the first rule that matches holds. Without one a conflict is a problem
	// of the plan. spec.replicas of a workload that an autoscaler targets is
	// left to it without any rule.
	Ownership []Ownership
	// Replace says what is done about objects of which a field changes that
	// the API server does not let change; the first rule that matches holds,
	// then the object's annotation AnnotationReplace. Without either it is a
	// problem of the plan.
	Replace []Replace
	// CRDs says what is done about CustomResourceDefinitions that exist. Empty:
	// CRDsCompatible.
	CRDs CRDPolicy
	// ApplySet makes each release a set by the ApplySet specification
	// (KEP-3659), for other tools to see: a label on each object of its
	// manifest, and one more object, the ConfigMap fairlead-NAME, which is the
	// set's parent. Changing it is a change to every release, with its next
	// deploy or rollback. False: none, as Helm knows none. See docs/applyset.md.
	ApplySet bool
	// OnEvent is told what happens. It is called serially, in the order of
	// the facts, from a goroutine of the engine, for all calls on this Engine;
	// every event names its release. It never holds up the work: events queue
	// for a slow one, and an undelivered Waiting gives way to the next of its
	// object; nothing else is dropped. All events of a call are
	// delivered before the call returns, unless that takes more than 5 s, in
	// which case the rest follows later. OnEvent must not call the Engine and
	// wait for it. Nil: nobody is told. See also [LogEvents] and [Observers].
	OnEvent func(Event)
	// Rules judge whether objects are ready, by kind, in place of what the
	// engine knows by itself; of two for one kind the later holds. Hooks are
	// judged by them, too, except Pods, which must end. See [ReadyRule].
	Rules []ReadyRule
	// Allow is a fence: it says which objects a release may touch, whatever
	// the engine's own rights. What it refuses is a problem of the plan, and is
	// not read either; hooks, lookups and the release's namespace, if that is
	// to be created, are subject to it too. The object of a lookup may have no
	// name or namespace (all). It must be fast and safe for concurrent use.
	// Nil: everything. See OwnNamespace.
	Allow func(Key, diff.Object) bool
	// As is whom to act as, with the tenant's rights in place of the engine's.
	// Zero: nobody else.
	As rest.ImpersonationConfig
	// Lookup says what the template function lookup may read, with the
	// rights of the engine. namespace and name may be empty (all). Nil: only
	// objects in the release's own namespace, Secrets included; whatever is
	// not allowed answers empty, as in helm template.
	Lookup func(key Key, gvk schema.GroupVersionKind, namespace, name string) bool
	// LeaseDuration is how long a deployer that is not heard of counts as
	// alive; it is heard of every third of it. Rounded to seconds. 0:
	// DefaultLeaseDuration.
	LeaseDuration time.Duration
	// Concurrency bounds the requests in flight of one call. 0: 16.
	Concurrency int
	// Logger gets diagnostics that no caller needs to act on. Nil: discarded.
	Logger *slog.Logger
}

// Engine plans and carries out releases on one cluster. It is safe for
// concurrent use, over many releases. It keeps caches (API discovery), no
// state: any number of engines in any number of processes can work side by
// side.
type Engine struct {
	opts   Options
	c      *cluster
	store  *storage.Store
	rules  map[schema.GroupKind]readiness.Rule
	events *dispatcher
}

// New makes an Engine for the API server of cfg. It sends no request. cfg is
// copied; client-side throttling is off unless cfg sets QPS, because the API
// server's own priority and fairness governs.
func New(cfg *rest.Config, opts Options) (*Engine, error) {
	if cfg == nil {
		return nil, &Error{Op: "new engine", Err: fmt.Errorf("the rest.Config is nil: pass the configuration of the cluster to work on")}
	}
	if !opts.CRDs.valid() {
		return nil, &Error{Op: "new engine", Hint: "use one of the constants of CRDPolicy", Err: fmt.Errorf("Options.CRDs is %q", string(opts.CRDs))}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.As.UserName != "" {
		cfg = rest.CopyConfig(cfg)
		cfg.Impersonate = opts.As
	}
	c, err := newCluster(cfg, opts.Logger)
	if err != nil {
		return nil, &Error{Op: "new engine", Err: err}
	}
	if opts.FieldManager == "" {
		opts.FieldManager = DefaultFieldManager
	}
	if opts.FormerManagers == nil {
		opts.FormerManagers = []string{"helm"}
	}
	if opts.LeaseDuration <= 0 {
		opts.LeaseDuration = DefaultLeaseDuration
	}
	opts.LeaseDuration = max(time.Second, opts.LeaseDuration.Round(time.Second))
	if opts.Concurrency <= 0 {
		opts.Concurrency = 16
	}
	rules, err := compileRules(opts.Rules)
	if err != nil {
		return nil, &Error{Op: "new engine", Err: err}
	}
	return &Engine{opts: opts, c: c, store: c.store(), rules: rules, events: newDispatcher(opts.OnEvent)}, nil
}

// NewFromGetter makes an Engine from what kubectl plug-ins and Helm wrappers
// have at hand; *genericclioptions.ConfigFlags is one.
func NewFromGetter(g genericclioptions.RESTClientGetter, opts Options) (*Engine, error) {
	if g == nil {
		return nil, &Error{Op: "new engine", Err: fmt.Errorf("the RESTClientGetter is nil")}
	}
	cfg, err := g.ToRESTConfig()
	if clientcmd.IsEmptyConfig(err) || err == nil && fallenBack(g, cfg) {
		return nil, noKubeconfig(g)
	}
	if err != nil {
		return nil, &Error{Op: "new engine", Hint: "check the kubeconfig, its current context and the --context given", Err: err}
	}
	return New(cfg, opts)
}
