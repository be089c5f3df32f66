package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/action"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"sigs.k8s.io/yaml"
)

// paint changes the release's ConfigMap as another field manager.
func (f *fixture) paint(colour string) {
	f.Helper()
	patch := fmt.Sprintf(`{"data":{"colour":%q}}`, colour)
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Patch(f.ctx, "shop-config", types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "painter"}); err != nil {
		f.Fatal(err)
	}
}

func painted(t engine.Touch) bool {
	return t.Reason == engine.TouchChanged && t.Object.Name == "shop-config" && t.Manager == "painter"
}

// A watch returns what others do to a release, and nothing of what its own engine
// does.
func TestWatch(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment, "config.yaml": configMap})
	f.deploy(f.release(c))
	w := f.watch(f.engine, engine.WatchOptions{Namespaces: []string{f.namespace}})
	w.awaitReason(f.key, engine.TouchFound)

	f.paint("pink")
	w.await(f.key, painted)

	// Of its own deploy, of another kind too, only the rollout of the Deployment is
	// returned. What others do in between is found.
	next := f.release(f.chart(map[string]string{"web.yaml": deployment, "config.yaml": configMap, "account.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: shop}\n"}), "colour=blue", "tag=2.0")
	next.Force = true
	f.deploy(next)
	var own []engine.Touch
	f.paint("grey")
	w.await(f.key, func(t engine.Touch) bool {
		if t.Own || t.Reason == engine.TouchHistory || t.Manager == engine.DefaultFieldManager {
			own = append(own, t)
		}
		return painted(t)
	})
	if len(own) > 0 {
		t.Errorf("its own writes are returned: %v", own)
	}

	// Its pods go, and come again.
	pods := f.client.CoreV1().Pods(f.namespace)
	if err := pods.DeleteCollection(f.ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=shop"}); err != nil {
		t.Fatal(err)
	}
	if got := w.awaitReason(f.key, engine.TouchUnready); got.Object.Kind != "Deployment" || got.Object.Name != "shop" {
		t.Errorf("%v", got)
	}
	w.awaitReason(f.key, engine.TouchReady)

	if err := f.client.CoreV1().ConfigMaps(f.namespace).Delete(f.ctx, "shop-config", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := w.awaitReason(f.key, engine.TouchDeleted); got.Object.Name != "shop-config" {
		t.Errorf("%v", got)
	}

	// Another engine, and Helm.
	if _, err := f.newEngine(f.config).Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := w.awaitReason(f.key, engine.TouchHistory); got.Manager != "fairlead" {
		t.Errorf("%v", got)
	}
	w.take()
	uninstall := action.NewUninstall(f.helm())
	if _, err := uninstall.Run("shop"); err != nil {
		t.Fatal(err)
	}
	w.awaitReason(f.key, engine.TouchDeleted)
	install := action.NewInstall(f.helm())
	install.ReleaseName, install.Namespace = "other", f.namespace
	if _, err := install.RunWithContext(f.ctx, helmChart(t, map[string]string{"a.yaml": configMap}), nil); err != nil {
		t.Fatal(err)
	}
	w.awaitReason(engine.Key{Namespace: f.namespace, Name: "other"}, engine.TouchHistory)
}

// With Own, what the engine does itself comes too.
func TestWatchOwn(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	f.deploy(f.release(c))
	w := f.watch(f.engine, engine.WatchOptions{Own: true})
	w.awaitReason(f.key, engine.TouchFound)
	f.deploy(f.release(c, "colour=red"))
	w.await(f.key, func(t engine.Touch) bool { return t.Own && t.Reason == engine.TouchHistory })
	f.deploy(f.release(c, "colour=blue"))
	w.await(f.key, func(t engine.Touch) bool {
		return t.Own && t.Reason == engine.TouchChanged && t.Object.Name == "shop-config"
	})
}

// Several writes within a second show in no managedFields; those of the engine are
// left out all the same.
func TestWatchLeavesOutFastWrites(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	f.deploy(f.release(c))
	w := f.watch(f.engine, engine.WatchOptions{Namespaces: []string{f.namespace}})
	w.awaitReason(f.key, engine.TouchFound)
	for i := range 8 {
		f.deploy(f.release(c, fmt.Sprintf("colour=shade-%d", i)))
	}
	f.paint("grey")
	w.await(f.key, func(touch engine.Touch) bool {
		if touch.Reason != engine.TouchFound && !painted(touch) {
			t.Errorf("its own write is returned: %v", touch)
		}
		return painted(touch)
	})
}

