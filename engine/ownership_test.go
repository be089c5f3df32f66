package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

func (f *fixture) plan(r engine.Release) *engine.Plan {
	f.Helper()
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return p
}

// edit patches an object as another field manager.
func (f *fixture) edit(resource, name, manager, patch string) {
	f.Helper()
	rest := f.client.CoreV1().RESTClient()
	prefix := "/api/v1"
	if resource == "deployments" {
		rest, prefix = f.client.AppsV1().RESTClient(), "/apis/apps/v1"
	}
	err := rest.Patch(types.MergePatchType).AbsPath(prefix, "namespaces", f.namespace, resource, name).
		Param("fieldManager", manager).Body([]byte(patch)).Do(f.ctx).Error()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) scale(name, manager string, replicas int32) {
	f.Helper()
	s := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: f.namespace}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	if _, err := f.client.AppsV1().Deployments(f.namespace).UpdateScale(f.ctx, name, s, metav1.UpdateOptions{FieldManager: manager}); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) replicas(name string) int32 {
	f.Helper()
	d, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, name, metav1.GetOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return *d.Spec.Replicas
}

const autoscaler = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: {{ .Release.Name }}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .Release.Name }}}
  minReplicas: 1
  maxReplicas: 10
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
`

// Replicas are left to the autoscaler, whether it has scaled already or not.
func TestReplicasAreLeftToTheAutoscaler(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment, "hpa.yaml": autoscaler})
	noWait := engine.ApplyOptions{NoWait: true}
	deploy := func(set ...string) {
		t.Helper()
		if _, err := f.engine.Deploy(f.ctx, f.release(c, set...), noWait); err != nil {
			t.Fatal(err)
		}
	}
	deploy()
	if got := f.replicas("shop"); got != 2 {
		t.Errorf("a new Deployment starts with %d replicas, want the chart's 2", got)
	}
	deploy("replicas=4") // before the autoscaler has ever scaled
	if got := f.replicas("shop"); got != 2 {
		t.Errorf("the number was set to %d although an autoscaler decides", got)
	}
	f.scale("shop", "horizontal-pod-autoscaler", 7)
	p := f.plan(f.release(c, "replicas=3", "tag=2.0"))
	if err := p.Err(); err != nil {
		t.Error(err)
	}
	var text strings.Builder
	if err := p.Report.WriteText(&text, diff.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "spec.replicas stays 7: HorizontalPodAutoscaler shop sets it") {
		t.Errorf("the plan does not say so:\n%s", &text)
	}
	deploy("replicas=3", "tag=2.0")
	if got := f.replicas("shop"); got != 7 {
		t.Errorf("the autoscaler's 7 became %d", got)
	}

	// Without the autoscaler, the chart decides again; about another manager, by
	// Ownership or Force.
	c = f.chart(map[string]string{"web.yaml": deployment})
	r := f.release(c, "replicas=3", "tag=2.0")
	deploy("replicas=3", "tag=2.0")
	if got := f.replicas("shop"); got != 3 {
		t.Errorf("%d replicas once the autoscaler has left", got)
	}
	f.scale("shop", "horizontal-pod-autoscaler", 7)
	if _, err := f.engine.Deploy(f.ctx, r, noWait); err == nil {
		t.Error("the number of another manager was taken silently")
	}
	f.engine = f.newEngineWith(engine.Options{Ownership: []engine.Ownership{{Manager: "horizontal-*", Path: "spec.replicas", Settle: engine.Take}}})
	if _, err := f.engine.Deploy(f.ctx, r, noWait); err != nil {
		t.Error(err)
	}
	if got := f.replicas("shop"); got != 3 {
		t.Errorf("%d replicas, want 3", got)
	}
}

func TestConflictsAreResolvedByPolicy(t *testing.T) {
	rivals := func(f *fixture) {
		f.edit("deployments", "shop", "injector", `{"spec":{"template":{"metadata":{"annotations":{"injected":"yes"}}}}}`)
		f.edit("configmaps", "shop-config", "tuner", `{"data":{"colour":"blue"}}`)
	}
	for name, c := range map[string]struct {
		rules   []engine.Ownership
		colour  string // in the end; empty: refused
		changed bool
	}{
		"no rule":         {},
		"take":            {rules: []engine.Ownership{{Manager: "tuner", Settle: engine.Take}}, colour: "red", changed: true},
		"yield":           {rules: []engine.Ownership{{Manager: "t*", Kind: "ConfigMap", Path: "data", Settle: engine.Yield}}, colour: "blue"},
		"the first holds": {rules: []engine.Ownership{{Kind: "ConfigMap", Settle: engine.Fail}, {Settle: engine.Take}}},
		"another path":    {rules: []engine.Ownership{{Path: "data.colours", Settle: engine.Take}}},
		"another kind":    {rules: []engine.Ownership{{Kind: "Secret", Settle: engine.Take}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.engine = f.newEngineWith(engine.Options{Ownership: c.rules})
			chart := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": deployment})
			f.deploy(f.release(chart))
			rivals(f)
			p := f.plan(f.release(chart, "colour=red"))
			if c.colour == "" {
				if p.Err() == nil || !strings.Contains(p.Err().Error(), "tuner owns fields that would change: data.colour") {
					t.Errorf("%v", p.Err())
				}
				return
			}
			if err := p.Err(); err != nil {
				t.Fatal(err)
			}
			fields := 0
			for _, change := range p.Report.Changes {
				fields += len(change.Fields)
			}
			if (fields > 0) != c.changed {
				t.Errorf("the plan changes %d fields: %+v", fields, p.Report.Changes)
			}
			if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
				t.Fatal(err)
			}
			cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
			if err != nil || cm.Data["colour"] != c.colour {
				t.Errorf("colour is %q, %v", cm.Data["colour"], err)
			}
			f.requests.Reset()
			f.deploy(f.release(chart, "colour=red"))
			if w := f.writes(); len(w) > 0 {
				t.Errorf("deploying again wrote %v", w)
			}
		})
	}
}

func (f *fixture) newEngineWith(opts engine.Options) *engine.Engine {
	f.Helper()
	opts.OnEvent = f.events.add
	e, err := engine.New(f.config, opts)
	if err != nil {
		f.Fatal(err)
	}
	return e
}

// A field that Helm applied and the chart no longer has is removed; one that
// Helm's field manager wrote beyond the chart stays.
func TestFieldsOfHelmAreRemoved(t *testing.T) {
	f := newFixture(t)
	with := `
