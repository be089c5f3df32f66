package charts

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/render"
	"github.com/google/go-cmp/cmp"
	helmchart "helm.sh/helm/v3/pkg/chart"
	"sigs.k8s.io/yaml"
)

// rendered returns the names of a chart's ConfigMaps: one for each chart in it.
func rendered(t *testing.T, ref string, opts LoadOptions) []string {
	t.Helper()
	chart, err := Load(t.Context(), ref, opts)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := chart.Render(t.Context(), render.Input{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, object := range manifest.Objects {
		names = append(names, object.GetName())
	}
	slices.Sort(names)
	return names
}

// lock is Chart.lock as Helm writes it: the digest is a sum over Helm's own structs.
func lock(t *testing.T, wanted []*helmchart.Dependency, versions ...string) string {
	t.Helper()
	l := helmchart.Lock{}
	for i, dep := range wanted {
		l.Dependencies = append(l.Dependencies, &helmchart.Dependency{Name: dep.Name, Version: versions[i], Repository: dep.Repository})
	}
	data, err := json.Marshal([2][]*helmchart.Dependency{wanted, l.Dependencies})
	if err != nil {
		t.Fatal(err)
	}
	l.Digest = fmt.Sprintf("sha256:%x", sha256.Sum256(data))
	text, err := yaml.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func chartYAML(t *testing.T, name string, dependencies []*helmchart.Dependency) string {
	t.Helper()
	text, err := yaml.Marshal(helmchart.Metadata{APIVersion: "v2", Name: name, Version: "1.0.0", Dependencies: dependencies})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Chart.Name }}-{{ .Chart.Version }}'}\n"

func TestDependenciesAreResolved(t *testing.T) {
	web, oci := newWebServer(t), newOCIServer(t)
	deep := &helmchart.Dependency{Name: "deep", Version: ">=0.1", Repository: web.URL + "/stable"}
	web.publish(t, "/stable",
		newPacked(t, "cart", "1.0.0"), newPacked(t, "cart", "1.1.0"), newPacked(t, "cart", "2.0.0"),
		newPacked(t, "pay", "3.0.0", deep), newPacked(t, "deep", "0.2.0"))
	oci.push(t, "team/mail", newPacked(t, "mail", "1.4.0"), "", nil)
	oci.push(t, "team/mail", newPacked(t, "mail", "1.5.0"), "", nil)

	wanted := []*helmchart.Dependency{
		{Name: "cart", Version: "^1", Repository: web.URL + "/stable", Tags: []string{"a"}, ImportValues: []any{"data", map[string]any{"child": "x", "parent": "y"}}},
		{Name: "pay", Version: "3.x.x", Repository: "@ours", Alias: "billing"},
		{Name: "mail", Version: "~1", Repository: "oci://" + oci.host() + "/team"},
		{Name: "lib", Version: "1.0.0", Repository: "file://../lib", Condition: "lib.enabled"},
		{Name: "own", Version: ">0"},
	}
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"shop/Chart.yaml": chartYAML(t, "shop", wanted), "shop/templates/cm.yaml": configMap,
		"shop/charts/own/Chart.yaml": chartYAML(t, "own", nil), "shop/charts/own/templates/cm.yaml": configMap,
		"lib/Chart.yaml": chartYAML(t, "lib", []*helmchart.Dependency{{Name: "base", Version: "*", Repository: "file://./base"}}), "lib/templates/cm.yaml": configMap,
		"lib/base/Chart.yaml": chartYAML(t, "base", nil), "lib/base/templates/cm.yaml": configMap,
		"repositories.yaml": "repositories: [{name: ours, url: '" + web.URL + "/stable'}]",
	})
	shop := filepath.Join(dir, "shop")
	opts := LoadOptions{Transport: trusting(web), User: UserConfig{Repositories: filepath.Join(dir, "repositories.yaml")}}
	opts.Dependencies = true
	opts.DependencyRoots = []string{dir} // lib lies beside the chart
	want := []string{"base-1.0.0", "billing-3.0.0", "cart-1.1.0", "deep-0.2.0", "lib-1.0.0", "mail-1.5.0", "own-1.0.0", "shop-1.0.0"}
	if diff := cmp.Diff(want, rendered(t, shop, opts)); diff != "" {
		t.Errorf("without a lock (-want +got):\n%s", diff)
	}

	writeFiles(t, shop, map[string]string{"Chart.lock": lock(t, wanted, "1.0.0", "3.0.0", "1.4.0", "1.0.0", "1.0.0")})
	want[2], want[5] = "cart-1.0.0", "mail-1.4.0"
	if diff := cmp.Diff(want, rendered(t, shop, opts)); diff != "" {
		t.Errorf("with a lock (-want +got):\n%s", diff)
	}

	// Helm writes the lock over the addresses that names stand for.
	resolved := slices.Clone(wanted)
	resolved[1] = &helmchart.Dependency{Name: "pay", Version: "3.x.x", Repository: web.URL + "/stable", Alias: "billing"}
	writeFiles(t, shop, map[string]string{"Chart.lock": lock(t, resolved, "1.0.0", "3.0.0", "1.4.0", "1.0.0", "1.0.0")})
	if diff := cmp.Diff(want, rendered(t, shop, opts)); diff != "" {
		t.Errorf("with a lock of addresses (-want +got):\n%s", diff)
	}

	wanted[0].Version = "^2"
	writeFiles(t, shop, map[string]string{"Chart.yaml": chartYAML(t, "shop", wanted)})
	wantRefused(t, shop, opts, ErrLock, "helm dependency update")
}

