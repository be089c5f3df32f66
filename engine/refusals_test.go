package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

// refused checks that the error is target, says what to do next, and that nothing
// was written.
func (f *fixture) refused(err, target error, says ...string) {
	f.Helper()
	if err == nil {
		f.Fatal("it was not refused")
	}
	if target != nil && !errors.Is(err, target) {
		f.Errorf("error is no %q: %v", target, err)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			f.Errorf("error does not say %q: %v", s, err)
		}
	}
	if w := f.writes(); len(w) > 0 {
		f.Errorf("wrote %v", w)
	}
}

func TestBadReleaseNames(t *testing.T) {
	e, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]engine.Key{
		"no name":        {Namespace: "default"},
		"upper case":     {Namespace: "default", Name: "Shop"},
		"underscore":     {Namespace: "default", Name: "my_shop"},
		"too long":       {Namespace: "default", Name: strings.Repeat("a", 54)},
		"path":           {Namespace: "default", Name: "../shop"},
		"selector":       {Namespace: "default", Name: "a,owner!=helm"},
		"no namespace":   {Name: "shop"},
		"namespace path": {Namespace: "a/b", Name: "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			c := loadChart(t, "1.0.0", map[string]string{"a.yaml": configMap})
			_, err := e.Deploy(t.Context(), engine.Release{Key: k, Source: c}, engine.ApplyOptions{})
			if !errors.Is(err, engine.ErrInvalidKey) {
				t.Errorf("Deploy: %v", err)
			}
			if _, err := e.History(t.Context(), k); !errors.Is(err, engine.ErrInvalidKey) {
				t.Errorf("History: %v", err)
			}
		})
	}
}

func TestUnreachableServer(t *testing.T) {
	e, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := loadChart(t, "1.0.0", map[string]string{"a.yaml": configMap})
	_, err = e.Deploy(t.Context(), engine.Release{Key: engine.Key{Namespace: "default", Name: "shop"}, Source: c}, engine.ApplyOptions{})
	if !errors.Is(err, engine.ErrUnreachable) || !strings.Contains(err.Error(), "kubeconfig") {
		t.Errorf("%v", err)
	}
}

func TestNoSource(t *testing.T) {
	e, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var none *render.Chart
	for _, source := range []engine.Source{nil, none} {
		_, err := e.Plan(t.Context(), engine.Release{Key: engine.Key{Namespace: "default", Name: "shop"}, Source: source}, engine.PlanOptions{})
		if err == nil || !strings.Contains(err.Error(), "Release.Source") {
			t.Errorf("%v", err)
		}
	}
}

func TestUnknownKind(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": "apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: g}\n"})
	_, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{})
	f.refused(err, engine.ErrUnknownKind, "Gadget", "templates/b.yaml", "CustomResourceDefinition")
}

func TestMissingNamespace(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"a.yaml": configMap}))
	r.Namespace = f.namespace + "-other"
	_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
	f.refused(err, engine.ErrNamespaceNotFound, r.Namespace, "CreateNamespace")

	r.CreateNamespace = true
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Report.Changes[0].Object.Kind != "Namespace" {
		t.Errorf("the plan does not mention the namespace: %+v", p.Report)
	}
	t.Cleanup(func() {
		if err := f.client.CoreV1().Namespaces().Delete(context.Background(), r.Namespace, metav1.DeleteOptions{}); err != nil {
			t.Log(err)
		}
	})
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
}

func TestInvalidObjectIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	f := newFixture(t)
	bad := strings.Replace(deployment, "containerPort: 8080", "containerPort: 808080", 1)
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": bad})
	_, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{})
	f.refused(err, nil, "Deployment", "containerPort", "nothing was written")
	unknown := strings.Replace(deployment, "replicas:", "replicants:", 1)
	_, err = f.engine.Deploy(f.ctx, f.release(f.chart(map[string]string{"b.yaml": unknown})), engine.ApplyOptions{})
	f.refused(err, nil, "replicants")
}

func TestImmutableFieldIsRefused(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"b.yaml": deployment})))
	f.requests.Reset()
	other := strings.ReplaceAll(deployment, "{app: {{ .Release.Name }}}", "{app: other}")
	_, err := f.engine.Deploy(f.ctx, f.release(f.chart(map[string]string{"b.yaml": other})), engine.ApplyOptions{})
	f.refused(err, nil, "spec.selector", "nothing was written")
	var problems *engine.ProblemsError
	if !errors.As(err, &problems) || problems.Problems[0].Kind != engine.ProblemImmutable {
		t.Errorf("%v", err)
	}
}

