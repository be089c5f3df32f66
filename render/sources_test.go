package render

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// files makes a file system of a txtar text.
func files(t testing.TB, text string) fs.FS {
	t.Helper()
	fsys, err := txtar.FS(txtar.Parse([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

func loadText(t testing.TB, text string) *Chart {
	t.Helper()
	c, err := LoadFS(files(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const chartYAML = "-- Chart.yaml --\napiVersion: v2\nname: web\nversion: 1.2.3\n"

const twoObjects = chartYAML + `
-- values.yaml --
image: web:1.0
-- templates/web.yaml --
apiVersion: v1
kind: Service
metadata: {name: web} # kept as it is
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - {name: web, image: "{{ .Values.image }}"}
`

func TestKustomizeOverChart(t *testing.T) {
	overlay := files(t, `
-- base/config.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {replicas: "2"}
-- prod/kustomization.yaml --
resources: [../base/config.yaml]
patches:
- target: {kind: Deployment}
  patch: |
    - op: add
      path: /spec/replicas
      value: 5
images:
- {name: web, newTag: "2.0"}
`)
	m, err := loadText(t, twoObjects).Render(t.Context(), Input{Name: "demo", PostRender: []PostRenderer{Kustomize(overlay, "prod")}})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := m.WriteYAML(&b); err != nil {
		t.Fatal(err)
	}
	want := `---
# Source: prod/kustomization.yaml
apiVersion: v1
data:
  replicas: "2"
kind: ConfigMap
metadata:
  name: extra
---
# Source: web/templates/web.yaml
apiVersion: v1
kind: Service
metadata: {name: web} # kept as it is
---
# Source: web/templates/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 5
  template:
    spec:
      containers:
      - image: web:2.0
        name: web
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

func TestKustomizationAsSource(t *testing.T) {
	k, err := LoadKustomization(files(t, `
-- app/kustomization.yaml --
namePrefix: my-
configMapGenerator:
- {name: settings, literals: ["url=https://example.com/x"]}
generatorOptions: {disableNameSuffixHash: true}
commonAnnotations: {docs: "https://example.com"}
`), "app")
	if err != nil {
		t.Fatal(err)
	}
	m, err := k.Render(t.Context(), Input{Name: "demo", Namespace: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Objects) != 1 || m.Objects[0].ID() != "ConfigMap my-settings" {
		t.Errorf("objects %v", m.Objects)
	}
	if m.Chart.Name != "app" || m.Chart.Digest == "" {
		t.Errorf("chart %s, digest %q", m.Chart.Name, m.Chart.Digest)
	}
	values, err := MergeValues(FromSet("a=1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Render(t.Context(), Input{Name: "demo", Values: values}); err == nil {
		t.Error("values are taken and not used")
	}
}

// Nothing outside of the file system is reached: each of these is refused
// before kustomize sees it, or by kustomize.
func TestKustomizationsStayInside(t *testing.T) {
	for name, text := range map[string]string{
		"https file":      "resources: [https://example.com/x.yaml]",
		"github shortcut": "resources: [github.com/org/repo]",
		"github scp":      "bases: ['GitHub.com:org/repo']",
		"git user":        "resources: ['git@example.com:org/repo.git']",
		"git prefix":      "components: ['git::https://example.com/org/repo']",
		"ssh":             "resources: ['ssh://example.com/org/repo']",
		"file scheme":     "resources: ['file:///etc//x']",
		"generator file":  "configMapGenerator:\n- {name: x, files: ['a=https://example.com/x']}",
		"crds":            "crds: [http://example.com/x]",
		"openapi":         "openapi: {path: 'http://example.com/x'}",
		"patch":           "patches:\n- {path: 'http://example.com/x'}",
		"replacement":     "replacements:\n- {path: 'HTTP://example.com/x'}",
		"inline":          "transformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: x}\n  path: http://example.com/x\n",
		"transformer":     "transformers: [t.yaml]\n-- t.yaml --\napiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npath: http://example.com/x\n",
		"another case":    "Resources: [https://example.com/x]",
		"in a list":       "transformers: [t.yaml]\n-- t.yaml --\napiVersion: v1\nkind: List\nitems:\n- apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: x}\n  path: http://example.com/x\n",
		"escaped":         "transformers: [t.yaml]\n-- t.yaml --\napiVersion: \"\\u0062uiltin\"\nkind: PatchTransformer\nmetadata: {name: x}\npath: http://example.com/x\n",
		"below":           "resources: [sub]\n-- sub/kustomization.yml --\nresources: [https://example.com/x]\n",
		"helm":            "helmCharts:\n- {name: x, repo: 'https://example.com', version: 1.0.0}",
		"container":       "transformers: [t.yaml]\n-- t.yaml --\napiVersion: x/v1\nkind: Fn\nmetadata:\n  name: x\n  annotations:\n    config.kubernetes.io/function: 'container: {image: x}'\n",
		"exec":            "generators: [t.yaml]\n-- t.yaml --\napiVersion: x/v1\nkind: Fn\nmetadata:\n  name: x\n  annotations:\n    config.kubernetes.io/function: 'exec: {path: ./x}'\n",
		"plugin":          "generators: [t.yaml]\n-- t.yaml --\napiVersion: x/v1\nkind: Fn\nmetadata: {name: x}\n",
		"parent":          "resources: [../../etc/passwd]",
		"absolute":        "resources: [/etc/passwd]",
	} {
		t.Run(name, func(t *testing.T) {
			k, err := LoadKustomization(files(t, "-- kustomization.yaml --\n"+text), ".")
			if err == nil {
				_, err = k.Render(t.Context(), Input{Name: "demo"})
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			var remote *RemoteError
			if !errors.As(err, &remote) && strings.Contains(text, "://example.com/x") {
				t.Errorf("not refused as remote: %v", err)
			}
		})
	}
}

func TestManifestsAsSource(t *testing.T) {
	m, err := LoadManifests(files(t, `
-- README.md --
no manifest
-- b/job.yml --
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-5"}}
-- a.json --
{"apiVersion": "v1", "kind": "List", "items": [
  {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}},
  {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}]}
-- c.yaml --
# nothing but a comment
---
apiVersion: v1
kind: Namespace
metadata: {name: ns}
`))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := m.Render(t.Context(), Input{Name: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, o := range manifest.Objects {
		ids = append(ids, o.Source+" "+o.ID())
	}
	if got := strings.Join(ids, ", "); got != "c.yaml Namespace ns, a.json ConfigMap c, a.json Service s" {
		t.Error(got)
	}
	if len(manifest.Hooks) != 1 || manifest.Hooks[0].Weight != -5 || !manifest.Hooks[0].On(HookPreUpgrade) || !manifest.Hooks[0].Deletes(HookBeforeHookCreation) {
		t.Errorf("hooks %+v", manifest.Hooks)
	}
}
