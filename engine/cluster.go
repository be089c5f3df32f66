package engine

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/klog/v2"

	"github.com/fairlead-dev/fairlead/internal/merge"
	"github.com/fairlead-dev/fairlead/internal/resend"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// cluster is the API server as the engine sees it: clients over one
// transport, and what it serves. Safe for concurrent use.
type cluster struct {
	config   *rest.Config
	logger   klog.Logger
	dynamic  dynamic.Interface
	typed    kubernetes.Interface
	metadata metadata.Interface

	discovery discovery.CachedDiscoveryInterfaceWithContext
	mapper    *restmapper.DeferredDiscoveryRESTMapper
	merger    *merge.Merger

	mu      sync.Mutex
	version *version.Info // nil until asked for
	asked   time.Time     // when discovery began to be remembered
}

func newCluster(cfg *rest.Config, logger *slog.Logger) (*cluster, error) {
	cfg = rest.CopyConfig(cfg)
	if cfg.QPS == 0 && cfg.RateLimiter == nil {
		cfg.QPS = -1 // no client-side throttling
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "fairlead"
	}
	cfg.WarningHandler = nil
	cfg.WarningHandlerWithContext = collectWarnings{}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return resend.New(next, logger) })
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("make the HTTP client: %w", err)
	}
	if cfg.ExecProvider != nil || cfg.AuthProvider != nil || cfg.BearerTokenFile != "" {
		client.Transport = resend.Renew(client.Transport, cfg.BearerTokenFile) // above what adds the token
	}
	return clusterWith(cfg, client, logger)
}

func clusterWith(cfg *rest.Config, client *http.Client, logger *slog.Logger) (*cluster, error) {
	c := &cluster{config: cfg, logger: klog.Logger(logr.FromSlogHandler(logger.Handler()))}
	var err error
	if c.dynamic, err = dynamic.NewForConfigAndClient(cfg, client); err != nil {
		return nil, fmt.Errorf("make the dynamic client: %w", err)
	}
	if c.typed, err = kubernetes.NewForConfigAndClient(cfg, client); err != nil {
		return nil, fmt.Errorf("make the typed client: %w", err)
	}
	if c.metadata, err = metadata.NewForConfigAndClient(metadata.ConfigFor(cfg), client); err != nil {
		return nil, fmt.Errorf("make the metadata client: %w", err)
	}
	disco, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, client)
	if err != nil {
		return nil, fmt.Errorf("make the discovery client: %w", err)
	}
	c.discovery = memory.NewMemCacheClientWithContext(disco)
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapperWithContext(c.discovery)
	c.merger = merge.New(c.openAPI)
	return c, nil
}

// openAPI loads the API server's schema of a group version; nil if it has
// none.
func (c *cluster) openAPI(ctx context.Context, gv schema.GroupVersion) (io.ReadCloser, error) {
	path := []string{"openapi", "v3", "apis", gv.Group, gv.Version}
	if gv.Group == "" {
		path = []string{"openapi", "v3", "api", gv.Version}
	}
	body, err := c.typed.Discovery().RESTClient().Get().AbsPath(path...).SetHeader("Accept", "application/json").Stream(c.quiet(ctx))
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return body, err
}

func (c *cluster) store() *storage.Store {
	return storage.New(c.typed, c.metadata)
}

// serverVersion asks once.
func (c *cluster) serverVersion(ctx context.Context) (*version.Info, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != nil {
		return c.version, nil
	}
	v, err := c.discovery.ServerVersionWithContext(c.quiet(ctx))
	if err != nil {
		return nil, err
	}
	c.version = v
	return v, nil
}

// quiet makes client-go log to the engine's logger what it would otherwise
// print to stderr.
func (c *cluster) quiet(ctx context.Context) context.Context {
	return klog.NewContext(ctx, c.logger)
}

// mapping finds the resource of a kind. A kind that is not known is looked
// for once more with fresh discovery: it may be new.
func (c *cluster) mapping(ctx context.Context, gvk schema.GroupVersionKind) (*meta.RESTMapping, error) {
	return c.mapper.RESTMappingWithContext(c.quiet(ctx), gvk.GroupKind(), gvk.Version)
}

