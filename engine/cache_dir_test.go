package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// Objects of five group versions.
const cachedObjects = `apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {which: {{ .Values.which | default "first" | quote }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, labels: {which: {{ .Values.which | default "first" | quote }}}}
spec:
  replicas: 0
  selector: {matchLabels: {app: a}}
  template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: a, labels: {which: {{ .Values.which | default "first" | quote }}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a, labels: {which: {{ .Values.which | default "first" | quote }}}}
spec: {podSelector: {}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: a, labels: {which: {{ .Values.which | default "first" | quote }}}}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: a}}}
`

// planFresh plans with a new engine, and returns the report and how many requests for
// OpenAPI documents it took.
func (f *fixture) planFresh(opts engine.Options, r engine.Release) (report string, schemas, all int) {
	f.Helper()
	f.requests.Reset()
	p, err := f.newEngineWith(opts).Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(p.Report)
	if err != nil {
		f.Fatal(err)
	}
	schemas = f.requests.Count(func(r testcluster.Request) bool { return strings.HasPrefix(r.Path, "/openapi/") })
	return string(text), schemas, f.requests.Count(nil)
}

// With Options.CacheDir a new process asks for the list of OpenAPI documents instead of
// for each one, and plans the same; also where files of the cache are broken.
func TestCacheDir(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": cachedObjects})
	f.deploy(f.release(c))
	r := f.release(c, "which=second")
	cached := engine.Options{CacheDir: filepath.Join(t.TempDir(), "cache")}

	want, without, allWithout := f.planFresh(engine.Options{}, r)
	if without < 5 {
		t.Fatalf("a plan of five group versions loads %d schemas", without)
	}
	if got, n, _ := f.planFresh(cached, r); got != want || n != without {
		t.Errorf("with an empty cache %d requests for schemas, want %d; planned\n%s\nwant\n%s", n, without, got, want)
	}
	warm := func(what string) {
		t.Helper()
		if got, n, all := f.planFresh(cached, r); got != want || n != 1 || all > allWithout-without+1 {
			t.Errorf("%s: %d requests for schemas of %d, want 1 of %d; planned\n%s\nwant\n%s", what, n, all, allWithout-without+1, got, want)
		}
	}
	warm("with what the first process kept")

	files, err := filepath.Glob(filepath.Join(cached.CacheDir, "*", "*"))
	if err != nil || len(files) < 7 { // five schemas, and discovery of /api and /apis
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", file, info.Mode(), err)
		}
		if err := os.Truncate(file, 500); err != nil {
			t.Fatal(err)
		}
	}
	if got, n, _ := f.planFresh(cached, r); got != want || n < without {
		t.Errorf("with truncated files %d requests for schemas, want %d; planned\n%s\nwant\n%s", n, without, got, want)
	}
	warm("with files that were replaced")
	f.requests.Reset()
	if _, n, _ := f.planFresh(engine.Options{CacheDir: "/dev/null"}, r); n != without {
		t.Errorf("without a usable directory %d requests for schemas, want %d", n, without)
	}
}

// What others change between two processes is noticed: a definition that they install,
// and one whose schema they change.
func TestCacheDirIsNeverStale(t *testing.T) {
	g := newGadgets(t)
	c := g.chart(map[string]string{"a.yaml": "{{- if .Capabilities.APIVersions.Has \"" + g.group + "/v1/Gadget\" }}\n" + g.gadget("v1", " {{ .Values.spec }} ") + "{{- end }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"})
	cached := engine.Options{CacheDir: t.TempDir()}
	g.planFresh(cached, g.release(c, "spec=size: 1")) // the first process

	// same awaits that the API server serves what was changed, by a process without
	// a cache, and compares one with the cache.
	same := func(r engine.Release, shows string) {
		t.Helper()
		var want string
		testcluster.Eventually(t, time.Minute, func(context.Context) error {
			if want, _, _ = g.planFresh(engine.Options{}, r); !strings.Contains(want, shows) {
				return fmt.Errorf("a plan does not show %s: %s", shows, want)
			}
			return nil
		})
		if got, _, _ := g.planFresh(cached, r); got != want {
			t.Errorf("planned\n%s\nwant\n%s", got, want)
		}
	}
	change := func(fields ...string) {
		t.Helper()
		var crd unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(g.definition([]string{"v1"}, fields...)), &crd.Object); err != nil {
			t.Fatal(err)
		}
		if _, err := g.crds.Apply(g.ctx, crd.GetName(), &crd, metav1.ApplyOptions{FieldManager: "others"}); err != nil {
			t.Fatal(err)
		}
	}
	change("size: {type: integer}")
	same(g.release(c, "spec=size: 1"), "Gadget")
	g.deploy(g.release(c, "spec=size: 1"))
	g.planFresh(cached, g.release(c, "spec=size: 2")) // keeps the schema
	change("size: {type: integer}", "colour: {type: string, default: red}")
	same(g.release(c, "spec=size: 2"), "red")
}

// An engine of a getter uses the discovery that the getter has read.
func TestNewFromGetterUsesCachedDiscovery(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"a.yaml": cachedObjects}))
	g := getterOf{config: f.config}
	g.known = memory.NewMemCacheClient(discovery.NewDiscoveryClientForConfigOrDie(f.cluster.Config()))
	discovered := func(opts engine.Options) int {
		t.Helper()
		e, err := engine.NewFromGetter(g, opts)
		if err != nil {
			t.Fatal(err)
		}
		f.requests.Reset()
		if _, err := e.Plan(f.ctx, r, engine.PlanOptions{}); err != nil {
			t.Fatal(err)
		}
		return f.requests.Count(func(r testcluster.Request) bool { return r.Path == "/api" || r.Path == "/apis" })
	}
	if n := discovered(engine.Options{}); n != 0 {
		t.Errorf("%d requests for discovery beside the getter's", n)
	}
	if n := discovered(engine.Options{CacheDir: t.TempDir()}); n == 0 {
		t.Error("with CacheDir the getter's discovery is used")
	}
}

type getterOf struct {
	genericclioptions.RESTClientGetter
	config *rest.Config
	known  discovery.CachedDiscoveryInterface
}

func (g getterOf) ToRESTConfig() (*rest.Config, error) { return g.config, nil }

func (g getterOf) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.known, nil
}
