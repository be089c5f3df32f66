package engine

import (
	"errors"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Engine plans and applies releases on one cluster. It is safe for concurrent
// use, over many releases. It keeps caches (API discovery) and no state: any
// number of engines in any number of processes can work side by side.
type Engine struct {
	opts    Options
	cluster *cluster.Cluster
	store   *storage.Store
	rules   map[schema.GroupKind]readiness.Rule
	events  *dispatcher
}

// New returns an Engine for the API server of cfg. It sends no request. cfg is
// copied; client-side throttling is off unless cfg sets QPS, because API
// Priority and Fairness of the API server governs. An option that is not
// accepted is an error that wraps ErrInvalidOptions and lists what is.
func New(cfg *rest.Config, opts Options) (*Engine, error) {
	if cfg == nil {
		return nil, &Error{Op: "new engine", Err: errors.New("the rest.Config is nil: pass that of the cluster")}
	}
	if err := opts.validate(); err != nil {
		return nil, &Error{Op: "new engine", Err: err}
	}
	opts = opts.withDefaults()
	if opts.As.UserName != "" {
		cfg = rest.CopyConfig(cfg)
		cfg.Impersonate = opts.As
	}
	c, err := cluster.New(cfg, opts.Logger)
	if err != nil {
		return nil, &Error{Op: "new engine", Err: err}
	}
	rules, err := compileRules(opts.Rules)
	if err != nil {
		return nil, &Error{Op: "new engine", Err: err}
	}
	return &Engine{opts: opts, cluster: c, store: storage.New(c.Typed, c.Metadata), rules: rules, events: newDispatcher(opts.OnEvent)}, nil
}

// NewFromGetter returns an Engine for the cluster that kubectl plug-ins and Helm
// wrappers use; *genericclioptions.ConfigFlags is a RESTClientGetter. It
// returns ErrNoKubeconfig if there is none.
func NewFromGetter(g genericclioptions.RESTClientGetter, opts Options) (*Engine, error) {
	if g == nil {
		return nil, &Error{Op: "new engine", Err: errors.New("the RESTClientGetter is nil")}
	}
	cfg, err := g.ToRESTConfig()
	if clientcmd.IsEmptyConfig(err) || err == nil && fallenBack(g, cfg) {
		return nil, noKubeconfig(g)
	}
	if err != nil {
		return nil, &Error{Op: "new engine", Hint: "check the kubeconfig, its current-context and the flag --context", Err: err}
	}
	return New(cfg, opts)
}
