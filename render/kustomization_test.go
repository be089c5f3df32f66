package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// overlaid renders the chart of two objects with an overlay over it.
func overlaid(t *testing.T, overlay string) map[string]Object {
	t.Helper()
	m, err := loadText(t, overlayChart).Render(t.Context(), Input{Name: "demo", PostRender: []PostRenderer{Kustomize(files(t, overlay), ".")}})
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]Object{}
	for _, o := range m.Objects {
		objects[o.GetKind()] = o
	}
	return objects
}

const overlayChart = chartYAML + `
-- templates/web.yaml --
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1.0
        env: [{name: A, value: b}]
        envFrom: [{configMapRef: {name: settings}}]
      - {name: log, image: log:1.0}
`

// What overlays do to a rendered chart, with what must hold afterwards: paths of
// the objects and their values.
func TestOverlays(t *testing.T) {
	for name, c := range map[string]struct {
		overlay string
		want    map[string]string
	}{
		"strategic patch": {
			"-- kustomization.yaml --\npatches: [{path: p.yaml}]\n-- p.yaml --\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        env: [{name: C, value: d}]\n      - {name: log, $patch: delete}\n",
			map[string]string{"Deployment spec template spec containers": `[map[env:[map[name:C value:d] map[name:A value:b]] envFrom:[map[configMapRef:map[name:settings]]] image:web:1.0 name:web]]`},
		},
		"JSON patch": {
			"-- kustomization.yaml --\npatches:\n- target: {kind: Service}\n  patch: |\n    - {op: add, path: /spec/type, value: NodePort}\n    - {op: remove, path: /spec/selector}\n",
			map[string]string{"Service spec": `map[type:NodePort]`},
		},
		"old fields": {
			"-- kustomization.yaml --\npatchesStrategicMerge:\n- |-\n  apiVersion: v1\n  kind: Service\n  metadata: {name: web}\n  spec: {type: NodePort}\npatchesJson6902:\n- target: {version: v1, kind: Service, name: web}\n  path: p.json\ncommonLabels: {team: a}\n-- p.json --\n[{\"op\": \"add\", \"path\": \"/spec/clusterIP\", \"value\": \"None\"}]\n",
			map[string]string{"Service spec": `map[clusterIP:None selector:map[app:web team:a] type:NodePort]`},
		},
		"images": {
			"-- kustomization.yaml --\nimages: [{name: log, newName: r.example.com/log, digest: 'sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3'}, {name: web, newTag: '2'}]\n",
			map[string]string{"Deployment spec template spec containers": `[map[env:[map[name:A value:b]] envFrom:[map[configMapRef:map[name:settings]]] image:web:2 name:web] map[image:r.example.com/log@sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3 name:log]]`},
		},
		"prefix": {
			"-- kustomization.yaml --\nnamePrefix: my-\nnameSuffix: -x\nnamespace: there\n",
			map[string]string{"Deployment metadata name": "my-web-x", "Service metadata name": "my-web-x", "Service metadata namespace": "there"},
		},
		"labels": {
			"-- kustomization.yaml --\nlabels:\n- {pairs: {team: a}}\n- {pairs: {tier: b}, includeSelectors: true}\n- {pairs: {c: d}, includeTemplates: true}\n",
			map[string]string{
				"Deployment metadata labels": "map[app:web c:d team:a tier:b]", "Deployment spec selector matchLabels": "map[app:web tier:b]",
				"Deployment spec template metadata labels": "map[app:web c:d tier:b]", "Service spec selector": "map[app:web tier:b]",
			},
		},
		"replacement": {
			"-- kustomization.yaml --\nreplacements: [{path: r.yaml}]\n-- r.yaml --\n- source: {kind: Deployment, name: web, fieldPath: 'spec.template.spec.containers.[name=log].image', options: {delimiter: ':', index: 1}}\n  targets:\n  - select: {kind: Service}\n    fieldPaths: [metadata.annotations.log]\n    options: {create: true}\n",
			map[string]string{"Service metadata annotations": "map[log:1.0]"},
		},
		"component": {
			"-- kustomization.yaml --\ncomponents: [part]\n-- part/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: ../p.yaml}]\n-- p.yaml --\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n",
			map[string]string{"Deployment spec replicas": "3"},
		},
		"generated settings": {
			"-- kustomization.yaml --\nconfigMapGenerator:\n- {name: settings, files: [a.conf, key=conf/b.conf], envs: [e.env]}\n-- a.conf --\na\n-- conf/b.conf --\nb\n-- e.env --\nE=f\n",
			map[string]string{
				"ConfigMap metadata name": "settings-c9gfm5m982", "ConfigMap data": "map[E:f a.conf:a\n key:b\n]",
				"Deployment spec template spec containers": `[map[env:[map[name:A value:b]] envFrom:[map[configMapRef:map[name:settings-c9gfm5m982]]] image:web:1.0 name:web] map[image:log:1.0 name:log]]`,
			},
		},
		"transformers": {
			"-- kustomization.yaml --\ntransformers: [t.conf, dir, \"apiVersion: builtin\\nkind: PrefixTransformer\\nmetadata: {name: p}\\nprefix: a-\\nfieldSpecs: [{path: metadata/name}]\"]\n-- t.conf --\napiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {name: x}\nannotations: {docs: 'https://example.com'}\nfieldSpecs: [{path: metadata/annotations, create: true}]\n-- dir/kustomization.yaml --\nresources: [n.yaml]\n-- dir/n.yaml --\napiVersion: builtin\nkind: NamespaceTransformer\nmetadata: {name: n, namespace: there}\nfieldSpecs: [{path: metadata/namespace, create: true}]\n",
			map[string]string{"Service metadata annotations": "map[docs:https://example.com]", "Service metadata namespace": "there", "Service metadata name": "a-web"},
		},
		"base below": {
			"-- kustomization.yaml --\nresources: [base, x.yaml]\nnamePrefix: my-\n-- x.yaml --\napiVersion: v1\nkind: Secret\nmetadata: {name: x}\n-- base/kustomization.yaml --\nbases: [../deeper]\nnameSuffix: -s\n-- deeper/kustomization.yaml --\nresources: [a.yaml]\n-- deeper/a.yaml --\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n",
			map[string]string{"ServiceAccount metadata name": "my-a-s", "Secret metadata name": "my-x", "Service metadata name": "my-web"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			objects := overlaid(t, c.overlay)
			for at, want := range c.want {
				parts := strings.Fields(at)
				o, ok := objects[parts[0]]
				if !ok {
					t.Errorf("no %s", parts[0])
					continue
				}
				got, _, err := unstructured.NestedFieldNoCopy(o.Object, parts[1:]...)
				if err != nil || fmt.Sprint(got) != want {
					t.Errorf("%s is %v, want %s (%v)", at, got, want, err)
				}
			}
		})
	}
}

