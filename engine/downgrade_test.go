package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// An older chart leaves in its crds/ what a newer chart of another release has
// brought, in whatever order they are deployed.
func TestOlderChartsKeepNewerDefinitions(t *testing.T) {
	version := func(name, more, properties string) string {
		return "{name: " + name + ", served: true" + more + ", schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {" + properties + "}}, status: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}}"
	}
	const stored, other = ", storage: true", ", storage: false"
	for name, c := range map[string]struct {
		older, newer []string // versions
		says         string
		api          string // in which the older chart has an object
	}{
		"a field":             {[]string{version("v1", stored, size)}, []string{version("v1", stored, size+", "+colour)}, "spec.colour in version v1", "v1"},
		"a value of a list":   {[]string{version("v1", stored, "kind: {type: string, enum: [a]}")}, []string{version("v1", stored, "kind: {type: string, enum: [a, b]}")}, "spec.kind in version v1", "v1"},
		"a field deep down":   {[]string{version("v1", stored, "l: {type: array, items: {type: object, properties: {a: {type: string}}}}")}, []string{version("v1", stored, "l: {type: array, items: {type: object, properties: {a: {type: string}, b: {type: string}}}}")}, "spec.l[].b in version v1", "v1"},
		"an open field":       {[]string{version("v1", stored, "f: {type: object}")}, []string{version("v1", stored, "f: {type: object, x-kubernetes-preserve-unknown-fields: true}")}, "spec.f in version v1", "v1"},
		"a version":           {[]string{version("v1", stored, size)}, []string{version("v1", stored, size), version("v2", other, size)}, "version v2", "v1"},
		"a stored version":    {[]string{version("v1", stored, size)}, []string{version("v1", other, size), version("v2", stored, size)}, "version v2", "v1"},
		"what is stored":      {[]string{version("v1alpha1", stored, size), version("v1", other, size)}, []string{version("v1alpha1", other, size), version("v1", stored, size)}, "version v1 as the stored one", "v1"},
		"what is served":      {[]string{version("v1", stored, size), strings.Replace(version("v2", other, size), "served: true", "served: false", 1)}, []string{version("v1", stored, size), version("v2", other, size)}, "version v2 as a served one", "v1"},
		"a status":            {[]string{version("v1", stored, size)}, []string{version("v1", stored+", subresources: {status: {}}", size)}, "the status subresource of version v1", "v1"},
		"a scale":             {[]string{version("v1", stored, size)}, []string{version("v1", stored+", subresources: {scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}", size)}, "the scale subresource of version v1", "v1"},
		"a column":            {[]string{version("v1", stored, size)}, []string{version("v1", stored+", additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]", size)}, "column Size of version v1", "v1"},
		"something both ways": {[]string{version("v1", stored, size+", old: {type: string}")}, []string{version("v1", stored, size+", "+colour)}, "spec.colour in version v1", "v1"},
	} {
		for _, order := range []string{"newer first", "older first", "back from the newer"} {
			if name == "something both ways" && order != "older first" {
				continue // which of them is newer is not known
			}
			if order != "newer first" && !slices.Contains([]string{"a field", "a version", "what is stored", "something both ways"}, name) {
				continue // as with these
			}
			t.Run(name+", "+order, func(t *testing.T) {
				g := newGadgets(t)
				release := func(name string, versions []string) engine.Release {
					crd := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gadgets." + g.group + "}\nspec:\n  group: " + g.group +
						"\n  scope: Namespaced\n  names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList}\n  versions:\n  - " + strings.Join(versions, "\n  - ") + "\n"
					gadget := strings.Replace(g.gadget(c.api, ""), "{name: g}", "{name: "+name+"}", 1)
					r := g.release(g.chart(map[string]string{"crds/gadget.yaml": crd, "gadget.yaml": gadget}))
					r.Name = name
					return r
				}
				live := func() map[string]any {
					t.Helper()
					u, err := g.crds.Get(g.ctx, "gadgets."+g.group, metav1.GetOptions{})
					if err != nil {
						t.Fatal(err)
					}
					spec, _, _ := unstructured.NestedMap(u.Object, "spec")
					return spec
				}
				older, newer := release("older", c.older), release("newer", c.newer)
				switch order {
				case "newer first":
					g.deploy(newer)
				case "older first":
					g.deploy(older)
					before := live()
					g.deploy(newer)
					if fmt.Sprint(live()) == fmt.Sprint(before) {
						t.Error("the newer chart changed nothing")
					}
				case "back from the newer":
					g.deploy(release("older", c.newer))
					g.deploy(newer)
				}
				want := live()
				p := g.fixture.plan(older)
				var text strings.Builder
				if err := p.Report.WriteText(&text, diff.TextOptions{Width: 400}); err != nil {
					t.Fatal(err)
				}
				for _, s := range []string{"newer than the chart's and stays", c.says} {
					if !strings.Contains(text.String(), s) {
						t.Errorf("the plan does not say %q:\n%s", s, &text)
					}
				}
				if _, err := g.engine.Apply(g.ctx, p, engine.ApplyOptions{}); err != nil {
					t.Fatal(err)
				}
				if is := live(); fmt.Sprint(is) != fmt.Sprint(want) {
					t.Errorf("it was\n%v\nand is\n%v", want, is)
				}
				g.requests.Reset()
				for _, r := range []engine.Release{newer, older, newer} {
					g.deploy(r)
				}
				if w := g.writes(); len(w) > 0 {
					t.Errorf("wrote %v", w)
				}
				for _, r := range []engine.Release{newer, older} {
					if err := g.engine.Uninstall(g.ctx, r.Key, engine.ApplyOptions{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}
