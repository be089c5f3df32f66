package engine_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// One deploy gives what the manifest asks for, also when it changes the API
// version in which it asks.
func TestVersionsChangeInOneDeploy(t *testing.T) {
	hpa := func(version, spec string) string {
		return "apiVersion: autoscaling/" + version + "\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {minReplicas: 1, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: none}" + spec + "}\n"
	}
	metric := func(name, use string) string {
		return "{type: Resource, resource: {name: " + name + ", target: {type: Utilization, averageUtilization: " + use + "}}}"
	}
	pods := "{type: Pods, pods: {metric: {name: rps}, target: {type: AverageValue, averageValue: '10'}}}"
	container := "{type: ContainerResource, containerResource: {name: cpu, container: web, target: {type: Utilization, averageUtilization: 40}}}"
	behavior := ", behavior: {scaleDown: {stabilizationWindowSeconds: 60}}"
	metrics := func(all ...string) string { return ", metrics: [" + strings.Join(all, ", ") + "]" }
	cpu, memory := metric("cpu", "50"), metric("memory", "70")
	kinds := func(o map[string]any) []string {
		var out []string
		list, _ := at(o, "spec", "metrics").([]any)
		for _, m := range list {
			for _, field := range []string{"resource", "pods", "containerResource"} {
				if v, ok := m.(map[string]any)[field].(map[string]any); ok {
					name, _ := v["name"].(string)
					if name == "" {
						name, _ = at(v, "metric", "name").(string)
					}
					out = append(out, field+" "+name)
				}
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		before []string
		after  string
		helm   bool // the first is Helm's
		want   []string
	}{
		"v1 to v2":                     {[]string{hpa("v1", ", targetCPUUtilizationPercentage: 80")}, hpa("v2", metrics(cpu)), false, []string{"resource cpu"}},
		"v1 to v2, two metrics":        {[]string{hpa("v1", ", targetCPUUtilizationPercentage: 80")}, hpa("v2", metrics(cpu, memory)), false, []string{"resource cpu", "resource memory"}},
		"v1 to v2, the other order":    {[]string{hpa("v1", ", targetCPUUtilizationPercentage: 80")}, hpa("v2", metrics(memory, cpu)), false, []string{"resource memory", "resource cpu"}},
		"v1 to v2, another metric":     {[]string{hpa("v1", ", targetCPUUtilizationPercentage: 80")}, hpa("v2", metrics(memory)), false, []string{"resource memory"}},
		"v1 to v2, three and behavior": {[]string{hpa("v1", ", targetCPUUtilizationPercentage: 80")}, hpa("v2", metrics(memory, pods, cpu)+behavior), false, []string{"resource memory", "pods rps", "resource cpu"}},
		"v1 without a metric to v2":    {[]string{hpa("v1", "")}, hpa("v2", metrics(memory, container)), false, []string{"resource memory", "containerResource cpu"}},
		"v1 of Helm to v2":             {[]string{hpa("v1", ", targetCPUUtilizationPercentage: 80")}, hpa("v2", metrics(memory, cpu)), true, []string{"resource memory", "resource cpu"}},
		"v2 to v1":                     {[]string{hpa("v2", metrics(memory, cpu)+behavior)}, hpa("v1", ", targetCPUUtilizationPercentage: 50"), false, []string{"resource cpu"}},
		"v2 to v1, no cpu before":      {[]string{hpa("v2", metrics(memory, pods))}, hpa("v1", ", targetCPUUtilizationPercentage: 50"), false, []string{"resource cpu"}},
		"v2 of Helm to v1":             {[]string{hpa("v2", metrics(memory, cpu))}, hpa("v1", ", targetCPUUtilizationPercentage: 50"), true, []string{"resource cpu"}},
		"v2, one more":                 {[]string{hpa("v2", metrics(cpu))}, hpa("v2", metrics(cpu, memory)), false, []string{"resource cpu", "resource memory"}},
		"v2, one less":                 {[]string{hpa("v2", metrics(cpu, memory))}, hpa("v2", metrics(memory)), false, []string{"resource memory"}},
		"v2, the order":                {[]string{hpa("v2", metrics(cpu, memory))}, hpa("v2", metrics(memory, cpu)), false, []string{"resource memory", "resource cpu"}},
		"v2, another kind":             {[]string{hpa("v2", metrics(cpu))}, hpa("v2", metrics(pods)), false, []string{"pods rps"}},
		"v2 of Helm, one more":         {[]string{hpa("v2", metrics(cpu))}, hpa("v2", metrics(memory, cpu, pods)), true, []string{"resource memory", "resource cpu", "pods rps"}},
		"v2 of Helm, the order":        {[]string{hpa("v2", metrics(cpu, memory))}, hpa("v2", metrics(memory, cpu)), true, []string{"resource memory", "resource cpu"}},
		"v1, v2, and back, and v2":     {[]string{hpa("v1", ", targetCPUUtilizationPercentage: 80"), hpa("v2", metrics(cpu, memory)), hpa("v1", ", targetCPUUtilizationPercentage: 70")}, hpa("v2", metrics(pods, memory)), false, []string{"pods rps", "resource memory"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			const path = "autoscaling/v2/horizontalpodautoscalers/h"
			for i, text := range c.before {
				if i == 0 && c.helm {
					f.byHelm(map[string]string{"x.yaml": text})
					continue
				}
				f.deploy(f.release(f.chart(map[string]string{"x.yaml": text})))
			}
			r := f.release(f.chart(map[string]string{"x.yaml": c.after}))
			p := f.plan(r)
			before := f.object(path)
			if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			o := f.object(path)
			if got := kinds(o); !reflect.DeepEqual(got, c.want) {
				text, _ := json.MarshalIndent(at(o, "spec", "metrics"), "", " ")
				t.Errorf("metrics are %v, want %v\n%s", got, c.want, text)
			}
			if strings.Contains(c.after, "/v1") && !strings.Contains(c.after, "behavior") && at(o, "spec", "behavior", "scaleDown", "stabilizationWindowSeconds") == float64(60) {
				t.Error("the behavior is still there")
			}
			if strings.Contains(c.after, "/v2") {
				f.wantFields(p, "h", before, o)
			}
			f.settled(r)
		})
	}
}

// wantFields checks that the fields of a change are those that changed.
func (f *fixture) wantFields(p *engine.Plan, name string, before, after map[string]any) {
	f.Helper()
	real := observed(before, after)
	for _, c := range p.Report.Changes {
		if c.Object.Name != name {
			continue
		}
		if c.Action == diff.Replaced || c.Action == diff.Created {
			f.Errorf("%s is %s", c.Object, c.Action)
		}
		reported, secrets := reportedBy(c)
		for path, v := range real {
			if v2, ok := reported[path]; !ok || !secrets[path] && !isUnknownLeaf(v2[1]) && !reflect.DeepEqual(v2, v) {
				f.Errorf("%s became %v from %v, and the plan says %v", path, v[1], v[0], reported)
			}
		}
		for path, v := range reported {
			if _, ok := real[path]; !ok {
				f.Errorf("the plan says that %s becomes %v, and it does not: %v", path, v[1], real)
			}
		}
		return
	}
	f.Errorf("the plan says nothing about %s", name)
}