func TestConflictIsRefused(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap})
	f.deploy(f.release(c))
	force := true
	patch := []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"shop-config"},"data":{"colour":"blue"}}`)
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Patch(f.ctx, "shop-config", types.ApplyPatchType, patch,
		metav1.PatchOptions{FieldManager: "rival", Force: &force}); err != nil {
		t.Fatal(err)
	}
	f.requests.Reset()
	r := f.release(c, "colour=red")
	_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
	f.refused(err, nil, "rival", "data.colour", "Force")
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Problems) != 1 || len(p.Report.Changes[0].Conflicts()) != 1 {
		t.Errorf("the plan shows %+v, problems %+v", p.Report.Changes, p.Problems)
	}
}

func TestObjectsOfOthers(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": strings.Replace(configMap, "{{ .Release.Name }}-config", "common", 1)})
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Create(f.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "common"}, Data: map[string]string{"colour": "green", "mine": "yes"},
	}, metav1.CreateOptions{FieldManager: "hand"}); err != nil {
		t.Fatal(err)
	}
	r := f.release(c)
	_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
	f.refused(err, nil, "common", "belongs to no release", "Adopt")
	r.Adopt = true
	f.deploy(r)
	cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "common", metav1.GetOptions{})
	if err != nil || cm.Data["mine"] != "yes" {
		t.Errorf("adopting took what the chart does not set: %v %v", cm.Data, err)
	}

	f.requests.Reset()
	r.Name = "rival"
	_, err = f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
	f.refused(err, nil, "common", "belongs to release "+f.key.String())
}

func TestReadOnlyPermissions(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": deployment})
	f.deploy(f.release(c))
	full, err := f.engine.Plan(f.ctx, f.release(c, "tag=2.0"), engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cfg, requests := testcluster.Record(f.cluster.ReadOnly(t, f.namespace))
	f.requests = requests
	e := f.newEngine(cfg)
	p, err := e.Plan(f.ctx, f.release(c, "tag=2.0"), engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Report.Summary() != full.Report.Summary() {
		t.Errorf("with few permissions the plan is %q, else %q", p.Report.Summary(), full.Report.Summary())
	}
	for _, c := range p.Report.Changes {
		if c.Changed() && !c.Local {
			t.Errorf("not marked as local: %+v", c)
		}
	}
	_, err = e.Deploy(f.ctx, f.release(c, "tag=2.0"), engine.ApplyOptions{})
	f.refused(err, nil, "patch deployments.apps in namespace "+f.namespace)
}

func TestNoPermissionsAtAll(t *testing.T) {
	f := newFixture(t)
	cfg, requests := testcluster.Record(f.cluster.User(t, f.namespace))
	f.requests = requests
	_, err := f.newEngine(cfg).Deploy(f.ctx, f.release(f.chart(map[string]string{"a.yaml": configMap})), engine.ApplyOptions{})
	f.refused(err, engine.ErrForbidden, "permission")
}

func TestStalePlan(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap})
	f.deploy(f.release(c))
	p, err := f.engine.Plan(f.ctx, f.release(c, "colour=red"), engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}

	// Fields that the plan does not touch may change.
	cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cm.Labels["other"] = "label"
	if _, err = f.client.CoreV1().ConfigMaps(f.namespace).Update(f.ctx, cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var stored engine.Plan
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	if _, err := f.engine.Apply(f.ctx, &stored, engine.ApplyOptions{}); !errors.Is(err, engine.ErrSourceNeeded) {
		t.Errorf("a stored plan without its release: %v", err)
	}
	otherValues := f.release(c, "colour=black")
	f.requests.Reset()
	_, err = f.engine.Apply(f.ctx, &stored, engine.ApplyOptions{Release: &otherValues})
	var stale *engine.StalePlanError
	if !errors.As(err, &stale) {
		t.Errorf("a stored plan with other values: %v", err)
	}
	f.refused(err, nil, "stale")
	planned := f.release(c, "colour=red")
	if _, err := f.engine.Apply(f.ctx, &stored, engine.ApplyOptions{Release: &planned}); err != nil {
		t.Errorf("a stored plan: %v", err)
	}

	// It has been applied, and is not applied again.
	f.requests.Reset()
	if rev, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil || rev.Revision != p.To || len(f.writes()) > 0 {
		t.Errorf("a plan applied twice: %v, %v, writes %v", rev, err, f.writes())
	}

	p, err = f.engine.Plan(f.ctx, f.release(c, "colour=white"), engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	force := true
	patch := []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"shop-config"},"data":{"colour":"blue"}}`)
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Patch(f.ctx, "shop-config", types.ApplyPatchType, patch,
		metav1.PatchOptions{FieldManager: engine.DefaultFieldManager, Force: &force}); err != nil {
		t.Fatal(err)
	}
	f.requests.Reset()
	_, err = f.engine.Apply(f.ctx, p, engine.ApplyOptions{})
	f.refused(err, nil, "data.colour", "red", "blue")
}

func TestCancelledDeployIsRecordedAndPickedUp(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"b.yaml": deployment})
	r := f.release(c)
	stuck := f.release(c, `podAnnotations.fairlead\.dev/pod=never-ready`)
	e, ctx := f.expiringWait("shop")
	rev, err := e.Deploy(ctx, stuck, engine.ApplyOptions{})
	if err == nil {
		t.Fatal("it became ready")
	}
	if !errors.Is(err, context.DeadlineExceeded) || rev == nil || rev.Status != engine.StatusPendingInstall {
		t.Errorf("%+v, %v", rev, err)
	}
	f.wantHistory("1 pending-install")
	f.deploy(r)
	f.wantHistory("1 failed", "2 deployed")
}

// An object that an uninstalled release left behind can be adopted; one of an
// installed release cannot.
func TestAdoptWhatWasKept(t *testing.T) {
	f := newFixture(t)
	kept := strings.Replace(configMap, "metadata: {name: {{ .Release.Name }}-config}", "metadata: {name: common, annotations: {helm.sh/resource-policy: keep}}", 1)
	first := f.release(f.chart(map[string]string{"a.yaml": kept}))
	second := f.release(f.chart(map[string]string{"a.yaml": kept}), "colour=red")
	second.Name, second.Adopt = "other", true
	f.deploy(first)
	f.requests.Reset()
	_, err := f.engine.Deploy(f.ctx, second, engine.ApplyOptions{})
	f.refused(err, nil, "common", "belongs to release "+f.key.String())
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	second.Adopt = false
	f.requests.Reset()
	_, err = f.engine.Deploy(f.ctx, second, engine.ApplyOptions{})
	f.refused(err, nil, "kept from release "+f.key.String(), "Adopt")
	second.Adopt = true
	f.deploy(second)
	cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "common", metav1.GetOptions{})
	if err != nil || cm.Data["colour"] != "red" || cm.Annotations["meta.helm.sh/release-name"] != "other" {
		t.Errorf("the object became %+v, %v", cm, err)
	}
}