// discoveryAge is how long an Engine goes by what it knows the API server to
// serve. What is looked for and not known is asked for at once; this is for
// templates that ask whether a kind is there.
const discoveryAge = 5 * time.Minute

// freshen forgets what was asked too long ago.
func (c *cluster) freshen(ctx context.Context) {
	c.mu.Lock()
	old := time.Since(c.asked) > discoveryAge
	if old {
		c.asked, c.version = time.Now(), nil
	}
	c.mu.Unlock()
	if old {
		c.forgetDiscovery(ctx)
	}
}

// forgetDiscovery makes the next look-up ask the API server again.
func (c *cluster) forgetDiscovery(ctx context.Context) { c.mapper.ResetWithContext(c.quiet(ctx)) }

// forgetSchemas drops what is known of the kinds that a CRD defines.
func (c *cluster) forgetSchemas(crd *unstructured.Unstructured) {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		if v, ok := v.(map[string]any); ok {
			name, _ := v["name"].(string)
			c.merger.Forget(schema.GroupVersion{Group: group, Version: name})
		}
	}
}

// hasStatus says whether objects of the resource have a status subresource, as
// far as is known.
func (c *cluster) hasStatus(ctx context.Context, r schema.GroupVersionResource) bool {
	list, err := c.discovery.ServerResourcesForGroupVersionWithContext(c.quiet(ctx), r.GroupVersion().String())
	if err != nil {
		return true
	}
	return slices.ContainsFunc(list.APIResources, func(a metav1.APIResource) bool { return a.Name == r.Resource+"/status" })
}

// resource is the client for one mapped kind; namespace is ignored for
// cluster-scoped kinds.
func (c *cluster) resource(m *meta.RESTMapping, namespace string) dynamic.ResourceInterface {
	r := c.dynamic.Resource(m.Resource)
	if namespaced(m) {
		return r.Namespace(namespace)
	}
	return r
}

// on addresses a request to a mapped kind's objects; namespace is ignored for
// cluster-scoped kinds.
func on(r *rest.Request, m *meta.RESTMapping, namespace string) *rest.Request {
	gv := m.Resource.GroupVersion()
	path := []string{"apis", gv.Group, gv.Version}
	if gv.Group == "" {
		path = []string{"api", gv.Version}
	}
	return r.AbsPath(path...).NamespaceIfScoped(namespace, namespaced(m)).Resource(m.Resource.Resource).
		SetHeader("Accept", runtime.ContentTypeJSON)
}

// patch is Patch of the dynamic client, which decodes an answer four times
// over where once does.
func (c *cluster) patch(ctx context.Context, m *meta.RESTMapping, namespace, name string, pt types.PatchType, body []byte, opts metav1.PatchOptions) (*unstructured.Unstructured, error) {
	r := on(c.typed.Discovery().RESTClient().Patch(pt), m, namespace).Name(name).Param("fieldManager", opts.FieldManager).Body(body)
	if opts.Force != nil {
		r.Param("force", strconv.FormatBool(*opts.Force))
	}
	for _, d := range opts.DryRun {
		r.Param("dryRun", d)
	}
	u := &unstructured.Unstructured{}
	if err := decode(r.Do(c.quiet(ctx)), &u.Object); err != nil {
		return nil, err
	}
	return u, nil
}

// decode reads the JSON of an answer.
func decode(res rest.Result, into any) error {
	if err := res.Error(); err != nil {
		return err
	}
	body, err := res.Raw()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("decode the answer: %w", err)
	}
	return nil
}

// namespaced says whether objects of the kind live in a namespace.
func namespaced(m *meta.RESTMapping) bool { return m.Scope.Name() == meta.RESTScopeNameNamespace }

// collectWarnings hands the API server's warnings to whoever asked for them
// in the request's context; client-go's own default prints to stderr.
type collectWarnings struct{}

type warningsKey struct{}

// warnings are what the API server warned of, each text once, in order.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

func withWarnings(ctx context.Context) (context.Context, *warnings) {
	w := &warnings{}
	return context.WithValue(ctx, warningsKey{}, w), w
}

func (collectWarnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	w, ok := ctx.Value(warningsKey{}).(*warnings)
	if !ok || code != 299 || text == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.texts {
		if t == text {
			return
		}
	}
	w.texts = append(w.texts, text)
}