// Releases that are not selected are not returned, and each one that is comes once
// although nothing happens.
func TestWatchSelects(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	for name, team := range map[string]string{"a": "red", "b": "blue"} {
		r := f.release(c)
		r.Name, r.Labels = name, map[string]string{"team": team}
		f.deploy(r)
	}
	w := f.watch(f.engine, engine.WatchOptions{Namespaces: []string{f.namespace}, Selector: "team=red"})
	w.awaitReason(engine.Key{Namespace: f.namespace, Name: "a"}, engine.TouchFound)
	for _, name := range []string{"b-config", "a-config"} {
		if err := f.client.CoreV1().ConfigMaps(f.namespace).Delete(f.ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w.await(engine.Key{Namespace: f.namespace, Name: "a"}, func(t engine.Touch) bool {
		if t.Object.Name == "b-config" {
			f.Error("a release that is not selected was returned")
		}
		return t.Reason == engine.TouchDeleted
	})
}

// A kind is watched as long as a release uses it.
func TestWatchFreesKinds(t *testing.T) {
	f := newFixture(t)
	account := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: shop}\n"
	both := f.release(f.chart(map[string]string{"config.yaml": configMap, "account.yaml": account}))
	f.deploy(both)
	cfg, requests := testcluster.Record(f.cluster.Config())
	accounts := func(r testcluster.Request) bool {
		return strings.HasSuffix(r.Path, "/serviceaccounts") && r.Query.Get("labelSelector") == "app.kubernetes.io/managed-by=Helm"
	}
	e := f.newEngine(cfg)
	w := f.watch(e, engine.WatchOptions{Namespaces: []string{f.namespace}})
	w.awaitReason(f.key, engine.TouchFound)
	if requests.Count(accounts) == 0 {
		t.Error("the kind is not watched")
	}
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap})))
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		if kinds := engine.WatchedKinds(e); kinds["serviceaccounts"] || !kinds["configmaps"] {
			return fmt.Errorf("watched are %v", kinds)
		}
		return nil
	})
	f.deploy(both)
	w.awaitReason(f.key, engine.TouchFound) // it is seen again
	if kinds := engine.WatchedKinds(e); !kinds["serviceaccounts"] {
		t.Errorf("watched are %v", kinds)
	}
}

// Watches that break, and cannot be resumed for a while, miss nothing.
func TestWatchSurvivesBrokenConnections(t *testing.T) {
	for name, status := range map[string]int{"connection lost": 0, "too old to resume": http.StatusGone, "unavailable": http.StatusServiceUnavailable} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			c := f.chart(map[string]string{"config.yaml": configMap, "secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"})
			f.deploy(f.release(c))
			gate, cfg := newWatchGate(f.cluster.Config())
			w := f.watch(f.newEngine(cfg), engine.WatchOptions{Namespaces: []string{f.namespace}})
			w.awaitReason(f.key, engine.TouchFound)
			gate.cut(status)
			f.deploy(f.release(c, "colour=red"))
			f.paint("pink")
			if err := f.client.CoreV1().Secrets(f.namespace).Delete(f.ctx, "s", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			gate.heal()
			var changed, deleted, history bool
			w.await(f.key, func(t engine.Touch) bool {
				changed = changed || painted(t)
				deleted = deleted || t.Reason == engine.TouchDeleted && t.Object.Name == "s"
				history = history || t.Reason == engine.TouchHistory
				return changed && history && deleted
			})
		})
	}
}

