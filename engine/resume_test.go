package engine_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/engine"
)

// resumeChart has objects of several stages, a secret, a hook, and a template
// that shows the revision.
var resumeChart = map[string]string{
	"config.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop-config}\ndata: {colour: {{ .Values.colour | default \"green\" }}, revision: {{ .Release.Revision | quote }}}\n",
	"secret.yaml":  "apiVersion: v1\nkind: Secret\nmetadata: {name: shop-secret}\nstringData: {password: {{ .Values.password | default \"first-password\" }}}\n",
	"service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {selector: {app: shop, colour: {{ .Values.colour | default \"green\" }}}, ports: [{port: 80}]}\n",
	"hook.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: before-hook-creation}}\n",
}

// A stored plan that was killed while it was applied is applied again, wherever
// that was, and ends as it was reviewed; then it changes nothing more.
func TestKilledPlansAreResumed(t *testing.T) {
	for name, match := range map[string]func(*http.Request) bool{
		"before the record":  write("POST", "/secrets"),
		"before the hook":    write("POST", "/configmaps"),
		"at the first":       write("PATCH", "/secrets/shop-secret"),
		"in the middle":      write("PATCH", "/configmaps/shop-config"),
		"at the last":        write("PATCH", "/services/"),
		"before the outcome": write("PUT", "/secrets/"),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := f.release(f.chart(resumeChart))
			for i, set := range [][]string{nil, {"colour=red", "password=second-password"}} {
				r = f.release(r.Source, set...)
				stored, _ := f.store(f.plan(r))
				e, ctx := f.dies(match)
				if _, err := e.Apply(ctx, stored, engine.ApplyOptions{Release: &r}); err == nil {
					t.Fatal("the dead finished")
				}
				rev, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r})
				if err != nil || rev.Status != engine.StatusDeployed {
					t.Fatalf("step %d, resumed: %v, %v", i, rev, err)
				}
				if got := f.object("v1/configmaps/shop-config")["data"].(map[string]any)["revision"]; got != string(rune('0'+stored.To)) {
					t.Errorf("the revision was rendered as %v, and reviewed as %d", got, stored.To)
				}
				f.requests.Reset()
				again, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r})
				if err != nil || again.Revision != rev.Revision || len(f.writes()) > 0 {
					t.Errorf("applied once more: %v, %v, writes %v", again, err, f.writes())
				}
				other := f.release(r.Source, "colour=pink", "password=second-password")
				var stale *engine.StalePlanError
				if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &other}); !errors.As(err, &stale) {
					t.Errorf("with other values: %v", err)
				}
			}
		})
	}
}

// What others change between the kill and the next try makes the plan stale, if
// it is something that is left to do.
func TestResumedPlansAreStaleOnlyForWhatIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(f *fixture)
		stale string
	}{
		"nothing": {},
		"an unrelated field": {edit: func(f *fixture) {
			f.edit("services", "shop", "kubectl", `{"metadata":{"labels":{"a":"b"}}}`)
		}},
		"a field that is left": {edit: func(f *fixture) {
			f.edit("services", "shop", engine.DefaultFieldManager, `{"spec":{"selector":{"colour":"grey"}}}`)
		}, stale: "spec.selector.colour was green when it was computed and is grey now"},
		"a field that was written": {edit: func(f *fixture) {
			f.edit("configmaps", "shop-config", engine.DefaultFieldManager, `{"data":{"colour":"grey"}}`)
		}, stale: "data.colour"},
		"a secret that was written": {edit: func(f *fixture) {
			f.edit("secrets", "shop-secret", engine.DefaultFieldManager, `{"stringData":{"password":"third-password"}}`)
		}, stale: "data.password"},
		"an object that is gone": {edit: func(f *fixture) {
			if err := f.client.CoreV1().Services(f.namespace).Delete(f.ctx, "shop", metav1.DeleteOptions{}); err != nil {
				f.Fatal(err)
			}
		}, stale: "Service"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			chart := f.chart(resumeChart)
			f.deploy(f.release(chart))
			r := f.release(chart, "colour=red", "password=second-password")
			stored, _ := f.store(f.plan(r))
			e, ctx := f.dies(write("PATCH", "/services/"))
			if _, err := e.Apply(ctx, stored, engine.ApplyOptions{Release: &r}); err == nil {
				t.Fatal("the dead finished")
			}
			if c.edit != nil {
				c.edit(f)
			}
			_, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r})
			var stale *engine.StalePlanError
			switch {
			case c.stale == "" && err != nil:
				t.Error(err)
			case c.stale != "" && (!errors.As(err, &stale) || !strings.Contains(err.Error(), c.stale) || strings.Contains(err.Error(), "third-password")):
				t.Errorf("want it stale for %q: %v", c.stale, err)
			}
		})
	}
}

