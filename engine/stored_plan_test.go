package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

// store returns a plan as another process reads it.
func (f *fixture) store(p *engine.Plan) (*engine.Plan, string) {
	f.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		f.Fatal(err)
	}
	stored := &engine.Plan{}
	if err := json.Unmarshal(text, stored); err != nil {
		f.Fatal(err)
	}
	again, err := json.Marshal(stored)
	if err != nil || !bytes.Equal(text, again) {
		f.Errorf("the plan is not the same after a round trip, %v:\n%s\n%s", err, text, again)
	}
	return stored, string(text)
}

const manyFields = `
apiVersion: v1
kind: Secret
metadata: {name: shop-secret}
stringData: {password: {{ .Values.password | quote }}, pin: "12"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shop-config, annotations: {colour: {{ .Values.colour | default "green" | quote }}}}
data: {colour: {{ .Values.colour | default "green" | quote }}, other: same}
`

// A stored plan is stale if a field that it touches has changed, secret or not,
// and for nothing else.
func TestStoredPlanIsStaleOnlyForWhatItTouches(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(f *fixture)
		then  func(r *engine.Release)
		stale []string // what the error says; none: it is applied
	}{
		"nothing": {},
		"another field": {edit: func(f *fixture) {
			f.edit("configmaps", "shop-config", "kubectl", `{"data":{"third":"x"},"metadata":{"labels":{"a":"b"}}}`)
			f.edit("secrets", "shop-secret", "kubectl", `{"metadata":{"labels":{"a":"b"}}}`)
		}},
		"a field": {edit: func(f *fixture) {
			f.edit("configmaps", "shop-config", engine.DefaultFieldManager, `{"data":{"colour":"pink"}}`)
		}, stale: []string{"ConfigMap", "shop-config data.colour was green", "is pink now"}},
		"a secret": {edit: func(f *fixture) {
			f.edit("secrets", "shop-secret", engine.DefaultFieldManager, `{"stringData":{"password":"another-password"}}`)
		}, stale: []string{"Secret", "shop-secret data.password was one secret value", "is another secret value now"}},
		"a field that is gone": {edit: func(f *fixture) {
			f.edit("configmaps", "shop-config", "kubectl", `{"data":{"colour":null}}`)
		}, stale: []string{"data.colour was green", "is absent now"}},
		"an object that is gone": {edit: func(f *fixture) {
			if err := f.client.CoreV1().ConfigMaps(f.namespace).Delete(f.ctx, "shop-config", metav1.DeleteOptions{}); err != nil {
				f.Fatal(err)
			}
		}, stale: []string{"ConfigMap", "was present", "is gone now"}},
		"drift that was not planned for": {edit: func(f *fixture) {
			f.edit("configmaps", "shop-config", engine.DefaultFieldManager, `{"data":{"other":"changed"}}`)
		}, stale: []string{"data.other"}},
		"other values": {then: func(r *engine.Release) {
			r.Values, _ = render.MergeValues(render.FromSet("password=another-password"))
		}, stale: []string{"values was as planned"}},
		"a revision": {edit: func(f *fixture) {
			f.deploy(f.release(f.chart(map[string]string{"a.yaml": manyFields}), "password=first-password", "unused=x"))
		}, stale: []string{"was at revision 1", "is at revision 2 now"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			chart := f.chart(map[string]string{"a.yaml": manyFields})
			f.deploy(f.release(chart, "password=first-password"))
			r := f.release(chart, "password=second-password", "colour=red")
			p := f.plan(r)
			stored, text := f.store(p)
			validPlan(t, text)
			if p.From != 1 || p.To != 2 || p.ChartDigest == "" || p.ManifestDigest == "" || p.ValuesDigest == "" || len(p.Preconditions) != 2 {
				t.Errorf("the plan lacks something: %s", text)
			}
			for _, s := range []string{"first-password", "second-password", "Zmlyc3QtcGFzc3dvcmQ", "c2Vjb25kLXBhc3N3b3Jk"} {
				if strings.Contains(text, s) {
					t.Errorf("the stored plan shows %s", s)
				}
			}
			if c.edit != nil {
				c.edit(f)
			}
			if c.then != nil {
				c.then(&r)
			}
			f.requests.Reset()
			_, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r})
			if c.stale == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var stale *engine.StalePlanError
			if !errors.As(err, &stale) {
				t.Fatalf("not refused as stale: %v", err)
			}
			f.refused(err, nil, c.stale...)
			if strings.Contains(err.Error(), "password\"") || strings.Contains(err.Error(), "another-password") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

// Plans for a namespace that does not exist yet, and plans other than deploys,
// are stored and applied too.
func TestOtherPlansAreStored(t *testing.T) {
	f := newFixture(t)
	chart := f.chart(map[string]string{"a.yaml": manyFields})
	r := f.release(chart, "password=first-password")
	r.Namespace, r.CreateNamespace = f.namespace+"-new", true
	stored, text := f.store(f.plan(r))
	validPlan(t, text)
	if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r}); err != nil {
		t.Error(err)
	}
	f.deploy(f.release(chart, "password=first-password"))
	f.deploy(f.release(chart, "password=second-password"))
	p, err := f.engine.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored, text = f.store(p)
	validPlan(t, text)
	f.edit("secrets", "shop-secret", engine.DefaultFieldManager, `{"stringData":{"password":"another-password"}}`)
	var stale *engine.StalePlanError
	if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Key: f.key}); !errors.As(err, &stale) || stale.Field != "data.password" {
		t.Errorf("a stale rollback: %v", err)
	}
	for _, k := range []engine.Key{f.key, r.Key} {
		p, err := f.engine.PlanUninstall(f.ctx, k, engine.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		stored, text := f.store(p)
		validPlan(t, text)
		if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Key: k, Kinds: []engine.PlanKind{engine.PlanUninstall}}); err != nil {
			t.Error(err)
		}
	}
	if err := f.client.CoreV1().Namespaces().Delete(f.ctx, r.Namespace, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// What the API server sets at random does not make a stored plan stale.
func TestStoredPlansOfObjectsWithRandomFields(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"a.yaml": `
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {type: NodePort, selector: {a: b}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: b}
spec: {selector: {a: b}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: a, image: a, volumeMounts: [{name: own, mountPath: /own}]}]
  volumes: [{name: own, emptyDir: {}}]
`}))
	stored, _ := f.store(f.plan(r))
	if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r}); err != nil {
		t.Error(err)
	}
}

