package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// gadgets is a definition whose versions and fields change.
type gadgets struct {
	*fixture
	group string
	crds  dynamic.NamespaceableResourceInterface
}

func newGadgets(t *testing.T) *gadgets {
	f := newFixture(t)
	client := dynamic.NewForConfigOrDie(f.cluster.Config())
	g := &gadgets{f, f.namespace + ".example.com", client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})}
	t.Cleanup(func() {
		if err := g.crds.Delete(context.Background(), "gadgets."+g.group, metav1.DeleteOptions{}); err != nil {
			t.Log(err)
		}
	})
	return g
}

// definition returns a definition with versions, the last of which is stored,
// and with fields of spec such as "size: {type: integer}".
func (g *gadgets) definition(versions []string, fields ...string) string {
	var b strings.Builder
	b.WriteString("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gadgets." + g.group + "}\nspec:\n" +
		"  group: " + g.group + "\n  scope: Namespaced\n  names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList}\n  versions:\n")
	for i, v := range versions {
		stored := "false"
		if i == len(versions)-1 {
			stored = "true"
		}
		b.WriteString("  - {name: " + v + ", served: true, storage: " + stored +
			", schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {" + strings.Join(fields, ", ") + "}}}}}}\n")
	}
	return b.String()
}

func (g *gadgets) gadget(version, spec string) string {
	return "apiVersion: " + g.group + "/" + version + "\nkind: Gadget\nmetadata: {name: g}\nspec: {" + spec + "}\n"
}

func (g *gadgets) live(version string) *unstructured.Unstructured {
	g.Helper()
	client := dynamic.NewForConfigOrDie(g.cluster.Config())
	u, err := client.Resource(schema.GroupVersionResource{Group: g.group, Version: version, Resource: "gadgets"}).
		Namespace(g.namespace).Get(g.ctx, "g", metav1.GetOptions{})
	if err != nil {
		g.Fatal(err)
	}
	return u
}

// refused checks that a deploy is refused by one problem of a definition.
func (g *gadgets) refused(e *engine.Engine, r engine.Release, want ...string) {
	g.Helper()
	g.requests.Reset()
	_, err := e.Deploy(g.ctx, r, engine.ApplyOptions{})
	var problems *engine.ProblemsError
	if !errors.As(err, &problems) || len(problems.Problems) != 1 || problems.Problems[0].Kind != engine.ProblemDefinition {
		g.Fatalf("returned %v, want one problem of a definition", err)
	}
	for _, w := range want {
		if text := problems.Problems[0].Error(); !strings.Contains(text, w) {
			g.Errorf("the problem says %q, not %q", text, w)
		}
	}
	if w := g.writes(); len(w) > 0 {
		g.Errorf("wrote %v", w)
	}
}

const (
	size   = "size: {type: integer}"
	colour = "colour: {type: string}"
)

func TestDefinitionsChange(t *testing.T) {
	g := newGadgets(t)
	chart := func(crd, gadget string) engine.Release {
		return g.release(g.chart(map[string]string{"crds/gadget.yaml": crd, "gadget.yaml": gadget}))
	}
	old, short := g.definition([]string{"v1"}, size), g.definition([]string{"v1"}, colour)
	g.deploy(chart(old, g.gadget("v1", "size: 1")))

	// One more field, used at once.
	both := g.definition([]string{"v1"}, size, colour)
	g.deploy(chart(both, g.gadget("v1", "size: 1, colour: red")))
	if got, _, _ := unstructured.NestedString(g.live("v1").Object, "spec", "colour"); got != "red" {
		t.Errorf("colour is %q", got)
	}
	g.deploy(chart(both, g.gadget("v1", "size: 1, colour: red")))
	g.wantHistory("1 superseded", "2 deployed")

	// One field less, which an object sets; then the object no longer does.
	g.refused(g.engine, chart(short, g.gadget("v1", "size: 1, colour: red")), "version v1", "spec.size", "Gadget "+g.namespace+"/g")
	g.deploy(chart(short, g.gadget("v1", "colour: red")))
	if _, there, _ := unstructured.NestedFieldNoCopy(g.live("v1").Object, "spec", "size"); there {
		t.Error("the field is still there")
	}
	narrow := g.definition([]string{"v1"}, "colour: {type: string, enum: [blue]}")
	g.refused(g.engine, chart(narrow, g.gadget("v1", "colour: red")), "spec.colour")
	g.deploy(chart(narrow, g.gadget("v1", "colour: blue")))

	// One more version, in which the object is stored; then the old one is removed.
	g.deploy(chart(g.definition([]string{"v1", "v2"}, colour), g.gadget("v1", "colour: red")))
	two := g.definition([]string{"v1", "v2", "v3"}, colour)
	p, err := g.engine.Plan(g.ctx, chart(two, g.gadget("v3", "colour: green")), engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Report.Changes {
		if c.Action != diff.Updated {
			t.Errorf("%s is planned as %s, want it updated", c.Object, c.Action)
		}
	}
	if _, err := g.engine.Apply(g.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := unstructured.NestedString(g.live("v3").Object, "spec", "colour"); got != "green" {
		t.Errorf("colour is %q in v3", got)
	}
	g.refused(g.engine, chart(g.definition([]string{"v2", "v3"}, colour), g.gadget("v3", "colour: green")), "stored in version v1")
}

func TestDefinitionPolicies(t *testing.T) {
	g := newGadgets(t)
	with := func(policy engine.CRDPolicy) *engine.Engine {
		e, err := engine.New(g.config, engine.Options{CRDs: policy})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	chart := func(crd, gadget string) engine.Release {
		return g.release(g.chart(map[string]string{"crds/gadget.yaml": crd, "gadget.yaml": gadget}))
	}
	old := g.definition([]string{"v1"}, size, colour)
	deploy := func(e *engine.Engine, r engine.Release) error {
		_, err := e.Deploy(g.ctx, r, engine.ApplyOptions{})
		return err
	}
	if err := deploy(with(engine.CRDsSkip), chart(old, g.gadget("v1", "size: 1"))); !errors.Is(err, engine.ErrUnknownKind) {
		t.Errorf("without its definition: %v", err)
	}
	if err := deploy(with(engine.CRDsCreate), chart(old, g.gadget("v1", "size: 1"))); err != nil {
		t.Fatal(err)
	}
	short := g.definition([]string{"v1", "v2"}, colour)
	if err := deploy(with(engine.CRDsCreate), chart(short, g.gadget("v1", "size: 2"))); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := unstructured.NestedInt64(g.live("v1").Object, "spec", "size"); got != 2 {
		t.Errorf("size is %d: the definition was not left as it is", got)
	}
	err := deploy(with(engine.CRDsCreate), chart(short, g.gadget("v2", "colour: red")))
	if !errors.Is(err, engine.ErrUnknownKind) || !strings.Contains(err.Error(), "Options.CRDs") {
		t.Errorf("a version that the live definition does not have: %v", err)
	}
	g.refused(with(engine.CRDsCompatible), chart(short, g.gadget("v1", "size: 2")), "spec.size")
	if err := deploy(with(engine.CRDsUnsafeAll), chart(short, g.gadget("v1", "colour: red"))); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.New(g.config, engine.Options{CRDs: "all"}); err == nil {
		t.Error("an unknown policy is taken")
	}
}
