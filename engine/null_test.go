package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

const nullable = `
spec:
  type: object
  properties:
    size: {type: integer}
    head: {type: object, properties: {image: {type: string}}}
    list: {type: array, items: {type: string}}
    filled: {type: integer, default: 7}
    maybe: {type: string, nullable: true}
    maybeFilled: {type: integer, nullable: true, default: 7}
    maybeMap: {type: object, nullable: true, properties: {a: {type: string, nullable: true}, b: {type: string}}}
    maybeList: {type: array, nullable: true, items: {type: string}}
    parts: {type: array, items: {type: object, properties: {id: {type: string}, note: {type: string}, maybe: {type: string, nullable: true}, filled: {type: integer, default: 5}}}}
    keyed: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [id], items: {type: object, required: [id], properties: {id: {type: string}, note: {type: string}, maybe: {type: string, nullable: true}}}}
    table: {type: object, additionalProperties: {type: string}}
    maybeTable: {type: object, additionalProperties: {type: string, nullable: true}}
    free: {type: object, x-kubernetes-preserve-unknown-fields: true}
    mixed: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {known: {type: string, nullable: true}}}
    any: {x-kubernetes-preserve-unknown-fields: true}
`

// In custom resources, too, null is absent, unless the schema says nullable.
func TestNullInCustomResources(t *testing.T) {
	g := newGadgets(t)
	properties, err := yaml.YAMLToJSON([]byte(nullable))
	if err != nil {
		t.Fatal(err)
	}
	definition := strings.Replace(g.definition([]string{"v1"}), "properties: {spec: {type: object, properties: {}}}", "properties: "+string(properties), 1)
	path := g.group + "/v1/gadgets/g"
	chart := func(spec string) string {
		text := g.gadget("v1", "SPEC")
		if strings.Contains(spec, "metadata:") {
			text = strings.Replace(text, "metadata: {name: g}\n", "", 1)
		}
		return strings.Replace(text, "{SPEC}", spec, 1)
	}
	run := func(t *testing.T, charts func(spec string) engine.Release, before, edit, after, want string) {
		f := *g.fixture
		f.T = t
		var was map[string]any
		if before != "" {
			first := charts(before)
			f.deploy(first)
			f.settled(first)
			if edit != "" {
				f.change(path, "kubectl-edit", types.MergePatchType, edit)
			}
			was = f.object(path)
		}
		r := charts(after)
		r.Force = edit != ""
		p := f.plan(r)
		if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
		o := f.object(path)
		if got, _ := json.Marshal(o["spec"]); string(got) != want {
			t.Errorf("live is %s, want %s", got, want)
		}
		if was != nil {
			f.wantFields(p, "g", was, o)
		}
		f.settled(r)
		if err := f.engine.Uninstall(f.ctx, r.Key, engine.ApplyOptions{}); err != nil {
			t.Error(err)
		}
	}
	// Planned before the definition is served.
	run(t, func(spec string) engine.Release {
		return g.release(g.chart(map[string]string{"crds/gadget.yaml": definition, "gadget.yaml": chart(spec)}))
	}, "", "", "{size: null, head: null, maybe: null, maybeFilled: null, parts: [{id: a, note: null, maybe: null}], free: {a: null}}",
		`{"filled":7,"free":{},"maybe":null,"maybeFilled":null,"parts":[{"filled":5,"id":"a","maybe":null}]}`)
	// By its schema, which is published a moment later, items of lists have keys.
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		text, err := g.client.Discovery().RESTClient().Get().AbsPath("/openapi/v3/apis/" + g.group + "/v1").DoRaw(ctx)
		if err == nil && !strings.Contains(string(text), `"keyed"`) {
			err = errors.New("the schema is not published yet")
		}
		return err
	})
	for name, c := range map[string]struct {
		before string // of spec; empty: it does not exist
		edit   string
		after  string
		want   string // live, in JSON
	}{
		"a scalar":                           {"", "", "{size: null}", `{"filled":7,"maybeFilled":7}`},
		"a mapping":                          {"", "", "{head: null}", `{"filled":7,"maybeFilled":7}`},
		"a list":                             {"", "", "{list: null}", `{"filled":7,"maybeFilled":7}`},
		"one with a default":                 {"", "", "{filled: null}", `{"filled":7,"maybeFilled":7}`},
		"nullable":                           {"", "", "{maybe: null}", `{"filled":7,"maybe":null,"maybeFilled":7}`},
		"nullable with a default":            {"", "", "{maybeFilled: null}", `{"filled":7,"maybeFilled":null}`},
		"a nullable mapping":                 {"", "", "{maybeMap: null}", `{"filled":7,"maybeFilled":7,"maybeMap":null}`},
		"in a nullable mapping":              {"", "", "{maybeMap: {a: null, b: null}}", `{"filled":7,"maybeFilled":7,"maybeMap":{"a":null}}`},
		"a nullable list":                    {"", "", "{maybeList: null}", `{"filled":7,"maybeFilled":7,"maybeList":null}`},
		"in items of a list":                 {"", "", "{parts: [{id: a, note: null, filled: null}, {id: b, maybe: null}]}", `{"filled":7,"maybeFilled":7,"parts":[{"filled":5,"id":"a"},{"filled":5,"id":"b","maybe":null}]}`},
		"in items with keys":                 {"", "", "{keyed: [{id: a, note: null, maybe: null}]}", `{"filled":7,"keyed":[{"id":"a","maybe":null}],"maybeFilled":7}`},
		"values of a mapping":                {"", "", "{table: {a: null, b: x}, maybeTable: {a: null, b: x}}", `{"filled":7,"maybeFilled":7,"maybeTable":{"a":null,"b":"x"},"table":{"b":"x"}}`},
		"what the schema leaves open":        {"", "", "{free: {a: null, b: [{c: null, d: x}]}, any: {e: null}}", `{"any":{},"filled":7,"free":{"b":[{"d":"x"}]},"maybeFilled":7}`},
		"what the schema leaves open partly": {"", "", "{mixed: {known: null, other: null, third: x}}", `{"filled":7,"maybeFilled":7,"mixed":{"known":null,"third":"x"}}`},
		"removes a scalar":                   {"{size: 1}", "", "{size: null}", `{"filled":7,"maybeFilled":7}`},
		"removes a mapping":                  {"{head: {image: x}}", "", "{head: null}", `{"filled":7,"maybeFilled":7}`},
		"removes what is open":               {"{free: {a: {b: c}}, any: x}", "", "{free: {a: null}, any: null}", `{"filled":7,"free":{},"maybeFilled":7}`},
		"gives the default again":            {"{filled: 1}", "", "{filled: null}", `{"filled":7,"maybeFilled":7}`},
		"a nullable scalar loses its value":  {"{maybe: x}", "", "{maybe: null}", `{"filled":7,"maybe":null,"maybeFilled":7}`},
		"a nullable one loses its default":   {"{size: 1}", "", "{size: 1, maybeFilled: null}", `{"filled":7,"maybeFilled":null,"size":1}`},
		"a nullable mapping loses its value": {"{maybeMap: {a: x}}", "", "{maybeMap: null}", `{"filled":7,"maybeFilled":7,"maybeMap":null}`},
		"a nullable list loses its value":    {"{maybeList: [x]}", "", "{maybeList: null}", `{"filled":7,"maybeFilled":7,"maybeList":null}`},
		"a nullable item loses its value":    {"{keyed: [{id: a, maybe: x}]}", "", "{keyed: [{id: a, maybe: null}]}", `{"filled":7,"keyed":[{"id":"a","maybe":null}],"maybeFilled":7}`},
		"a nullable one gets its default":    {"{maybeFilled: null}", "", "{}", `{"filled":7,"maybeFilled":7}`},
		"a nullable mapping gets a value":    {"{maybeMap: null}", "", "{maybeMap: {a: x}}", `{"filled":7,"maybeFilled":7,"maybeMap":{"a":"x"}}`},
		"drift of a nullable scalar":         {"{maybe: null}", `{"spec":{"maybe":"x"}}`, "{maybe: null}", `{"filled":7,"maybe":null,"maybeFilled":7}`},
		"a label and an annotation":          {"", "", "{size: 1}\nmetadata: {name: g, labels: {a: null}, annotations: {b: null}}", `{"filled":7,"maybeFilled":7,"size":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(spec string) engine.Release {
				return g.release(g.chart(map[string]string{"gadget.yaml": chart(spec)}))
			}, c.before, c.edit, c.after, c.want)
		})
	}
}
