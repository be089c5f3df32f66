package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// caching is a fixture whose engine remembers, with a watch that runs.
type caching struct {
	*fixture
	gate *watchGate
	*watcher
	r engine.Release
}

func newCaching(t *testing.T, templates map[string]string) *caching {
	return cachingOf(newFixture(t), templates)
}

func cachingOf(f *fixture, templates map[string]string) *caching {
	gate, cfg := newWatchGate(f.config)
	f.config = cfg
	f.engine = f.newEngineWith(engine.Options{Cache: true, OnEvent: f.events.add})
	c := &caching{fixture: f, gate: gate, r: f.release(f.chart(templates))}
	f.deploy(c.r)
	return c.watching()
}

// watching starts the watch of the engine.
func (c *caching) watching() *caching {
	f := c.fixture
	c.watcher = f.watch(f.engine, engine.WatchOptions{Namespaces: []string{f.namespace}})
	c.awaitReason(f.key, engine.TouchFound)
	return c
}

// remembering are the calls that are remembered.
var remembering = map[string]func(*caching, *engine.Engine) error{
	"Reconcile": func(c *caching, e *engine.Engine) error {
		p, err := e.Reconcile(c.ctx, c.r, engine.ReconcileOptions{})
		if err == nil && (p.Phase != engine.PhaseDeployed || p.Plan == nil || p.Revision == nil || len(p.Plan.Report.Changes) == 0) {
			err = fmt.Errorf("%+v", p)
		}
		return err
	},
	"ReconcileCorrection": func(c *caching, e *engine.Engine) error {
		p, err := e.ReconcileCorrection(c.ctx, c.key, engine.ReconcileOptions{})
		if err == nil && (p.Phase != engine.PhaseDeployed || p.Changed) {
			err = fmt.Errorf("%+v", p)
		}
		return err
	},
	"Drift": func(c *caching, e *engine.Engine) error {
		d, err := e.Drift(c.ctx, c.key)
		if err == nil && len(d.Changes) == 0 {
			err = fmt.Errorf("%+v", d)
		}
		return err
	},
	"Status": func(c *caching, e *engine.Engine) error {
		s, err := e.Status(c.ctx, c.key)
		if err == nil && (!s.Ready || len(s.Objects) == 0) {
			err = fmt.Errorf("%+v", s)
		}
		return err
	},
}

// requested is how many requests a call takes, apart from those of the watch, which
// runs beside it.
func (c *caching) requested(call func() error) int {
	c.Helper()
	c.requests.Reset()
	if err := call(); err != nil {
		c.Fatal(err)
	}
	return c.requests.Count(func(r testcluster.Request) bool {
		selector := r.Query.Get("labelSelector")
		kinds := strings.HasPrefix(r.Path, "/apis") && strings.Count(r.Path, "/") < 4 || strings.HasPrefix(r.Path, "/openapi") || r.Path == "/api" || r.Path == "/version"
		return !r.Watch() && !kinds && selector != "app.kubernetes.io/managed-by=Helm" && selector != "owner in (helm,fairlead.dev)" &&
			!strings.Contains(r.Path, "/sh.helm.release.v1.") && !strings.HasSuffix(r.Path, "/customresourcedefinitions") && !strings.HasSuffix(r.Path, "/apiservices")
	})
}

// awaitNone waits until a call takes no request.
func (c *caching) awaitNone(name string) {
	c.Helper()
	testcluster.Eventually(c, time.Minute, func(context.Context) error {
		if n := c.requested(func() error { return remembering[name](c, c.engine) }); n > 0 {
			return fmt.Errorf("%s takes %d requests: %v", name, n, c.requests.Requests())
		}
		return nil
	})
}

func (c *caching) wantSome(name, why string) {
	c.Helper()
	if n := c.requested(func() error { return remembering[name](c, c.engine) }); n == 0 {
		c.Errorf("%s takes no request %s", name, why)
	}
}