// What may be seen in one namespace alone is watched there, and what may not be
// seen at all is reported once.
func TestWatchWithFewPermissions(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment})
	f.deploy(f.release(c))
	user := f.cluster.User(t, f.namespace, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"get", "list", "watch"}})

	for _, err := range f.newEngine(user).Watch(f.ctx, engine.WatchOptions{}) {
		var why *engine.Error
		if !errors.Is(err, engine.ErrForbidden) || !errors.As(err, &why) || !strings.Contains(why.Hint, "WatchOptions.Namespaces") {
			t.Fatalf("%v", err)
		}
	}
	w := f.watch(f.newEngine(user), engine.WatchOptions{Namespaces: []string{f.namespace}})
	w.awaitReason(f.key, engine.TouchFound)
	f.paint("pink")
	w.await(f.key, painted)

	w = f.watch(f.newEngine(user), engine.WatchOptions{Namespaces: []string{f.namespace}})
	if got := w.awaitReason(f.key, engine.TouchUnwatched); got.Object.Kind != "Deployment" || !errors.Is(got.Err, engine.ErrForbidden) {
		t.Errorf("%v: %v", got, got.Err)
	}
	// So it is for a release that comes later.
	later := f.release(f.chart(map[string]string{"web.yaml": deployment}))
	later.Name = "later"
	if _, err := f.engine.Deploy(f.ctx, later, engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	w.awaitReason(later.Key, engine.TouchUnwatched)
}

// A controller of a few lines corrects drift when it is made.
func TestWatchCorrectsDrift(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap})))
	e := f.newEngineWith(engine.Options{Cache: true})
	n := 0
	for touched, err := range e.Watch(f.ctx, engine.WatchOptions{Namespaces: []string{f.namespace}}) {
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.ReconcileCorrection(f.ctx, touched.Key, engine.ReconcileOptions{})
		if err != nil || p.Phase != engine.PhaseDeployed {
			t.Fatalf("%+v, %v", p, err)
		}
		live, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
		if err != nil || live.Data["colour"] != "green" {
			t.Fatalf("%v, %v", live.Data, err)
		}
		if n++; n > 3 {
			break
		}
		f.paint("pink")
	}
	if n != 4 {
		t.Errorf("the release was touched %d times", n)
	}
}

// Revisions may be listed in the cluster, and objects in one namespace.
func TestWatchNarrowsToNamespaces(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	f.deploy(f.release(c))
	user := f.cluster.User(t, "", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch"}})
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader", Namespace: f.namespace}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list", "watch"}}}}
	if _, err := f.client.RbacV1().Roles(f.namespace).Create(f.ctx, role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: role.ObjectMeta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user.Impersonate.UserName}},
	}
	if _, err := f.client.RbacV1().RoleBindings(f.namespace).Create(f.ctx, binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w := f.watch(f.newEngine(user), engine.WatchOptions{})
	w.awaitReason(f.key, engine.TouchFound)
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		f.paint(fmt.Sprint(time.Now().UnixNano())) // the permission may come after the first attempt
		for _, t := range w.take() {
			for _, touch := range t.Touches {
				if t.Key == f.key && painted(touch) {
					return nil
				}
			}
		}
		return errors.New("no change was seen")
	})
}

// A kind that is new, and a schema that changes, are known at once.
func TestWatchDefinitions(t *testing.T) {
	g := newGadgets(t)
	crd := func(text string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
			t.Fatal(err)
		}
		return u
	}
	w := g.watch(g.engine, engine.WatchOptions{Namespaces: []string{g.namespace}})
	colours := g.release(g.chart(map[string]string{"gadget.yaml": g.gadget("v1", "colour: red")}))
	if _, err := g.engine.Plan(g.ctx, colours, engine.PlanOptions{}); !errors.Is(err, engine.ErrUnknownKind) {
		t.Fatalf("%v", err)
	}
	if _, err := g.crds.Create(g.ctx, crd(g.definition([]string{"v1"}, size)), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	sizes := g.release(g.chart(map[string]string{"gadget.yaml": g.gadget("v1", "size: 1")}))
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := g.engine.Deploy(ctx, sizes, engine.ApplyOptions{})
		return err
	})
	w.awaitReason(g.key, engine.TouchFound)

	// Another client adds a field; the engine's cached schema does not have it.
	live, err := g.crds.Get(g.ctx, "gadgets."+g.group, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wider := crd(g.definition([]string{"v1"}, size, colour))
	wider.SetResourceVersion(live.GetResourceVersion())
	if _, err := g.crds.Update(g.ctx, wider, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := w.awaitReason(g.key, engine.TouchDefinition); got.Object.Name != "gadgets."+g.group {
		t.Errorf("%v", got)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := g.engine.Plan(ctx, colours, engine.PlanOptions{})
		if err != nil {
			return err
		}
		p, _ := g.engine.Plan(ctx, colours, engine.PlanOptions{})
		if text := fmt.Sprint(p.Problems, p.Report.Warnings); len(p.Problems) > 0 {
			return errors.New(text)
		}
		return nil
	})
}