// Other plans than those of deploys are resumed, too.
func TestOtherKilledPlansAreResumed(t *testing.T) {
	f := newFixture(t)
	templates := maps.Clone(resumeChart)
	templates["web.yaml"] = deployment
	chart := f.chart(templates)
	f.deploy(f.release(chart))
	f.deploy(f.release(chart, "colour=red"))
	apply := func(p *engine.Plan, match func(*http.Request) bool, want engine.RevisionStatus, opts engine.ApplyOptions) {
		t.Helper()
		stored, _ := f.store(p)
		e, ctx := f.dies(match)
		if _, err := e.Apply(ctx, stored, opts); err == nil {
			t.Fatalf("the dead finished %s", p.Kind)
		}
		for range 2 {
			rev, err := f.engine.Apply(f.ctx, stored, opts)
			if err != nil || rev.Status != want {
				t.Errorf("%s resumed: %v, %v", p.Kind, rev, err)
			}
		}
	}
	p, err := f.engine.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	apply(p, write("PATCH", "/services/"), engine.StatusDeployed, engine.ApplyOptions{Key: f.key})

	f.edit("configmaps", "shop-config", "kubectl", `{"data":{"colour":"grey"}}`)
	f.edit("services", "shop", "kubectl", `{"spec":{"selector":{"colour":"grey"}}}`)
	if p, err = f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	apply(p, write("PATCH", "/services/"), engine.StatusDeployed, engine.ApplyOptions{Key: f.key})

	if p, err = f.engine.PlanRollout(f.ctx, f.key, engine.Rollout{Verb: engine.Scale, Replicas: 3}, engine.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	apply(p, write("PATCH", "/deployments/"), engine.StatusDeployed, engine.ApplyOptions{Key: f.key})
	if p, err = f.engine.PlanRollout(f.ctx, f.key, engine.Rollout{Verb: engine.Restart}, engine.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	apply(p, write("PUT", "/secrets/"), engine.StatusDeployed, engine.ApplyOptions{Key: f.key})

	if p, err = f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	apply(p, write("DELETE", "/secrets/shop-secret"), engine.StatusUninstalled,
		engine.ApplyOptions{Key: f.key, Kinds: []engine.PlanKind{engine.PlanUninstall}, KeepHistory: true})
}

// A plan that was applied, and after which came another revision, says so.
func TestAppliedPlanIsStaleAfterOthers(t *testing.T) {
	f := newFixture(t)
	chart := f.chart(resumeChart)
	r := f.release(chart)
	stored, _ := f.store(f.plan(r))
	if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r}); err != nil {
		t.Fatal(err)
	}
	f.deploy(f.release(chart, "colour=red"))
	_, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r})
	var stale *engine.StalePlanError
	if !errors.As(err, &stale) || stale.Applied != 1 || !strings.Contains(err.Error(), "it was applied before, as revision 1") {
		t.Errorf("it says %v", err)
	}
	// Another plan of the same state was not applied.
	second, _ := f.store(f.plan(r))
	f.deploy(f.release(chart, "colour=blue"))
	if _, err := f.engine.Apply(f.ctx, second, engine.ApplyOptions{Release: &r}); !errors.As(err, &stale) || stale.Applied != 0 {
		t.Errorf("it says %v", err)
	}
}