// validPlan validates a stored plan with the documented schema.
func validPlan(t *testing.T, text string) {
	t.Helper()
	data, err := os.ReadFile("../docs/plan.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("plan.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("plan.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(plan); err != nil {
		t.Errorf("the stored plan is not what docs/plan.schema.json says: %v\n%s", err, text)
	}
}

// A plan may be made by who may only read, and applied by someone else. What its
// author could not ask the API server is compared with what is computed without
// it.
func TestStoredPlansOfReadOnlyAuthors(t *testing.T) {
	f := newFixture(t)
	author := f.newEngine(f.cluster.ReadOnly(t, f.namespace))
	templates := map[string]string{"service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {a: {{ .Values.colour | default \"green\" }}}, ports: [{port: 80}]}\n"}
	for name, text := range attackChart {
		templates[name] = text
	}
	c := f.chart(templates)
	for i, set := range [][]string{{"password=first-password"}, {"password=second-password", "colour=red", "tag=2.0"}} {
		r, evil := f.release(c, set...), f.release(c, append(set, "tag=666")...)
		p, err := author.Plan(f.ctx, r, engine.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		stored, text := f.store(p)
		validPlan(t, text)
		if len(p.Missing) == 0 || !strings.Contains(text, `"local":true`) {
			t.Errorf("the author may write: %v", p.Missing)
		}
		var stale *engine.StalePlanError
		if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &evil}); !errors.As(err, &stale) {
			t.Errorf("with another image: %v", err)
		}
		rev, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r})
		if err != nil || rev.Revision != i+1 {
			t.Errorf("%v, %v", rev, err)
		}
	}
	p, err := author.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored, _ := f.store(p)
	if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Key: f.key}); err != nil {
		t.Error(err)
	}
	if p, err = author.PlanUninstall(f.ctx, f.key, engine.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	stored, _ = f.store(p)
	if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Key: f.key, Kinds: []engine.PlanKind{engine.PlanUninstall}}); err != nil {
		t.Error(err)
	}
}

// A plan with dry-runs of all objects, or of none, is applied as it was made.
func TestStoredPlansWithOtherDryRuns(t *testing.T) {
	f := newFixture(t)
	c := f.chart(attackChart)
	for i, dryRun := range []engine.DryRun{engine.DryRunAll, engine.DryRunNone, engine.DryRunAll, engine.DryRunNone} {
		r := f.release(c, "password=some-password", "colour="+[]string{"red", "green", "blue", "white"}[i])
		p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{DryRun: dryRun})
		if err != nil {
			t.Fatal(err)
		}
		stored, text := f.store(p)
		validPlan(t, text)
		if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r}); err != nil {
			t.Errorf("%q: %v", dryRun, err)
		}
	}
}