apiVersion: v1
kind: ConfigMap
metadata: {name: shop-config, labels: {old: label}}
data: {colour: green, old: gone}
`
	install := action.NewInstall(f.helm())
	install.ReleaseName, install.Namespace = "shop", f.namespace
	rel, err := install.RunWithContext(f.ctx, helmChart(t, map[string]string{"a.yaml": with, "b.yaml": deployment}), nil)
	if err != nil {
		t.Fatal(err)
	}
	live, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.edit("configmaps", "shop-config", live.ManagedFields[0].Manager, `{"data":{"extra":"kept"}}`)

	without := strings.NewReplacer(", labels: {old: label}", "", ", old: gone", "").Replace(with)
	c := f.chart(map[string]string{"a.yaml": without, "b.yaml": deployment})
	p := f.plan(f.release(c))
	removed := map[string]bool{}
	for _, change := range p.Report.Changes {
		for _, field := range change.Fields {
			if field.Cause != diff.Removed {
				t.Errorf("%s: %s is %s", change.Object, field.Path, field.Cause)
			}
			removed[field.Path] = true
		}
	}
	if !removed["data.old"] || !removed["metadata.labels.old"] || len(removed) != 2 {
		t.Errorf("the plan removes %v", removed)
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if live, err = f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(live.Data) + live.Labels["old"]; got != "map[colour:green extra:kept]" {
		t.Errorf("live is %s after revision %d of Helm", got, rel.Version)
	}
	f.requests.Reset()
	f.deploy(f.release(c))
	if w := f.writes(); len(w) > 0 {
		t.Errorf("deploying again wrote %v", w)
	}
}