// Configurations of generators, transformers and validators are known before
// kustomize runs: nothing can change them, run something or be read past.
func TestHostileKustomizations(t *testing.T) {
	const fn = "apiVersion: x/v1\nkind: Fn\nmetadata:\n  name: x\n  annotations:\n    config.kubernetes.io/function: '%s'\n"
	long := func(n int, line string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	objects := "-- x.yaml --\n" + long(1000, "---\napiVersion: v1\nkind: A\nmetadata: {name: a%d}\n")
	doubling := "-- kustomization.yaml --\nresources: [a18, b18]\n"
	for i := 1; i <= 18; i++ {
		for _, side := range []string{"a", "b"} {
			doubling += fmt.Sprintf("-- %s%d/kustomization.yaml --\nnamePrefix: %s-\nresources: [../a%d, ../b%d]\n", side, i, side, i-1, i-1)
		}
	}
	doubling += "-- a0/kustomization.yaml --\nnamePrefix: x\n-- b0/kustomization.yaml --\nconfigMapGenerator: [{name: x}]\n"
	for name, c := range map[string]struct {
		text, says string
		limit      string
	}{
		"container":            {text: "transformers: [t.yaml]\n-- t.yaml --\n" + fmt.Sprintf(fn, "container: {image: x}"), says: "asks to run a function"},
		"exec":                 {text: "generators: [t.txt]\n-- t.txt --\n" + fmt.Sprintf(fn, "exec: {path: ./x}"), says: "asks to run a function"},
		"function in builtin":  {text: "validators: [t.yaml]\n-- t.yaml --\n" + strings.Replace(fmt.Sprintf(fn, "x"), "x/v1", "builtin", 1), says: "asks to run a function"},
		"old annotation":       {text: "transformers: [t.yaml]\n-- t.yaml --\n" + strings.Replace(fmt.Sprintf(fn, "x"), "kubernetes", "k8s", 1), says: "asks to run a function"},
		"plugin in place":      {text: "generators:\n- |-\n  apiVersion: x/v1\n  kind: Fn\n  metadata: {name: x}\n", says: "is a plugin"},
		"charts":               {text: "generators: [t.yaml]\n-- t.yaml --\napiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\nname: x\n", says: "is a plugin"},
		"patched in a folder":  {text: "transformers: [dir]\n-- dir/kustomization.yaml --\nresources: [t.yaml]\npatches:\n- {target: {kind: PatchTransformer}, patch: '[{op: add, path: /path, value: \"http://example.com/x\"}]'}\n-- dir/t.yaml --\napiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\n", says: "may have nothing but resources"},
		"generated":            {text: "transformers: [dir]\n-- dir/kustomization.yaml --\ngenerators: [../g.yaml]\n-- g.yaml --\n", says: "may have nothing but resources"},
		"deeper folder":        {text: "transformers: [dir]\n-- dir/kustomization.yaml --\nresources: [../b]\n-- b/kustomization.yaml --\nresources: [f.yaml]\n-- b/f.yaml --\n" + fmt.Sprintf(fn, "x"), says: "asks to run a function"},
		"any ending":           {text: "transformers: [t.conf]\n-- t.conf --\napiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npath: http://example.com/x\n", says: "refers to http://example.com/x"},
		"second document":      {text: "transformers: [t.yaml]\n-- t.yaml --\napiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npatch: x\n--- # c\napiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: y}\nPATH: http://example.com/x\n", says: "refers to http://example.com/x"},
		"broken configuration": {text: "transformers: [t.yaml]\n-- t.yaml --\na: [\n", says: "MalformedYAMLError"},
		"broken resource":      {text: "resources: [t.yaml]\n-- t.yaml --\na: [\n", says: "MalformedYAMLError"},
		"broken base":          {text: "resources: [b]\n-- b/kustomization.yaml --\na: [\n", says: "invalid Kustomization"},
		"unknown field":        {text: "resource: [b]\n", says: `unknown field "resource"`},
		"letters that fold":    {text: "resources: [g\u0130thub.com/org/repo]\n-- g\u0130thub.com/org/repo/kustomization.yaml --\nnamePrefix: x\n", says: "which is not in the file system"},
		"repository by name":   {text: "resources: [github.com/org/repo]\n-- github.com/org/repo/kustomization.yaml --\nnamePrefix: x\n", says: "which is not in the file system"},
		"line's end":           {text: "resources: [\"https://example.com/x\\n\"]", says: "which is not in the file system"},
		"password":             {text: "resources: ['https://u:hidden@example.com/x']", says: "refers to https://…@example.com/x"},
		"nothing there":        {text: "resources: [x.yaml]", says: `"x.yaml" leads to nothing`},
		"above":                {text: "configMapGenerator: [{name: x, files: [a=../x]}]", says: `"../x" leads out of`},
		"absolute":             {text: "patches: [{path: /x}]\n", says: `"/x" is not a relative path`},
		"helm":                 {text: "helmCharts: [{name: x}]", says: "helmCharts are not rendered"},
		"circle":               {text: "resources: [a]\n-- a/kustomization.yaml --\nresources: [../b]\n-- b/kustomization.yaml --\nresources: [../a]\n", says: "a is reached from itself: ., a, b, a"},
		"itself":               {text: "resources: [a]\n-- a/kustomization.yaml --\nresources: [.]\n", says: "a is reached from itself"},
		"circle of plugins":    {text: "transformers: [a]\n-- a/kustomization.yaml --\nresources: [../a]\n", says: "a is reached from itself"},
		"two files":            {text: "namePrefix: x\n-- Kustomization --\nnamePrefix: x\n", says: "both kustomization.yaml and Kustomization"},
		"aliases":              {text: "resources: [x.txt]\n-- x.txt --\n" + aliasBomb(), limit: "MemoryBytes"},
		"aliases in a patch":   {text: "patches:\n- patch: |\n    " + strings.ReplaceAll(aliasBomb(), "\n", "\n    "), limit: "MemoryBytes"},
		"aliases in place":     {text: "transformers:\n- |\n  " + strings.ReplaceAll(aliasBomb(), "\n", "\n  "), limit: "MemoryBytes"},
		"aliases at the top":   {text: aliasBomb(), limit: "MemoryBytes"},
		"endless alias":        {text: "resources: [x.yaml]\n-- x.yaml --\na: &a [*a]\n", limit: "DocumentDepth"},
		"endless alias at top": {text: "metadata: &a {x: *a}\n", limit: "DocumentDepth"},
		"images":               {text: "resources: [x.yaml]\nimages:\n" + long(20_000, "- {name: i%d, newTag: x}\n") + objects, limit: "Steps"},
		"images of a component": {text: "resources: [x.yaml]\ncomponents: [c]\n" + objects + "-- c/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n" +
			long(20_000, "- {name: i%d, newTag: x}\n"), limit: "Steps"},
		"labels":         {text: "resources: [x.yaml]\nlabels:\n" + long(2_000, "- {pairs: {a%d: b}}\n") + objects, limit: "ResultBytes"},
		"annotations":    {text: "resources: [x.yaml]\ncommonAnnotations:\n  a: " + strings.Repeat("x", 500_000) + "\n" + objects, limit: "ResultBytes"},
		"replacements":   {text: "resources: [x.yaml]\nreplacements:\n" + long(2_000, "- {source: {kind: A, name: a1}, targets: [{select: {kind: A}, fieldPaths: [metadata.labels.a%d]}]}\n") + objects, limit: "Steps"},
		"replicas":       {text: "resources: [x.yaml]\nreplicas:\n" + long(20_000, "- {name: a%d, count: 2}\n") + objects, limit: "Steps"},
		"configurations": {text: "resources: [x.yaml]\nconfigurations: [c.yaml]\n" + objects + "-- c.yaml --\nnamePrefix:\n" + long(20_000, "- {path: spec/a%d}\n"), limit: "Steps"},
		"transformers":   {text: "resources: [x.yaml]\ntransformers: [t.yaml]\n" + objects + "-- t.yaml --\napiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: x}\nlabels:\n" + long(2_000, "  a%d: b\n"), limit: "Steps"},
		"patches":        {text: "resources: [x.yaml]\npatches:\n- target: {kind: A}\n  patch: |\n    apiVersion: v1\n    kind: A\n    metadata: {name: x}\n    data:\n" + long(2_000, "      k%d: v\n") + objects, limit: "ResultBytes"},
		"long prefix":    {text: "resources: [x.yaml]\nnamePrefix: " + strings.Repeat("x", 500_000) + "\n" + objects, says: "too long"},
		"deep":           {text: "resources: [x.yaml]\n-- x.yaml --\napiVersion: v1\nkind: A\nmetadata: {name: a}\na: " + strings.Repeat("{a: ", 9_000) + strings.Repeat("}", 9_000) + "\n", limit: "DocumentDepth"},
		"many deep": {text: "resources: [x.yaml]\n-- x.yaml --\n" +
			long(20, "---\napiVersion: v1\nkind: A\nmetadata: {name: a%d}\na: "+strings.Repeat("{a: ", 500)+strings.Repeat("}", 500)+"\n"), limit: "Steps"},
		"doubling":       {text: strings.TrimPrefix(doubling, "-- kustomization.yaml --\n"), limit: "Steps"},
		"many objects":   {text: "resources: [x.yaml]\n-- x.yaml --\n" + long(3000, "---\napiVersion: v1\nkind: A\nmetadata: {name: a%d}\n"), limit: "Steps"},
		"a list of many": {text: "resources: [x.yaml]\n-- x.yaml --\napiVersion: v1\nkind: List\nitems:\n" + long(3000, "- {apiVersion: v1, kind: A, metadata: {name: a%d}}\n"), limit: "Steps"},
		"many keys":      {text: "resources: [x.yaml]\n-- x.yaml --\napiVersion: v1\nkind: A\nmetadata: {name: a}\ndata:\n" + long(40_000, "  k%d: v\n"), limit: "Steps"},
		"dense":          {text: "resources: [x.yaml]\n-- x.yaml --\napiVersion: v1\nkind: A\nmetadata: {name: a}\ndata: [" + strings.Repeat("a,", 400_000) + "]\n", limit: "MemoryBytes"},
		"large":          {text: "configMapGenerator:\n- {name: x, files: [a=x, b=x, c=x, d=x, e=x]}\n-- x --\n" + strings.Repeat("a", 4<<20), limit: "ResultBytes"},
	} {
		t.Run(name, func(t *testing.T) {
			bounded(t, c.limit, func() error {
				k, err := LoadKustomization(files(t, "-- kustomization.yaml --\n"+c.text), ".")
				if err == nil {
					_, err = k.Render(t.Context(), Input{Name: "demo"})
				}
				if err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v does not say %q", err, c.says)
				}
				if err != nil && strings.Contains(err.Error(), "hidden") {
					t.Errorf("it tells the password: %v", err)
				}
				return err
			})
		})
	}
}

