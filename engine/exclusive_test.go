package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// Custom resources are applied as desired, whatever empties them, and whatever
// others have put beside a member of a union.
func TestAppliedMeansAppliedToCustomResources(t *testing.T) {
	g := newGadgets(t)
	fields := []string{
		"one: {type: string}", "two: {type: string}",
		"set: {type: array, x-kubernetes-list-type: set, items: {type: string}}",
		"keyed: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [id], items: {type: object, required: [id], properties: {id: {type: string}}}}",
		"union: {type: object, oneOf: [{required: [a]}, {required: [b]}], properties: {a: {type: string}, b: {type: string}}}",
		"filled: {type: integer, default: 7}",
	}
	definition := strings.Replace(g.definition([]string{"v1"}, fields...), "properties: {spec: {type: object, ",
		"properties: {spec: {type: object, x-kubernetes-validations: [{rule: '!(has(self.one) && has(self.two))', message: one or two}], ", 1)
	r := g.release(g.chart(map[string]string{"crd.yaml": definition}))
	r.Key.Name = "definitions"
	if _, err := g.engine.Deploy(g.ctx, r, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	// By its schema, which is published a moment later, items of lists have keys.
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		text, err := g.client.Discovery().RESTClient().Get().AbsPath("/openapi/v3/apis/" + g.group + "/v1").DoRaw(ctx)
		if err == nil && !strings.Contains(string(text), `"keyed"`) {
			err = errors.New("the schema is not published yet")
		}
		return err
	})
	path := g.group + "/v1/gadgets/g"
	for name, c := range map[string]struct {
		before, edit, after string
		excluded            string // what others have set that stands in the way
		want                string
	}{
		"a set is emptied":                     {before: "set: [a, b]", after: "set: []", want: "map[filled:7 set:[]]"},
		"a list with keys is emptied":          {before: "keyed: [{id: a}]", after: "keyed: []", want: "map[filled:7 keyed:[]]"},
		"a oneOf swapped by hand":              {before: "union: {a: x}", edit: `[{"op":"replace","path":"/spec/union","value":{"b":"y"}}]`, after: "union: {a: z}", excluded: "spec.union.b", want: "map[filled:7 union:map[a:z]]"},
		"a rule of the mapping broken by hand": {before: "one: x", edit: `[{"op":"remove","path":"/spec/one"},{"op":"add","path":"/spec/two","value":"y"}]`, after: "one: z", excluded: "spec.two", want: "map[filled:7 one:z]"},
	} {
		t.Run(name, func(t *testing.T) {
			f := *g.fixture
			f.T = t
			first := f.release(f.chart(map[string]string{"gadget.yaml": g.gadget("v1", c.before)}))
			f.deploy(first)
			r := f.release(f.chart(map[string]string{"gadget.yaml": g.gadget("v1", c.after)}))
			if c.edit != "" {
				f.change(path, "kubectl-edit", types.JSONPatchType, c.edit)
				_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
				if err == nil || !strings.Contains(err.Error(), "kubectl-edit has changed "+c.excluded) || strings.Contains(err.Error(), "<nil>") {
					t.Errorf("without Force: %v", err)
				}
				r.Force = true
			}
			was := f.object(path)
			p := f.plan(r)
			if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
				t.Fatal(err)
			}
			o := f.object(path)
			if got := fmt.Sprint(o["spec"]); got != c.want {
				t.Errorf("live is %s, want %s", got, c.want)
			}
			if c.edit != "" {
				f.wantFields(p, "g", was, o)
			}
			f.settled(r)
			if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A role that is no longer aggregated gets its own rules, in the deploy in which
// it stops.
func TestARoleStopsAggregating(t *testing.T) {
	f := newFixture(t)
	role := func(rest string) engine.Release {
		return f.release(f.chart(map[string]string{"role.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: " + f.namespace + "}\n" + rest + "\n"}))
	}
	t.Cleanup(func() {
		if err := f.engine.Uninstall(context.WithoutCancel(f.ctx), f.key, engine.ApplyOptions{}); err != nil {
			t.Error(err)
		}
	})
	f.deploy(role("aggregationRule: {clusterRoleSelectors: [{matchLabels: {rbac.authorization.k8s.io/aggregate-to-view: 'true'}}]}"))
	path := "rbac.authorization.k8s.io/v1/clusterroles/" + f.namespace
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		if rules, _ := at(f.object(path), "rules").([]any); len(rules) == 0 {
			return errors.New("no rules yet")
		}
		return nil
	})
	plain := role("rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]")
	f.deploy(plain)
	o := f.object(path)
	if rules, _ := at(o, "rules").([]any); len(rules) != 1 || o["aggregationRule"] != nil {
		t.Errorf("live is %v", o)
	}
	f.settled(plain)
}

// What others have put into a ConfigMap does not let a deploy fail halfway.
func TestRefusedConfigMapsAreFoundBefore(t *testing.T) {
	for name, edit := range map[string]string{
		"a key in both":        `[{"op":"remove","path":"/data"},{"op":"add","path":"/binaryData","value":{"a":"b25l"}}]`,
		"too big along with":   `[{"op":"remove","path":"/data"},{"op":"add","path":"/data","value":{"big":"` + strings.Repeat("x", 1<<20-100) + `"}}]`,
		"too many annotations": `[{"op":"remove","path":"/data"},{"op":"add","path":"/metadata/annotations/big","value":"` + strings.Repeat("x", 256<<10-200) + `"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			charts := func(a, b string) engine.Release {
				return f.release(f.chart(map[string]string{"x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: " + a + "}\n---\n" + b}))
			}
			with := func(value string) string {
				return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, annotations: {a: " + value + "}}\ndata: {a: " + value + "}\n"
			}
			f.deploy(charts("b", with("b")))
			f.change("v1/configmaps/b", "kubectl-edit", types.JSONPatchType, edit)
			f.requests.Reset()
			_, err := f.engine.Deploy(f.ctx, charts("changed", with(strings.Repeat("y", 500))), engine.ApplyOptions{})
			var problems *engine.ProblemsError
			if !errors.As(err, &problems) {
				t.Errorf("returned %v, want problems", err)
			}
			if w := f.writes(); len(w) > 0 {
				t.Errorf("wrote %v", w)
			}
		})
	}
}

// Two ports with one node port are a problem that names the second, at once.
func TestOneNodePortTwice(t *testing.T) {
	f := newFixture(t)
	service := func(spec string) engine.Release {
		return f.release(f.chart(map[string]string{"s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: " + spec + "\n"}))
	}
	f.deploy(service("{ports: [{port: 80}]}"))
	p := f.plan(service("{type: NodePort, ports: [{name: a, port: 80, nodePort: 31986}, {name: b, port: 81, nodePort: 31986}]}"))
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "spec.ports[1].nodePort: 31986 is the node port of two TCP ports") {
		t.Errorf("%v", err)
	}
}

// The plan of a mapping that is emptied has the defaults that fill it again.
func TestAnEmptiedMappingIsFilled(t *testing.T) {
	f := newFixture(t)
	set := func(ordinals string) engine.Release {
		return f.release(f.chart(map[string]string{"d.yaml": "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: d}\nspec: {replicas: 0, serviceName: d, ordinals: " + ordinals + ", selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}}\n"}))
	}
	f.deploy(set("{start: 3}"))
	was := f.object("apps/v1/statefulsets/d")
	r := set("{}")
	p := f.plan(r)
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantFields(p, "d", was, f.object("apps/v1/statefulsets/d"))
	f.settled(r)
}
