package helm_test

import (
	"encoding/json"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/fairlead-dev/fairlead/engine"
)

// A deploy that reuses values renders and records what Helm's upgrade does with
// the same flag, over revisions of Helm and over its own, also where the chart's
// defaults have changed; and the plan of it is applied from JSON.
func TestReusesValuesAsHelm(t *testing.T) {
	withEach(t, func(f *fixture) {
		h, ok := f.helm.(*helm3)
		if !ok {
			f.Skip("Helm 4 reuses values as Helm 3 does")
		}
		f.write("values.yaml", "colour: green\nsize: small\nlimits: {cpu: 1, memory: 2}\nextra: false\ntag: '1.0'\nport: 80\n")
		f.write("templates/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop-config}\ndata:\n  values: {{ .Values | toJson | quote }}\n")
		f.must("helm install", f.helm.install(f.ctx, f.folder, values{"colour": "red", "limits": map[string]any{"cpu": nil, "disk": 3}, "list": []any{"a"}}))
		f.write("values.yaml", "colour: yellow\nsize: big\nfresh: yes\nlimits: {cpu: 5, memory: 6}\nextra: false\ntag: '1.0'\nport: 80\n")

		upgrade := func(set func(*action.Upgrade), given map[string]any) (manifest, config string) {
			f.Helper()
			c, err := loader.LoadDir(f.folder)
			f.must("load", err)
			u := action.NewUpgrade(h.cfg)
			u.Namespace, u.DryRun = f.namespace, true
			set(u)
			rel, err := u.RunWithContext(f.ctx, releaseName, c, given)
			f.must("helm upgrade --dry-run", err)
			return rel.Manifest, asJSON(t, rel.Config)
		}
		modes := map[engine.ReuseValues]func(*action.Upgrade){
			engine.ResetValues:    func(u *action.Upgrade) { u.ResetValues = true },
			engine.ReuseStored:    func(u *action.Upgrade) { u.ReuseValues = true },
			engine.ResetThenReuse: func(u *action.Upgrade) { u.ResetThenReuseValues = true },
		}
		for _, step := range []struct {
			reuse engine.ReuseValues
			given values
		}{
			{engine.ResetThenReuse, values{"list": []any{"b"}}},
			{engine.ReuseStored, values{}},
			{engine.ReuseStored, values{"colour": "blue", "limits": map[string]any{"memory": 9, "disk": nil}}},
			{engine.ReuseStored, values{"colour": nil, "list": nil}},
			{engine.ResetThenReuse, values{"colour": nil, "size": "huge"}},
			{engine.ResetValues, values{"size": "tiny"}},
			{engine.ReuseStored, values{"port": 81}},
		} {
			manifest, config := upgrade(modes[step.reuse], copied(t, step.given))
			r := f.release(step.given)
			r.ReuseValues = step.reuse
			p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
			f.must("plan", err)
			data, err := json.Marshal(p)
			f.must("store the plan", err)
			var stored engine.Plan
			f.must("read the plan", json.Unmarshal(data, &stored))
			rev, err := f.engine.Apply(f.ctx, &stored, engine.ApplyOptions{Release: &r})
			f.must("apply", err)
			got, err := f.engine.Get(f.ctx, f.key, rev.Revision)
			f.must("get", err)
			if got.Manifest != manifest {
				f.Errorf("%q with %v renders\n%s\nand Helm\n%s", step.reuse, step.given, got.Manifest, manifest)
			}
			if a := asJSON(t, got.Values.Map()); a != config {
				f.Errorf("%q with %v records %s, and Helm %s", step.reuse, step.given, a, config)
			}
		}
	})
}

// copied is a copy that Helm may change.
func copied(t *testing.T, v map[string]any) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(asJSON(t, v)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}
