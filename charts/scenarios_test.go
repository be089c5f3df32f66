package charts

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/internal/oracle"
)

var update = flag.Bool("update", false, "rewrite golden files, schemas and README tables")

// A scenario is a values file that a user has, testdata/scenarios/CHART-NAME.yaml, and what it renders to.
type scenario struct {
	name, chart, release string
	values               map[string]any
}

func scenarios(t *testing.T) []scenario {
	t.Helper()
	paths, err := filepath.Glob("testdata/scenarios/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	var all []scenario
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := scenario{name: strings.TrimSuffix(filepath.Base(path), ".yaml"), values: map[string]any{}}
		s.chart, _, _ = strings.Cut(s.name, "-")
		s.release = map[string]string{"webapp": "shop", "database": "shop-db"}[s.chart]
		if err := yaml.UnmarshalStrict(data, &s.values); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, s)
	}
	return all
}

// helmChart loads a built-in chart with Helm's own loader, from the files that are embedded.
func helmChart(t *testing.T, name string) *chart.Chart {
	t.Helper()
	fsys, err := Files(name)
	if err != nil {
		t.Fatal(err)
	}
	var files []*loader.BufferedFile
	err = fs.WalkDir(fsys, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, path)
		files = append(files, &loader.BufferedFile{Name: path, Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// helmRender returns what Helm makes of a chart, by the paths of its templates.
func helmRender(c *chart.Chart, release, namespace string, values map[string]any) (map[string]string, error) {
	return oracle.Files(c, values, oracle.Options{Name: release, Namespace: namespace, Revision: 1})
}

func golden(files map[string]string) []byte {
	paths := make([]string, 0, len(files))
	for path := range files {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	var out bytes.Buffer
	for _, path := range paths {
		content := strings.TrimSpace(files[path])
		content = strings.TrimPrefix(content, "---\n")
		if content == "" {
			continue
		}
		fmt.Fprintf(&out, "---\n# %s\n%s\n", path, content)
	}
	return out.Bytes()
}

func TestScenariosRenderTheirGoldenFiles(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			files, err := helmRender(helmChart(t, s.chart), s.release, "prod", s.values)
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, filepath.Join("testdata/golden", s.name+".yaml"), golden(files))
		})
	}
}

// checkGolden compares got with a file, of which the texts in without do not count.
func checkGolden(t *testing.T, path string, got []byte, without ...string) {
	t.Helper()
	if *update && len(without) > 0 {
		t.Fatalf("%s is written on the newest version of Kubernetes", path)
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./charts -update writes it)", err)
	}
	for _, text := range without {
		want = bytes.ReplaceAll(want, []byte(text), nil)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); go test ./charts -update rewrites it:\n%s", path, diff)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