// A plan that was edited does not pass for the one that was applied.
func TestEditedPlanIsNotResumed(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(resumeChart))
	p := f.plan(r)
	stored, _ := f.store(p)
	e, ctx := f.dies(write("PATCH", "/services/"))
	if _, err := e.Apply(ctx, stored, engine.ApplyOptions{Release: &r}); err == nil {
		t.Fatal("the dead finished")
	}
	stored.Report.Changes = stored.Report.Changes[1:]
	var stale *engine.StalePlanError
	if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r}); !errors.As(err, &stale) {
		t.Errorf("the edited plan: %v", err)
	}
}

// Two releases are planned into one namespace that does not exist yet, and an
// object that a plan creates is there already as it would be created: neither
// makes a plan stale.
func TestPlansOfOneNewNamespaceDoNotExcludeEachOther(t *testing.T) {
	f := newFixture(t)
	namespace := f.namespace + "-new"
	t.Cleanup(func() {
		if err := f.client.CoreV1().Namespaces().Delete(f.ctx, namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	var plans []*engine.Plan
	var releases []engine.Release
	for _, name := range []string{"one", "two", "three"} {
		templates := map[string]string{}
		for file, text := range resumeChart {
			templates[file] = strings.NewReplacer("name: shop", "name: "+name, "name: hook", "name: hook-"+name).Replace(text)
		}
		r := f.release(f.chart(templates))
		r.Key, r.CreateNamespace = engine.Key{Namespace: namespace, Name: name}, true
		stored, _ := f.store(f.plan(r))
		plans, releases = append(plans, stored), append(releases, r)
	}
	for i, p := range plans {
		if name := releases[i].Name; name == "three" {
			text := `{"apiVersion":"v1","kind":"Service","metadata":{"name":"three","labels":{"app.kubernetes.io/managed-by":"Helm"},"annotations":{"meta.helm.sh/release-name":"three","meta.helm.sh/release-namespace":"` + namespace + `"}},"spec":{"selector":{"app":"shop","colour":"green"},"ports":[{"port":80}]}}`
			force := true
			if err := f.client.CoreV1().RESTClient().Patch(types.ApplyPatchType).AbsPath("/api/v1/namespaces/"+namespace+"/services/three").
				VersionedParams(&metav1.PatchOptions{FieldManager: engine.DefaultFieldManager, Force: &force}, metav1.ParameterCodec).Body([]byte(text)).Do(f.ctx).Error(); err != nil {
				t.Fatal(err)
			}
		}
		if rev, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{Release: &releases[i]}); err != nil || rev.Revision != 1 {
			t.Errorf("%s: %v, %v", releases[i].Name, rev, err)
		}
	}
}

// With read-only credentials a plan is no less a plan: it says which permissions
// applying takes. An engine that lacks them says so before anything is written,
// one that has them applies it, in the same process too.
func TestMissingPermissionsAreThePlanners(t *testing.T) {
	f := newFixture(t)
	reader := f.newEngine(f.cluster.ReadOnly(t, f.namespace))
	r := f.release(f.chart(resumeChart))
	p, err := reader.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil || p.Err() != nil || len(p.Missing) == 0 || !p.Changed() {
		t.Fatalf("the plan: %v, %v, missing %v", err, p.Err(), p.Missing)
	}
	f.requests.Reset()
	for what, plan := range map[string]*engine.Plan{"the plan": p, "the stored plan": func() *engine.Plan { s, _ := f.store(p); return s }()} {
		_, err := reader.Apply(f.ctx, plan, engine.ApplyOptions{Release: &r})
		var problems *engine.ProblemsError
		if !errors.As(err, &problems) || problems.Problems[0].Kind != engine.ProblemForbidden || len(problems.Problems) < 3 {
			t.Errorf("%s by the reader: %v", what, err)
		}
	}
	if w := f.writes(); len(w) > 0 {
		t.Errorf("the reader wrote %v", w)
	}
	if rev, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil || rev.Status != engine.StatusDeployed {
		t.Errorf("by who may write: %v, %v", rev, err)
	}
}
