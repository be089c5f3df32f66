package engine_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

func TestMain(m *testing.M) {
	if task := os.Getenv(killChild); task != "" {
		killMain(task)
	}
	testcluster.Main(m)
}

// fixture is a namespace of its own on the real cluster, with an engine and its
// events.
type fixture struct {
	*testing.T
	ctx       context.Context
	cluster   *testcluster.Cluster
	config    *rest.Config
	client    kubernetes.Interface
	namespace string
	requests  *testcluster.Recorder
	engine    *engine.Engine
	key       engine.Key
	events    *eventList
}

// eventList collects events.
type eventList struct {
	mu     sync.Mutex
	events []engine.Event
}

func (t *eventList) add(e engine.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
}

func (t *eventList) take() []engine.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.events
	t.events = nil
	return out
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	return newFixtureAlone(t)
}

// newFixtureAlone is for a test that counts what the whole process does, and so
// does not run in parallel.
func newFixtureAlone(t *testing.T) *fixture {
	t.Helper()
	cluster := testcluster.Shared(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	f := &fixture{T: t, ctx: ctx, cluster: cluster, namespace: cluster.Namespace(t), events: &eventList{}}
	f.key = engine.Key{Namespace: f.namespace, Name: "shop"}
	f.config, f.requests = testcluster.Record(cluster.Config())
	f.client = kubernetes.NewForConfigOrDie(cluster.Config())
	f.engine = f.newEngine(f.config)
	return f
}

func (f *fixture) newEngine(cfg *rest.Config) *engine.Engine {
	f.Helper()
	e, err := engine.New(cfg, engine.Options{OnEvent: f.events.add, LeaseDuration: 3 * time.Second})
	if err != nil {
		f.Fatal(err)
	}
	return e
}

// chart returns a chart named "shop" of template files, by name without folder.
func (f *fixture) chart(templates map[string]string) *render.Chart {
	f.Helper()
	return loadChart(f, "1.0.0", templates)
}

func loadChart(t testing.TB, version string, templates map[string]string) *render.Chart {
	t.Helper()
	fsys := fstest.MapFS{"Chart.yaml": {Data: []byte("apiVersion: v2\nname: shop\nversion: " + version + "\n")}}
	for name, text := range templates {
		if !strings.Contains(name, "/") && name != "values.yaml" && name != "values.schema.json" {
			name = "templates/" + name
		}
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	c, err := render.LoadFS(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fixture) release(c engine.Source, set ...string) engine.Release {
	f.Helper()
	var layers []render.Layer
	for _, s := range set {
		layers = append(layers, render.FromSet(s))
	}
	values, err := render.MergeValues(layers...)
	if err != nil {
		f.Fatal(err)
	}
	return engine.Release{Key: f.key, Source: c, Values: values}
}

func (f *fixture) deploy(r engine.Release) *engine.Revision {
	f.Helper()
	rev, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return rev
}

// writes returns the writes since the last reset, without dry-runs.
func (f *fixture) writes() []string {
	var out []string
	for _, r := range f.requests.Requests() {
		if r.Write() && !r.DryRun() {
			out = append(out, r.String())
		}
	}
	return out
}

func (f *fixture) wantHistory(want ...string) {
	f.Helper()
	revisions, err := f.engine.History(f.ctx, f.key)
	if err != nil {
		f.Fatal(err)
	}
	var got []string
	for _, r := range revisions {
		got = append(got, fmt.Sprintf("%d %s", r.Revision, r.Status))
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		f.Errorf("history is %v, want %v", got, want)
	}
}

const configMap = `
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-config}
data: {colour: {{ .Values.colour | default "green" | quote }}}
`

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {app: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas | default 2 }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
      annotations: {{ .Values.podAnnotations | default dict | toJson }}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: web
        image: shop:{{ .Values.tag | default "1.0" }}
        ports: [{containerPort: 8080}]
`