func TestDependenciesThatCannotBeResolved(t *testing.T) {
	web := newWebServer(t)
	web.wantLogin("robot:s3cret")
	web.publish(t, "/private", newPacked(t, "cart", "1.0.0"))
	lazy := newWebServer(t)
	lazy.publish(t, "/stable", newPacked(t, "pay", "3.0.0"), newPacked(t, "loop", "1.0.0", &helmchart.Dependency{Name: "loop", Version: "1.x", Repository: lazy.URL + "/stable"}))
	lazy.publish(t, "/other", newPacked(t, "pay", "3.0.0"))
	lazy.put("/other/index.yaml", []byte("entries: {cart: [{version: 1.0.0, urls: [pay-3.0.0.tgz]}]}"))
	tests := map[string]struct {
		dep  helmchart.Dependency
		is   error
		says string
	}{
		"no such version":      {helmchart.Dependency{Name: "pay", Version: "^4", Repository: lazy.URL + "/stable"}, ErrNoVersion, "dependency pay ^4 of shop from https://"},
		"no such chart":        {helmchart.Dependency{Name: "cart", Version: "1", Repository: lazy.URL + "/stable"}, ErrNoChart, "cart"},
		"another chart":        {helmchart.Dependency{Name: "cart", Version: "1", Repository: lazy.URL + "/other"}, ErrNoVersion, "what is there is pay 3.0.0"},
		"no repository":        {helmchart.Dependency{Name: "cart", Version: "1"}, nil, "names no repository"},
		"an unknown name":      {helmchart.Dependency{Name: "cart", Version: "1", Repository: "@ours"}, ErrUnknownRef, `"ours"`},
		"a login for another":  {helmchart.Dependency{Name: "cart", Version: "1", Repository: web.URL + "/private"}, ErrUnauthorized, "401"},
		"a circle":             {helmchart.Dependency{Name: "loop", Version: "1.x", Repository: lazy.URL + "/stable"}, nil, "10 deep"},
		"a folder that is not": {helmchart.Dependency{Name: "cart", Version: "1", Repository: "file://../cart"}, nil, "no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"shop/Chart.yaml": chartYAML(t, "shop", []*helmchart.Dependency{&test.dep}), "shop/templates/cm.yaml": configMap})
			opts := LoadOptions{Transport: trusting(web), Dependencies: true, DependencyRoots: []string{dir}, Username: "robot", Password: "s3cret"}
			wantRefused(t, filepath.Join(dir, "shop"), opts, test.is, test.says)
			_, err := Load(t.Context(), filepath.Join(dir, "shop"), opts)
			var failure *DependencyError
			if !errors.As(err, &failure) || failure.Name != test.dep.Name || failure.Chart != "shop" {
				t.Errorf("%v is no *DependencyError of %s", err, test.dep.Name)
			}
		})
	}

	// A chart from elsewhere has no folder beside it.
	archive := newPacked(t, "shop", "1.0.0", &helmchart.Dependency{Name: "etc", Version: "*", Repository: "file:///etc"})
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{archive.file(): string(archive.data)})
	wantRefused(t, filepath.Join(dir, archive.file()), LoadOptions{Dependencies: true}, nil, "for charts that lie in a directory")

	// Unasked, nothing is resolved.
	if _, err := Load(t.Context(), filepath.Join(dir, archive.file()), LoadOptions{}); err != nil {
		t.Error(err)
	}
	if len(web.sent()) > 0 {
		t.Errorf("logins were sent to a dependency's host: %q", strings.Join(web.sent(), ", "))
	}
}

func TestOldCharts(t *testing.T) {
	web := newWebServer(t)
	web.publish(t, "/stable", newPacked(t, "cart", "1.0.0"), newPacked(t, "cart", "1.1.0"))
	wanted := []*helmchart.Dependency{{Name: "cart", Version: "1.x.x", Repository: web.URL + "/stable"}}
	dependencies, err := yaml.Marshal(map[string]any{"dependencies": wanted})
	if err != nil {
		t.Fatal(err)
	}
	shop := t.TempDir()
	writeFiles(t, shop, map[string]string{
		"Chart.yaml": "{apiVersion: v1, name: shop, version: 1.0.0}", "templates/cm.yaml": configMap,
		"requirements.yaml": string(dependencies), "requirements.lock": lock(t, wanted, "1.0.0"),
	})
	if diff := cmp.Diff([]string{"cart-1.0.0", "shop-1.0.0"}, rendered(t, shop, LoadOptions{Transport: trusting(web), Dependencies: true})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
