package stack_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

// fixture is a namespace of its own on the real cluster, with an engine.
type fixture struct {
	*testing.T
	ctx       context.Context
	cluster   *testcluster.Cluster
	config    *rest.Config
	requests  *testcluster.Recorder
	client    kubernetes.Interface
	namespace string
	engine    *engine.Engine
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	cluster := testcluster.Shared(t)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	f := &fixture{T: t, ctx: ctx, cluster: cluster, namespace: cluster.Namespace(t)}
	f.config, f.requests = testcluster.Record(cluster.Config())
	f.client = kubernetes.NewForConfigOrDie(cluster.Config())
	f.engine = newEngine(t, f.config)
	return f
}

func newEngine(t testing.TB, cfg *rest.Config) *engine.Engine {
	t.Helper()
	e, err := engine.New(cfg, engine.Options{LeaseDuration: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func chart(t testing.TB, name string, templates map[string]string) *render.Chart {
	t.Helper()
	fsys := fstest.MapFS{"Chart.yaml": {Data: []byte("apiVersion: v2\nname: " + name + "\nversion: 1.0.0\n")}}
	for file, text := range templates {
		if !strings.Contains(file, "/") && file != "values.yaml" {
			file = "templates/" + file
		}
		fsys[file] = &fstest.MapFile{Data: []byte(text)}
	}
	c, err := render.LoadFS(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func values(t testing.TB, set ...string) render.Values {
	t.Helper()
	var layers []render.Layer
	for _, s := range set {
		layers = append(layers, render.FromSet(s))
	}
	v, err := render.MergeValues(layers...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// member is a release of templates in the fixture's namespace.
func (f *fixture) member(name string, templates map[string]string, set ...string) stack.Member {
	f.Helper()
	return stack.Member{Release: engine.Release{
		Key: engine.Key{Namespace: f.namespace, Name: name}, Source: chart(f, name, templates), Values: values(f, set...),
	}}
}

func (f *fixture) stack(members ...stack.Member) *stack.Stack {
	f.Helper()
	s, err := stack.New(f.namespace, f.engine, members...)
	if err != nil {
		f.Fatal(err)
	}
	return s
}

func (f *fixture) plan(s *stack.Stack) *stack.Plan {
	f.Helper()
	p, err := s.Plan(f.ctx, stack.PlanOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return p
}

func (f *fixture) apply(s *stack.Stack, p *stack.Plan) *stack.Result {
	f.Helper()
	r, err := s.Apply(f.ctx, p, stack.ApplyOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// data is that of a ConfigMap; nil if there is none.
func (f *fixture) data(name string) map[string]string {
	f.Helper()
	c, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return c.Data
}

// thingDefinition is a CustomResourceDefinition of the fixture's own group.
func (f *fixture) thingDefinition() string {
	group := f.namespace + ".example.com"
	return `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.` + group + `}
spec:
  group: ` + group + `
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}, host: {type: string}}}}}}}]
`
}

func (f *fixture) deleteNamespace(name string) {
	if err := f.client.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
		f.Log(err)
	}
}

// shown is a plan in every format.
func shown(t testing.TB, p *stack.Plan) map[string]string {
	t.Helper()
	out := map[string]string{}
	var b bytes.Buffer
	for name, write := range map[string]func() error{
		"text":     func() error { return p.WriteText(&b, diff.TextOptions{Verbose: true}) },
		"folded":   func() error { return p.WriteText(&b, diff.TextOptions{}) },
		"markdown": func() error { return p.WriteMarkdown(&b, diff.MarkdownOptions{}) },
		"html":     func() error { return p.WriteHTML(&b, diff.HTMLOptions{}) },
		"json": func() error {
			text, err := p.MarshalJSON()
			b.Write(text)
			return err
		},
	} {
		b.Reset()
		if err := write(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = b.String()
	}
	return out
}

const service = "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Release.Name }}}\nspec: {selector: {app: x}, ports: [{port: 80}]}\n"

func configMap(name, data string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata:\n" + data
}

func clusterIP(member string) stack.Output {
	return stack.Field(member, diff.Object{Version: "v1", Kind: "Service", Name: member}, "spec.clusterIP")
}
