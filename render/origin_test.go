package render

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

const nested = `
-- Chart.yaml --
apiVersion: v2
name: shop
version: 1.0.0
dependencies:
- {name: db, version: 1.0.0, alias: store}
- {name: cache, version: 1.0.0, import-values: [{child: pool, parent: pooling}, ports]}
-- values.yaml --
global:
  registry: example.com
replicas: 1
store:
  size: 1Gi
-- charts/db/Chart.yaml --
apiVersion: v2
name: db
version: 1.0.0
-- charts/db/values.yaml --
# defaults of the database
size: 5Gi
engine:
  name: postgres
global:
  zone: a
-- charts/cache/Chart.yaml --
apiVersion: v2
name: cache
version: 1.0.0
-- charts/cache/values.yaml --
pool:
  max: 10
exports:
  ports:
    port: 6379
`

// Every value that templates see tells where it came from and what it hides.
func TestOrigin(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "prod.yaml")
	text := filepath.Join(dir, "motd")
	for name, content := range map[string]string{file: "replicas: 3\nstore:\n  size: 10Gi\nhosts:\n- name: a\n- name: b\n", text: "hello"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := loadText(t, nested)
	values, err := MergeValues(
		FromYAML("base", []byte("replicas: 2\nglobal: {registry: r.example.com}\n")), FromFile(file),
		FromSet("hosts[1].name=c,store.engine.name=mysql"), FromSetString("tag=1.0"), FromSetJSON(`extra={"a":[1,2]}`), FromSetFile("motd="+text),
		FromSetLiteral("note=a,b"), FromMap("program", map[string]any{"level": map[string]any{"log": "debug"}}),
		FromYAML("last", []byte("hosts: null\nlist: [1]\n")), FromSet("list[0]=2"),
	)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"replicas":              file + ":1, over base:1, over shop/values.yaml:3",
		"store.size":            file + ":3, over shop/values.yaml:5, over shop/charts/store/values.yaml:2",
		"store.engine.name":     "--set store.engine.name, over shop/charts/store/values.yaml:4",
		"store.engine":          "--set store.engine.name, over shop/charts/store/values.yaml:3",
		"global.registry":       "base:2, over shop/values.yaml:2",
		"store.global.registry": "base:2, over shop/values.yaml:2",
		"store.global.zone":     "shop/charts/store/values.yaml:6",
		"tag":                   "--set-string tag",
		"extra.a[1]":            "--set-json extra",
		"motd":                  "--set-file motd",
		"note":                  "--set-literal note",
		"level.log":             "program",
		"hosts":                 "last:1, over --set hosts[1].name, over " + file + ":4",
		"list[0]":               "--set list[0], over last:2",
		"cache.pool.max":        "shop/charts/cache/values.yaml:2",
		"pooling.max":           "shop/charts/cache/values.yaml:2",
		"port":                  "shop/charts/cache/values.yaml:5",
		"nowhere":               "",
		"store.nowhere":         "",
		"replicas.deeper":       "",
	} {
		o, ok := c.Origin(values, path)
		if got := o.Explain(); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", path, got, ok, want)
		}
	}
	o, ok := c.Origin(Values{}, "replicas")
	if !ok || o.Layer != "chart shop" || o.File != "shop/values.yaml" || o.Line != 3 {
		t.Errorf("%+v, %v", o, ok)
	}
}

// Imports that go round in circles, or lead nowhere, end.
func TestOriginOfCircularImports(t *testing.T) {
	c := loadText(t, `
-- Chart.yaml --
apiVersion: v2
name: web
version: 1.0.0
dependencies:
- {name: a, version: 1.0.0, import-values: [{child: global, parent: .}, {child: global.x.a, parent: global.x}]}
- {name: a, version: ">9", alias: b, import-values: [x, {child: y, parent: .}]}
-- charts/a/Chart.yaml --
apiVersion: v2
name: a
version: 1.0.0
-- charts/a/values.yaml --
global: {x: {a: {a: 1}}}
`)
	for _, path := range []string{"x.a", "global.x.a", "a.global.x.a", "b.x", "nowhere"} {
		c.Origin(Values{}, path)
	}
	if o, ok := c.Origin(Values{}, "x.a"); !ok || o.File != "web/charts/a/values.yaml" {
		t.Errorf("%+v, %v", o, ok)
	}
}

// Of a set expression with several paths the one is named that gave the value.
func TestOriginOfSeveralPaths(t *testing.T) {
	values, err := MergeValues(
		FromSet(`a=1,b.c=2,b.d={x,y},e\.f=z\,w,list[0].x=1,list[1].x=2,a=3`),
		FromSetJSON(`j={"k":[1,{"l":"a,b=c"}]},m="n,o=p",q=5`),
		FromSetLiteral("r.s=1,t=2"), FromSetString("u={v},w=1"),
	)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	var again Values
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"a": "--set a", "b.c": "--set b.c", "b.d[1]": "--set b.d", "b": "--set b.d", `e\.f`: `--set e\.f`,
		"list[0].x": "--set list[0].x", "list[1]": "--set list[1].x", "list": "--set list[1].x",
		"j.k[1].l": "--set-json j", "m": "--set-json m", "q": "--set-json q",
		"r.s": "--set-literal r.s", "u[0]": "--set-string u", "w": "--set-string w",
	} {
		for _, v := range []Values{values, again} {
			if o, _ := v.Origin(path); o.String() != want {
				t.Errorf("%s is from %q, want %q", path, o, want)
			}
		}
	}
}

// An optional file gives its values, or none if it does not exist; any other error
// is one.
func TestFromFileIfExists(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	if err := os.WriteFile(file, []byte("a: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	values, err := MergeValues(FromFileIfExists(filepath.Join(dir, "none.yaml")), FromFileIfExists(file))
	if err != nil || fmt.Sprint(values.Map()) != "map[a:1]" {
		t.Errorf("%v, %v", values.Map(), err)
	}
	if _, err := MergeValues(FromFileIfExists(dir)); err == nil {
		t.Error("a folder is no error")
	}
	if _, err := MergeValues(FromFileIfExists(filepath.Join(file, "b"))); err == nil {
		t.Error("a file in a file is no error")
	}
}