func TestKustomizationLinks(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "x.yaml")
	if err := errors.Join(
		os.WriteFile(outside, []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte("resources: [x.yaml]\n"), 0o600),
		os.Symlink(outside, filepath.Join(dir, "x.yaml")),
	); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if _, err := LoadKustomization(os.DirFS(dir), "."); !errors.As(err, &e) || e.File != "x.yaml" || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
}

// remotes returns references from a map, and counts.
type remotes struct {
	of    map[string]fs.FS
	asked []string
}

func (r *remotes) load(_ context.Context, ref string) (fs.FS, string, error) {
	r.asked = append(r.asked, ref)
	ref, inside, _ := strings.Cut(ref, "//base")
	fsys, ok := r.of[ref]
	if !ok {
		return nil, "", fs.ErrNotExist
	}
	return fsys, "base" + inside, nil
}

func TestRemotes(t *testing.T) {
	account := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n"
	far := files(t, "-- base/kustomization.yaml --\nresources: [../common, 'git@example.com:c']\nnamePrefix: far-\n-- common/kustomization.yaml --\nresources: [a.yaml]\n-- common/a.yaml --\n"+account)
	local := "-- prod/kustomization.yaml --\nresources: ['https://example.com/b//base', ../own]\nconfigMapGenerator:\n- {name: x, files: ['f=https://example.com/f']}\n-- own/kustomization.yaml --\nresources: ['https://example.com/d//base']\n-- secret --\nx\n"
	r := &remotes{of: map[string]fs.FS{
		"https://example.com/b": far, "git@example.com:c": files(t, "-- base --\n"+strings.Replace(account, "name: a", "name: c", 1)),
		"https://example.com/f": files(t, "-- base --\ntext"), "https://example.com/d": files(t, "-- base/kustomization.yaml --\nconfigMapGenerator: [{name: d}]\n"),
	}}
	k, err := LoadKustomizationWith(t.Context(), files(t, local), "prod", KustomizeOptions{Remote: r.load})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		m, err := k.Render(t.Context(), Input{Name: "demo"})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, o := range m.Objects {
			ids = append(ids, o.GetName())
		}
		if got := strings.Join(ids, " "); got != "far-a far-c d-6ct58987ht x-cf8kt49bg5" {
			t.Error(got)
		}
	}
	if len(r.asked) != 4 {
		t.Errorf("asked for %q", r.asked)
	}
	if without, err := LoadKustomization(files(t, "-- prod/kustomization.yaml --\nnamePrefix: x\n"), "prod"); err != nil || without.Info().Digest == k.Info().Digest {
		t.Errorf("the digest tells nothing of what was loaded, or %v", err)
	}
	for name, c := range map[string]struct {
		far, says string
		limit     string
	}{
		"not there":       {"-- x --\n", `what was loaded has no "base"`, ""},
		"reads the local": {"-- base/kustomization.yaml --\nconfigMapGenerator: [{name: x, files: [../../../secret]}]\n", "leads out of the file system", ""},
		"local transform": {"-- base/kustomization.yaml --\ntransformers: [t.yaml]\n-- base/t.yaml --\napiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npath: ../../../secret\n", "leads out of what was loaded", ""},
		"further, absent": {"-- base/kustomization.yaml --\nresources: ['https://example.com/absent']\n", "refers to https://example.com/absent, which cannot be loaded: file does not exist", ""},
		"circle":          {"-- base/kustomization.yaml --\nresources: ['https://example.com/b//base']\n", "is reached from itself", ""},
		"large":           {"-- base/kustomization.yaml --\nnamePrefix: x\n-- big --\n" + strings.Repeat("x", 6<<20), "", "FileBytes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &remotes{of: map[string]fs.FS{"https://example.com/b": files(t, c.far)}}
			bounded(t, c.limit, func() error {
				_, err := LoadKustomizationWith(t.Context(), files(t, "-- secret --\nx\n-- kustomization.yaml --\nresources: ['https://example.com/b//base']\n"), ".", KustomizeOptions{Remote: r.load})
				if err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v does not say %q", err, c.says)
				}
				return err
			})
		})
	}
	t.Run("endless", func(t *testing.T) {
		n := 0
		bounded(t, "Depth", func() error {
			_, err := LoadKustomizationWith(t.Context(), files(t, "-- kustomization.yaml --\nresources: ['https://example.com/0']\n"), ".", KustomizeOptions{
				Remote: func(context.Context, string) (fs.FS, string, error) {
					n++
					return fstest.MapFS{"kustomization.yaml": {Data: fmt.Appendf(nil, "resources: ['https://example.com/%d']\n", n)}}, ".", nil
				},
			})
			return err
		})
	})
}

// A build that takes long ends for its caller when the context does, and so do
// those that wait for it.
func TestKustomizeInTime(t *testing.T) {
	var b strings.Builder
	for i := range 700 {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\n", i)
	}
	k, err := LoadKustomization(fstest.MapFS{"kustomization.yaml": {Data: []byte("resources: [x.yaml]\nnamePrefix: a-\n")}, "x.yaml": {Data: []byte(b.String())}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for range 2 {
		var breach *LimitError
		if _, err := k.Render(t.Context(), Input{Name: "demo", Limits: Limits{Time: 20 * time.Millisecond}}); !errors.As(err, &breach) || breach.Limit != "Time" {
			t.Errorf("error %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := k.Render(ctx, Input{Name: "demo"}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second { // a fraction of a second on a machine that is idle
		t.Errorf("it took %s", took)
	}
}
