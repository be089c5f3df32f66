package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/observe"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Engine plans and applies releases on one cluster. It is safe for concurrent
// use, over many releases. It keeps caches (API discovery; up to 16 MiB of
// revisions that it has read or written last, each used only if it is still the stored
// one; where the objects of releases are, to read them early; permissions that it had a
// moment ago) and no state: any number of engines in any number of processes can work
// side by side.
type Engine struct {
	opts    Options
	cluster *cluster.Cluster
	store   *storage.Store
	leases  func(k Key) leases // of engines of earlier versions; nil: there are none
	rules   map[schema.GroupKind]readiness.Rule
	events  emitter
	rivals  *rivals
	writes  *observe.Writes // by this engine and those made from it, for watches
	watches *watches        // by this identity
	counts  *writeCounts    // by this engine and those made from it
	cache   *resultCache    // with these options, by this identity
	// whereabouts are shared by this engine and those made from it.
	whereabouts *whereabouts
}

// New returns an Engine for the API server of cfg. It sends no request. cfg is
// copied; client-side throttling is off unless cfg sets QPS, because API
// Priority and Fairness of the API server governs. An option that is not
// accepted is an error that wraps ErrInvalidOptions and lists what is.
func New(cfg *rest.Config, opts Options) (*Engine, error) {
	return newEngine(cfg, opts, nil)
}

// newEngine is New with another discovery client than the engine's own, if not nil.
func newEngine(cfg *rest.Config, opts Options, known discovery.CachedDiscoveryInterfaceWithContext) (*Engine, error) {
	if cfg == nil {
		return nil, &Error{Op: "new engine", Err: errors.New("the rest.Config is nil: pass that of the cluster")}
	}
	if err := opts.validate(); err != nil {
		return nil, &Error{Op: "new engine", Err: err}
	}
	opts = opts.withDefaults()
	if opts.impersonates() {
		cfg = rest.CopyConfig(cfg)
		cfg.Impersonate = copyImpersonation(opts.As)
	}
	c, err := cluster.New(cfg, cluster.Options{Logger: opts.Logger, CacheDir: opts.CacheDir, Discovery: known})
	if err != nil {
		return nil, &Error{Op: "new engine", Err: err}
	}
	rules, err := compileRules(opts.Rules)
	if err != nil {
		return nil, &Error{Op: "new engine", Err: err}
	}
	at, err := opts.homeIn(c)
	if err != nil {
		return nil, &Error{Op: "new engine", Err: err}
	}
	writes := &observe.Writes{}
	return &Engine{
		opts: opts, cluster: c, store: opts.Storage.noting(at.store, writes), leases: at.leases, rules: rules,
		events: emitter{dispatcher: newDispatcher(opts.OnEvent)}, rivals: &rivals{}, writes: writes, watches: &watches{}, counts: &writeCounts{}, cache: newResultCache(), whereabouts: newWhereabouts(),
	}, nil
}

// As returns an engine that acts as another user, with that user's permissions,
// and with the options of this one. It sends no request. The two share
// connections, OnEvent, and what is the same for everybody: the kinds that the
// API server serves and their schemas, which are still read by the first
// engine's credentials. Those must be allowed to impersonate; who replaces
// Options.As. A who without UserName is an error that wraps ErrInvalidOptions:
// nothing would be impersonated.
//
// What Options.Cache remembers serves one engine alone: keep the engine of each
// who. A Watch of this engine confirms what the new one has read, for five minutes,
// after which it reads again, so that a permission that was taken away is noticed;
// a Watch of its own confirms it for longer.
func (e *Engine) As(who rest.ImpersonationConfig) (*Engine, error) {
	opts := e.opts
	opts.As = who
	err := opts.validateAs("who")
	if err == nil && !opts.impersonates() {
		err = invalid("who", "is empty; accepted is an ImpersonationConfig with UserName")
	}
	if err != nil {
		return nil, &Error{Op: "impersonate", Err: err}
	}
	c, err := e.cluster.As(copyImpersonation(who))
	if err != nil {
		return nil, &Error{Op: "impersonate", Err: err}
	}
	at := home{e.store, e.leases}
	if !opts.Storage.elsewhere() {
		if at, err = opts.homeIn(c); err != nil {
			return nil, &Error{Op: "impersonate", Err: err}
		}
		at.store = opts.Storage.noting(at.store, e.writes)
	}
	out := *e
	out.opts, out.cluster, out.store, out.leases = opts, c, at.store, at.leases
	out.watches, out.cache = &watches{lent: e.watches}, newResultCache()
	return &out, nil
}

// With returns an engine with other options for some of the calls: a release
// with its own readiness rules, allow-list, CRD policy or receiver of events.
// change gets a copy of the options; it must not change what they point to. The
// two share connections and what discovery has read, so that it costs nothing and
// sends no request. OnEvent is nil when change is called: if that sets none, the
// events of both engines go to the OnEvent of e. Logger, CacheDir, Storage and As
// cannot be changed; see [Engine.As]. An option that is not accepted is an error that wraps
// ErrInvalidOptions.
func (e *Engine) With(change func(*Options)) (*Engine, error) {
	if change == nil {
		return nil, &Error{Op: "change options", Err: errors.New("the function is nil")}
	}
	opts := e.opts.withDefaults() // which copies
	opts.OnEvent = nil
	change(&opts)
	opts.Logger, opts.CacheDir, opts.Storage, opts.As = e.opts.Logger, e.opts.CacheDir, e.opts.Storage, e.opts.As
	if err := opts.validate(); err != nil {
		return nil, &Error{Op: "change options", Err: err}
	}
	rules, err := compileRules(opts.Rules)
	if err != nil {
		return nil, &Error{Op: "change options", Err: err}
	}
	out := *e
	out.opts, out.rules, out.cache = opts.withDefaults(), rules, newResultCache()
	if opts.OnEvent != nil {
		out.events = emitter{dispatcher: newDispatcher(opts.OnEvent)}
	}
	return &out, nil
}

// forCall returns the engine for one call, whose events have an id of their own.
func (e *Engine) forCall() *Engine {
	out := *e
	out.events.call = newCallID()
	return &out
}

// copyImpersonation returns a copy that the caller cannot change.
func copyImpersonation(who rest.ImpersonationConfig) rest.ImpersonationConfig {
	who.Groups, who.Extra = slices.Clone(who.Groups), maps.Clone(who.Extra)
	for key, values := range who.Extra {
		who.Extra[key] = slices.Clone(values)
	}
	return who
}

// NewFromGetter returns an Engine for the cluster that kubectl plug-ins and Helm
// wrappers use; *genericclioptions.ConfigFlags is a RESTClientGetter. It
// returns ErrNoKubeconfig if there is none.
//
// The engine uses the getter's cached discovery, which kubectl and Helm keep on disk
// for hours, unless Options.CacheDir is set. A kind that it does not have is looked up
// again; but what templates see as .Capabilities is as old as the getter lets it become.
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
	if opts.CacheDir != "" {
		return New(cfg, opts)
	}
	known, err := g.ToDiscoveryClient()
	if err != nil {
		return nil, &Error{Op: "new engine", Err: fmt.Errorf("get the discovery client of the RESTClientGetter: %w", err)}
	}
	if known == nil {
		return New(cfg, opts)
	}
	return newEngine(cfg, opts, discovery.ToCachedDiscoveryInterfaceWithContext(known))
}
