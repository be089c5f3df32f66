// Package cluster gives access to one API server: clients over one transport,
// what the API server serves, and the requests for which client-go's clients
// are too slow or too talkative.
//
// It knows nothing of releases. A request without a response is sent again below
// the clients, see internal/resend; client-go's own
// log lines go to the logger given to [New], and the API server's warnings to
// the caller that asks for them by [WithWarnings].
package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/klog/v2"

	"github.com/fairlead-dev/fairlead/internal/merge"
	"github.com/fairlead-dev/fairlead/internal/resend"
)

// Cluster is one API server, as one identity sees it. It is safe for concurrent
// use.
type Cluster struct {
	Typed    *Typed
	Dynamic  dynamic.Interface
	Metadata metadata.Interface
	Merger   *merge.Merger

	cfg    *rest.Config // complete; not changed
	logger klog.Logger
	rules  *recentRules
	*kinds
}

// Options of a Cluster. Only Logger is required.
type Options struct {
	Logger *slog.Logger
	// CacheDir is where discovery and OpenAPI documents are kept for later processes.
	// Empty: nowhere.
	CacheDir string
	// Discovery is used in place of a client of the Cluster's own, and relied on until
	// a kind is looked for that it does not know. Nil: such a client.
	Discovery discovery.CachedDiscoveryInterfaceWithContext
}

// kinds is what the API server serves: discovery, and with it the schemas of
// Cluster.Merger. It is the same for every identity, and holds no object.
type kinds struct {
	discovery discovery.CachedDiscoveryInterfaceWithContext
	mapper    *restmapper.DeferredDiscoveryRESTMapper
	cache     *cache // nil: none
	server    string // what the cache knows the API server by
	hashes    hashes

	otherWrites atomic.Uint64

	mu        sync.Mutex
	version   *version.Info // nil until it is read
	asked     time.Time     // when discovery was last forgotten for its age
	forgotten time.Time     // when discovery was last forgotten for any reason
}

// New returns the cluster of cfg, which it copies. It sends no request.
func New(cfg *rest.Config, opts Options) (*Cluster, error) {
	k := &kinds{}
	return open(cfg, opts, k, func(next http.RoundTripper) http.RoundTripper { return noteRequests{accountRequests{next, k}} })
}

// NewElsewhere is New for a cluster of which WithRequests collects nothing.
func NewElsewhere(cfg *rest.Config, logger *slog.Logger) (*Cluster, error) {
	return open(cfg, Options{Logger: logger}, &kinds{}, func(next http.RoundTripper) http.RoundTripper { return next })
}

func open(cfg *rest.Config, opts Options, k *kinds, note func(http.RoundTripper) http.RoundTripper) (*Cluster, error) {
	cfg = rest.CopyConfig(cfg)
	if cfg.QPS == 0 && cfg.RateLimiter == nil {
		cfg.QPS = -1 // no client-side throttling
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "fairlead"
	}
	cfg.WarningHandler = nil
	cfg.WarningHandlerWithContext = collectWarnings{}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return note(resend.New(next, opts.Logger)) })
	c := &Cluster{cfg: cfg, logger: klog.Logger(logr.FromSlogHandler(opts.Logger.Handler())), rules: newRecentRules(), kinds: k}
	if opts.CacheDir != "" {
		c.server, c.cache = cfg.Host+cfg.APIPath, &cache{dir: opts.CacheDir, logger: opts.Logger}
		cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return revalidate{next, c.cache, c.server} })
	}
	client, err := c.connect()
	if err != nil {
		return nil, err
	}
	if c.discovery = opts.Discovery; c.discovery != nil {
		c.asked = time.Now() // as old as its owner lets it become
	} else {
		disco, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, client)
		if err != nil {
			return nil, fmt.Errorf("make the discovery client: %w", err)
		}
		c.discovery = memory.NewMemCacheClientWithContext(disco)
	}
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapperWithContext(c.discovery)
	c.Merger = merge.New(c.openAPI)
	c.Merger.Define = c.definedSchema
	return c, nil
}

// As returns the same cluster as another user sees it, in place of the one that cfg
// impersonates. What is known of the served kinds is shared, and is read as
// before.
func (c *Cluster) As(who rest.ImpersonationConfig) (*Cluster, error) {
	cfg := rest.CopyConfig(c.cfg)
	cfg.Impersonate = who
	as := &Cluster{Merger: c.Merger, cfg: cfg, logger: c.logger, rules: newRecentRules(), kinds: c.kinds}
	_, err := as.connect()
	return as, err
}

// connect makes the clients, over one transport.
func (c *Cluster) connect() (*http.Client, error) {
	client, err := rest.HTTPClientFor(c.cfg)
	if err != nil {
		return nil, fmt.Errorf("make the HTTP client: %w", err)
	}
	if c.cfg.ExecProvider != nil || c.cfg.AuthProvider != nil || c.cfg.BearerTokenFile != "" {
		client.Transport = resend.Renew(client.Transport, c.cfg.BearerTokenFile) // above what adds the token
	}
	client.Transport = forgetsRules{client.Transport, c.rules}
	if c.Dynamic, err = dynamic.NewForConfigAndClient(c.cfg, client); err != nil {
		return nil, fmt.Errorf("make the dynamic client: %w", err)
	}
	if c.Typed, err = newTyped(c.cfg, client); err != nil {
		return nil, fmt.Errorf("make the typed client: %w", err)
	}
	if c.Metadata, err = metadata.NewForConfigAndClient(metadata.ConfigFor(c.cfg), client); err != nil {
		return nil, fmt.Errorf("make the metadata client: %w", err)
	}
	return client, nil
}

// Quiet makes client-go log to the cluster's logger what it would otherwise
// print to stderr.
func (c *Cluster) Quiet(ctx context.Context) context.Context {
	return klog.NewContext(ctx, c.logger)
}