// A kind is watched on when the version that a release uses is no longer served.
func TestWatchWhenAVersionIsRemoved(t *testing.T) {
	g := newGadgets(t)
	g.deploy(g.release(g.chart(map[string]string{"crds/gadget.yaml": g.definition([]string{"v1alpha1", "v1"}, size), "gadget.yaml": g.gadget("v1alpha1", "size: 1")})))
	w := g.watch(g.engine, engine.WatchOptions{Namespaces: []string{g.namespace}})
	w.awaitReason(g.key, engine.TouchFound)
	if _, err := g.crds.Patch(g.ctx, "gadgets."+g.group, types.JSONPatchType, []byte(`[{"op": "remove", "path": "/spec/versions/0"}]`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	w.awaitReason(g.key, engine.TouchDefinition)
	client := dynamic.NewForConfigOrDie(g.cluster.Config())
	gadgets := client.Resource(schema.GroupVersionResource{Group: g.group, Version: "v1", Resource: "gadgets"}).Namespace(g.namespace)
	// From then on the API server cannot record who changes the object, since its
	// managedFields are of a version that it does not serve.
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := client.Resource(schema.GroupVersionResource{Group: g.group, Version: "v1alpha1", Resource: "gadgets"}).Namespace(g.namespace).Get(ctx, "g", metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("v1alpha1 is still served: %v", err)
		}
		return nil
	})
	var seen []engine.Touched
	n := 1
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		n++
		if _, err := gadgets.Patch(ctx, "g", types.MergePatchType, fmt.Appendf(nil, `{"spec":{"size":%d}}`, n), metav1.PatchOptions{FieldManager: "editor"}); err != nil {
			return err
		}
		seen = append(seen, w.take()...)
		for _, touched := range seen {
			if slices.ContainsFunc(touched.Touches, func(t engine.Touch) bool { return t.Reason == engine.TouchChanged && t.Object.Version == "v1" }) {
				return nil
			}
		}
		return fmt.Errorf("the watch returned %v", seen)
	})
}

// When the loop has ended, by its context or by itself, nothing of the watch runs.
func TestWatchEndsWithItsLoop(t *testing.T) {
	f := newFixtureAlone(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment})
	f.deploy(f.release(c))
	loop := func(last bool) {
		ctx, cancel := context.WithCancel(f.ctx)
		defer cancel()
		for touched, err := range f.engine.Watch(ctx, engine.WatchOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			if touched.Key == f.key && last {
				break
			}
			cancel()
		}
	}
	loop(true) // opens connections, which stay
	before := runtime.NumGoroutine()
	loop(true)
	loop(false)
	if n := engine.WatchedKinds(f.engine); len(n) > 0 {
		t.Errorf("still watched: %v", n)
	}
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		if n := runtime.NumGoroutine(); n > before {
			buf := make([]byte, 1<<20)
			return fmt.Errorf("%d goroutines, %d before\n%s", n, before, buf[:runtime.Stack(buf, true)])
		}
		return nil
	})
}

// Options that are not accepted, and storage elsewhere, end the loop at once.
func TestWatchRefusesOptions(t *testing.T) {
	f := newFixture(t)
	elsewhere := f.newEngineWith(engine.Options{Storage: engine.Storage{Memory: engine.NewMemoryStorage()}})
	for name, c := range map[string]struct {
		e    *engine.Engine
		opts engine.WatchOptions
	}{
		"namespace": {f.engine, engine.WatchOptions{Namespaces: []string{"Shop"}}},
		"selector":  {f.engine, engine.WatchOptions{Selector: "a in"}},
		"storage":   {elsewhere, engine.WatchOptions{}},
	} {
		n := 0
		for _, err := range c.e.Watch(f.ctx, c.opts) {
			if n++; !errors.Is(err, engine.ErrInvalidOptions) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: the loop ran %d times", name, n)
		}
	}
}
