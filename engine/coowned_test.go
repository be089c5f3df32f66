package engine_test

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// ownersOfField are the field managers that own a field of a live object, by the
// last name of it in managedFields.
func (f *fixture) ownersOfField(path, field string) []string {
	f.Helper()
	u := unstructured.Unstructured{Object: f.object(path)}
	var out []string
	for _, e := range u.GetManagedFields() {
		if e.Subresource != "status" && bytes.Contains(e.FieldsV1.GetRawBytes(), []byte(`"f:`+field+`"`)) {
			out = append(out, e.Manager+" "+string(e.Operation)+" "+e.Subresource)
		}
	}
	return out
}

// What another client changes and changes back is its own then: drift shows
// that, and a correction takes it back.
func TestChangedAndChangedBack(t *testing.T) {
	web := strings.NewReplacer("replicas: 1", "replicas: 2", "%s", "", ", image: 'web:1'", ", image: 'web:1', env: [{name: A, value: x}], resources: {limits: {cpu: 500m}}").Replace(plainDeployment)
	const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {tier: a}}\ndata: {key: one, other: two}\n"
	const secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: first-password}\n"
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: web}, ports: [{name: h, port: 80}, {name: i, port: 90}]}\n"
	type write struct {
		kind        types.PatchType
		path, patch string
	}
	for name, c := range map[string]struct {
		chart, path string
		writes      []write
		field       string // its path
		owned       string // its name in managedFields
		manager     string
		next        [2]string // what the chart changes then
	}{
		"scaled": {
			chart: web, path: webPath, manager: "kubectl", field: "spec.replicas", owned: "replicas",
			writes: []write{{types.MergePatchType, webPath + "/scale", `{"spec":{"replicas":5}}`}, {types.MergePatchType, webPath + "/scale", `{"spec":{"replicas":2}}`}},
			next:   [2]string{"replicas: 2", "replicas: 3"},
		},
		"an image set": {
			chart: web, path: webPath, manager: "kubectl-set", field: `spec.template.spec.containers[name="web"].image`, owned: "image",
			writes: []write{{types.StrategicMergePatchType, webPath, `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:2"}]}}}}`}, {types.StrategicMergePatchType, webPath, `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:1"}]}}}}`}},
			next:   [2]string{"web:1", "web:3"},
		},
		"a quantity": {
			chart: web, path: webPath, manager: "kubectl-set", field: `spec.template.spec.containers[name="web"].resources.limits.cpu`, owned: "cpu",
			writes: []write{{types.StrategicMergePatchType, webPath, `{"spec":{"template":{"spec":{"containers":[{"name":"web","resources":{"limits":{"cpu":"2"}}}]}}}}`}, {types.StrategicMergePatchType, webPath, `{"spec":{"template":{"spec":{"containers":[{"name":"web","resources":{"limits":{"cpu":"500m"}}}]}}}}`}},
			next:   [2]string{"500m", "1500m"},
		},
		"a label removed and added": {
			chart: config, path: "v1/configmaps/c", manager: "kubectl-label", field: "metadata.labels.tier", owned: "tier",
			writes: []write{{types.MergePatchType, "v1/configmaps/c", `{"metadata":{"labels":{"tier":null}}}`}, {types.MergePatchType, "v1/configmaps/c", `{"metadata":{"labels":{"tier":"a"}}}`}},
			next:   [2]string{"tier: a", "tier: b"},
		},
		"a secret value": {
			chart: secret, path: "v1/secrets/s", manager: "kubectl-edit", field: "data.password", owned: "password",
			writes: []write{{types.MergePatchType, "v1/secrets/s", `{"data":{"password":"b3RoZXI="}}`}, {types.MergePatchType, "v1/secrets/s", `{"data":{"password":"Zmlyc3QtcGFzc3dvcmQ="}}`}},
			next:   [2]string{"first-password", "next-password"},
		},
		"by server-side apply": {
			chart: config, path: "v1/configmaps/c", manager: "other", field: "data.key", owned: "key",
			writes: []write{{types.ApplyPatchType, "v1/configmaps/c", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"key":"theirs"}}`}, {types.ApplyPatchType, "v1/configmaps/c", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"key":"one"}}`}},
			next:   [2]string{"key: one", "key: three"},
		},
		"an item removed and added": {
			chart: service, path: "v1/services/s", manager: "kubectl-edit", field: `spec.ports[port=90,protocol="TCP"].name`, owned: "name",
			writes: []write{{types.JSONPatchType, "v1/services/s", `[{"op":"remove","path":"/spec/ports/1"},{"op":"remove","path":"/spec/ports/0/name"}]`}, {types.JSONPatchType, "v1/services/s", `[{"op":"add","path":"/spec/ports/0/name","value":"h"},{"op":"add","path":"/spec/ports/-","value":{"name":"i","port":90,"protocol":"TCP","targetPort":90}}]`}},
			next:   [2]string{"name: i", "name: j"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := f.release(f.chart(map[string]string{"x.yaml": c.chart}))
			if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			for _, w := range c.writes {
				request := f.client.CoreV1().RESTClient().Patch(w.kind).AbsPath(f.path(w.path)).Param("fieldManager", c.manager)
				if w.kind == types.ApplyPatchType {
					request = request.Param("force", "true")
				}
				if err := request.Body([]byte(w.patch)).Do(f.ctx).Error(); err != nil {
					t.Fatal(err)
				}
			}
			find := func(report diff.Report) *diff.Field {
				for _, change := range report.Changes {
					for _, field := range change.Fields {
						if field.Path == c.field {
							return &field
						}
					}
				}
				return nil
			}
			report, err := f.engine.Drift(f.ctx, f.key)
			if err != nil {
				t.Fatal(err)
			}
			field := find(report)
			if field == nil || !field.CoOwned || field.Cause != diff.Drift || field.Manager != c.manager {
				t.Fatalf("drift is %+v", report.Changes)
			}
			var text strings.Builder
			if err := report.WriteText(&text, diff.TextOptions{Width: 200}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text.String(), "co-owned by "+c.manager) || strings.Contains(text.String(), "first-password") {
				t.Errorf("the report is\n%s", &text)
			}

			// A deploy writes nothing, and says whose it is.
			f.requests.Reset()
			p := f.plan(r)
			if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			if w := f.writes(); len(w) > 0 || p.Changed() {
				t.Errorf("a deploy writes %v", w)
			}
			text.Reset()
			if err := p.Report.WriteText(&text, diff.TextOptions{Width: 200}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text.String(), c.field+" is as desired, and is "+c.manager+"'s now") {
				t.Errorf("the plan says\n%s", &text)
			}

			p, err = f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			stored, data := f.store(p)
			validPlan(t, data)
			if find(stored.Report) == nil {
				t.Errorf("the correction is %+v", stored.Report.Changes)
			}
			before := f.object(c.path)
			if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Key: f.key, NoWait: true}); err != nil {
				t.Fatal(err)
			}
			if d := observed(before, f.object(c.path)); len(d) > 0 {
				t.Errorf("the correction changed%v", d)
			}
			if got := f.ownersOfField(c.path, c.owned); len(got) != 1 || got[0] != "fairlead Apply " {
				t.Errorf("owned by %v", got)
			}
			f.settled(r)
			// The next chart needs no Force.
			next := f.release(f.chart(map[string]string{"x.yaml": strings.Replace(c.chart, c.next[0], c.next[1], 1)}))
			if _, err := f.engine.Deploy(f.ctx, next, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Error(err)
			}
			f.settled(next)
		})
	}
}