// What nothing has touched takes no request, by none of the calls; what was
// remembered is the same as what was read, and with the same events.
func TestCacheTakesNoRequest(t *testing.T) {
	c := newCaching(t, map[string]string{"web.yaml": deployment, "config.yaml": configMap})
	for name := range remembering {
		c.awaitNone(name)
	}
	without, err := c.newEngineWith(engine.Options{}).Reconcile(c.ctx, c.r, engine.ReconcileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.events.take()
	with, err := c.engine.Reconcile(c.ctx, c.r, engine.ReconcileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(with.Plan.Report, *with.Revision), fmt.Sprint(without.Plan.Report, *without.Revision); got != want {
		t.Errorf("remembered is %s, want %s", got, want)
	}
	var ended int
	for _, e := range c.events.take() {
		if a, ok := e.(engine.Applied); ok && a.Action == diff.Unchanged {
			ended++
		}
	}
	if ended != 2 {
		t.Errorf("%d objects were reported", ended)
	}

	// What is returned is the caller's own.
	with.Plan.Report.Changes[0].Action, with.Revision.Cause = diff.Deleted, "mine"
	again, err := c.engine.Reconcile(c.ctx, c.r, engine.ReconcileOptions{})
	if err != nil || again.Plan.Report.Changes[0].Action != diff.Unchanged || again.Revision.Cause != "" {
		t.Errorf("%+v, %v", again.Plan.Report, err)
	}

	// With other values, nothing that was remembered is returned.
	if p, err := c.engine.Reconcile(c.ctx, c.release(c.chart(map[string]string{"config.yaml": configMap}), "colour=red"), engine.ReconcileOptions{}); err != nil || !p.Changed {
		t.Errorf("%+v, %v", p, err)
	}
}

// After a foreign change was seen, nothing remembered is returned, and drift is
// corrected.
func TestCacheSeesChanges(t *testing.T) {
	c := newCaching(t, map[string]string{"config.yaml": configMap})
	for name := range remembering {
		c.awaitNone(name)
	}
	c.paint("pink")
	c.await(c.key, painted)
	if d, err := c.engine.Drift(c.ctx, c.key); err != nil || !slices.ContainsFunc(d.Changes, diff.Change.Changed) {
		t.Errorf("%+v, %v", d, err)
	}
	if p, err := c.engine.ReconcileCorrection(c.ctx, c.key, engine.ReconcileOptions{}); err != nil || !p.Changed {
		t.Errorf("%+v, %v", p, err)
	}
	c.awaitNone("ReconcileCorrection")

	other := c.r
	other.Labels = map[string]string{"team": "shop"}
	if _, err := c.newEngineWith(engine.Options{}).Deploy(c.ctx, other, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	c.awaitReason(c.key, engine.TouchHistory)
	c.wantSome("Status", "after another engine has recorded a revision")
}

// A watch that is late does not hide what the engine has written itself.
func TestCacheSeesOwnWritesBeforeTheWatch(t *testing.T) {
	c := newCaching(t, map[string]string{"config.yaml": configMap})
	for name := range remembering {
		c.awaitNone(name)
	}
	c.gate.hold()
	defer c.gate.release()
	red := c.release(c.chart(map[string]string{"config.yaml": configMap}), "colour=red")
	if _, err := c.engine.Deploy(c.ctx, red, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if p, err := c.engine.Reconcile(c.ctx, c.r, engine.ReconcileOptions{}); err != nil || !p.Changed || p.Phase != engine.PhaseDeployed {
		t.Errorf("the release that is remembered is not deployed again: %+v, %v", p, err)
	}
	for range 2 { // what is read now is remembered, and not returned yet
		for name := range remembering {
			c.wantSome(name, "although the watch has not seen its own write")
		}
	}
	live, err := c.client.CoreV1().ConfigMaps(c.namespace).Get(c.ctx, "shop-config", metav1.GetOptions{})
	if err != nil || live.Data["colour"] != "green" {
		t.Errorf("%v, %v", live.Data, err)
	}
	c.gate.release()
	for name := range remembering {
		c.awaitNone(name)
	}

	// Another identity's writes count as well.
	who, err := c.engine.As(rest.ImpersonationConfig{UserName: "admin", Groups: []string{"system:masters"}})
	if err != nil {
		t.Fatal(err)
	}
	c.gate.hold()
	if _, err := who.Deploy(c.ctx, red, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if p, err := c.engine.Reconcile(c.ctx, c.r, engine.ReconcileOptions{}); err != nil || !p.Changed {
		t.Errorf("%+v, %v", p, err)
	}
}

// While a watch is broken nothing remembered is returned; once it is in sync again
// it is, and what happened meanwhile is seen.
func TestCacheWithBrokenWatches(t *testing.T) {
	for name, status := range map[string]int{"gone": http.StatusGone, "forbidden": http.StatusForbidden, "unavailable": http.StatusServiceUnavailable} {
		t.Run(name, func(t *testing.T) {
			c := newCaching(t, map[string]string{"config.yaml": configMap})
			c.awaitNone("Reconcile")
			c.gate.cut(status)
			testcluster.Eventually(t, time.Minute, func(context.Context) error {
				if n := c.requested(func() error { return remembering["Reconcile"](c, c.engine) }); n == 0 {
					return errors.New("it takes no request although the watches are broken")
				}
				return nil
			})
			c.wantSome("Reconcile", "while the watches are broken")
			c.gate.heal()
			c.awaitNone("Reconcile")
			c.paint("pink")
			c.await(c.key, painted)
			if d, err := c.engine.Drift(c.ctx, c.key); err != nil || !slices.ContainsFunc(d.Changes, diff.Change.Changed) {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}

// Without a watch, or with what no watch shows, each call reads.
func TestCacheReadsWhenInDoubt(t *testing.T) {
	lookup := `{{ $n := lookup "v1" "ConfigMap" .Release.Namespace "not-there" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: shop-config}
data: {colour: {{ $n | len | quote }}}
`
	c := newCaching(t, map[string]string{"config.yaml": lookup})
	c.awaitNone("Status")
	for range 3 {
		c.wantSome("Reconcile", "although its templates look up")
	}

	// Another identity is not given what this one has read.
	user := c.cluster.User(t, c.namespace, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}})
	who, err := c.engine.As(user.Impersonate)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := who.Status(c.ctx, c.key); !errors.Is(err, engine.ErrForbidden) {
		t.Errorf("%+v, %v", s, err)
	}

	c.stop()
	c.wantSome("Status", "although there is no watch")
	c.wantSome("Status", "although there is no watch")
}

// An engine for another identity remembers what it has read itself, while the first
// engine watches, and after some minutes reads again: its permissions may be others.
func TestCacheOfAnotherIdentity(t *testing.T) {
	c := newCaching(t, map[string]string{"config.yaml": configMap})
	user := c.cluster.User(t, c.namespace, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"get", "list", "patch", "update", "create"}})
	who, err := c.engine.As(user.Impersonate)
	if err != nil {
		t.Fatal(err)
	}
	awaitNone := func(names ...string) {
		t.Helper()
		for _, name := range names {
			call := remembering[name]
			testcluster.Eventually(t, time.Minute, func(context.Context) error {
				if n := c.requested(func() error { return call(c, who) }); n > 0 {
					return fmt.Errorf("%s takes %d requests: %v", name, n, c.requests.Requests())
				}
				return nil
			})
		}
	}
	awaitNone(slices.Collect(maps.Keys(remembering))...)
	c.paint("pink")
	c.await(c.key, painted)
	if d, err := who.Drift(c.ctx, c.key); err != nil || !slices.ContainsFunc(d.Changes, diff.Change.Changed) {
		t.Errorf("%+v, %v", d, err)
	}
	if p, err := who.ReconcileCorrection(c.ctx, c.key, engine.ReconcileOptions{}); err != nil || !p.Changed {
		t.Errorf("%+v, %v", p, err)
	}
	awaitNone("ReconcileCorrection", "Drift", "Status")

	if err := c.client.RbacV1().RoleBindings(c.namespace).DeleteCollection(c.ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		who.AgeCache(6 * time.Minute)
		if s, err := who.Status(c.ctx, c.key); !errors.Is(err, engine.ErrForbidden) {
			return fmt.Errorf("%+v, %v", s, err)
		}
		return nil
	})
	c.awaitNone("Status")
	c.engine.AgeCache(6 * time.Minute)
	if n := c.requested(func() error { return remembering["Status"](c, c.engine) }); n > 0 {
		t.Errorf("%d requests although the engine watches itself", n)
	}
}

// What is remembered of one release is kept while another is written.
func TestCacheOfOtherReleases(t *testing.T) {
	c := newCaching(t, map[string]string{"config.yaml": configMap})
	c.awaitNone("Status")
	other := c.r
	other.Name = "other"
	c.deploy(other)
	if n := c.requested(func() error { return remembering["Status"](c, c.engine) }); n > 0 {
		t.Errorf("%d requests", n)
	}
	patch := []byte(`{"metadata":{"labels":{"a":"b"}}}`)
	if _, err := c.client.CoreV1().ConfigMaps(c.namespace).Patch(c.ctx, "other-config", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	other.Key.Name = "other"
	c.awaitReason(other.Key, engine.TouchChanged)
	if n := c.requested(func() error { return remembering["Status"](c, c.engine) }); n > 0 {
		t.Errorf("%d requests", n)
	}
}

// Permissions in one namespace are enough.
func TestCacheInOneNamespace(t *testing.T) {
	c := newCaching(t, map[string]string{"config.yaml": configMap})
	c.stop()
	user := c.cluster.User(t, c.namespace, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"get", "list", "watch"}})
	c.config, c.requests = testcluster.Record(user)
	c.engine = c.newEngineWith(engine.Options{Cache: true})
	c.watching()
	for name := range remembering {
		c.awaitNone(name)
	}
	c.paint("pink")
	c.await(c.key, painted)
	if d, err := c.engine.Drift(c.ctx, c.key); err != nil || !slices.ContainsFunc(d.Changes, diff.Change.Changed) {
		t.Errorf("%+v, %v", d, err)
	}
}

// After a definition has changed, its objects are judged by the new schema.
func TestCacheSeesDefinitions(t *testing.T) {
	g := newGadgets(t)
	c := cachingOf(g.fixture, map[string]string{"crds/gadget.yaml": g.definition([]string{"v1"}, size), "gadget.yaml": g.gadget("v1", "size: 1")})
	c.awaitNone("Reconcile")
	patch := []byte(`[{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/colour", "value": {"type": "string", "default": "red"}}]`)
	if _, err := g.crds.Patch(g.ctx, "gadgets."+g.group, types.JSONPatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	c.awaitReason(c.key, engine.TouchDefinition)
	c.wantSome("Reconcile", "after the definition has changed")
	c.awaitNone("Reconcile")
}

// BenchmarkReconcileRemembered is a pass over a release that nothing has touched.
func BenchmarkReconcileRemembered(b *testing.B) {
	cluster := testcluster.Shared(b)
	e, err := engine.New(cluster.Config(), engine.Options{Cache: true})
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	c := loadChart(b, "1.0.0", map[string]string{"web.yaml": deployment, "config.yaml": configMap})
	r := engine.Release{Key: engine.Key{Namespace: cluster.Namespace(b), Name: "shop"}, Source: c}
	if _, err := e.Deploy(ctx, r, engine.ApplyOptions{}); err != nil {
		b.Fatal(err)
	}
	for range e.Watch(ctx, engine.WatchOptions{Namespaces: []string{r.Namespace}}) {
		time.Sleep(2 * time.Second) // in sync
		for b.Loop() {
			if p, err := e.Reconcile(ctx, r, engine.ReconcileOptions{}); err != nil || p.Phase != engine.PhaseDeployed {
				b.Fatal(p, err)
			}
		}
		return
	}
}
