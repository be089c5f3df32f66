package render

import (
	"io"
	"io/fs"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/fairlead-dev/fairlead/internal/oracle"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm's packages log warnings
	os.Exit(m.Run())
}

// comparison is how a chart was held against Helm.
type comparison int

const (
	byBytes     comparison = iota
	byOutline              // Helm itself renders it otherwise each time
	byFailure              // both fail
	byRefusal              // neither installs it: what its templates give does not matter
	comparisons            // how many there are
)

// compareWithHelm renders one chart by both, as an upgrade.
func compareWithHelm(t *testing.T, c *Chart, reload func() *chart.Chart, layers ...Layer) comparison {
	t.Helper()
	values, err := MergeValues(layers...)
	if err != nil {
		t.Fatal(err)
	}
	release := oracle.Options{Name: "demo", Namespace: "prod", Revision: 2, Upgrade: true}
	in, err := Input{Name: release.Name, Namespace: release.Namespace, Values: values, Revision: release.Revision, Upgrade: release.Upgrade}.checked()
	if err != nil {
		t.Fatal(err)
	}
	if c.parsed.CheckInstallable() != nil {
		_, helmErr := oracle.Template(reload(), values.Map(), release)
		_, err := c.Render(t.Context(), in)
		if err == nil || helmErr == nil {
			t.Fatalf("error %v, Helm's is %v", err, helmErr)
		}
		return byRefusal
	}
	want, helmErr := oracle.Files(reload(), values.Map(), release)
	random := false
	for range 2 { // the second one with all caches warm
		m, _, err := c.renderFiles(t.Context(), in.Limits.account(t.Context()), in)
		if (err == nil) != (helmErr == nil) {
			t.Fatalf("error %v, Helm's is %v", err, helmErr)
		}
		if err != nil {
			sameFailure(t, err, helmErr)
			continue
		}
		got := m.Files
		if !random && !maps.Equal(want, got) {
			again, _ := oracle.Files(reload(), values.Map(), release)
			if random = !maps.Equal(want, again); random {
				want = outlines(want)
			}
		}
		if random {
			got = outlines(got)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("files differ (-helm +render):\n%s", diff)
		}
	}
	switch {
	case helmErr != nil:
		return byFailure
	case random:
		return byOutline
	}
	return byBytes
}

func outlines(files map[string]string) map[string]string {
	out := make(map[string]string, len(files))
	for name, text := range files {
		out[name] = oracle.Outline(text)
	}
	return out
}

// helmModule is where the Go command keeps the Helm module.
func helmModule(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "helm.sh/helm/v3").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// sampleCharts are the folders and archives below a root that Helm can load.
func sampleCharts(t testing.TB, root string) []string {
	t.Helper()
	var charts []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.Name() == "Chart.yaml":
			charts = append(charts, filepath.Dir(path))
		case strings.HasSuffix(path, ".tgz"):
			charts = append(charts, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return charts
}

func loadBoth(path string) (c *Chart, err, oracleErr error) {
	_, oracleErr = loader.Load(path)
	if !strings.HasSuffix(path, ".tgz") {
		c, err = LoadFS(os.DirFS(path))
		return c, err, oracleErr
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err, oracleErr
	}
	defer f.Close()
	c, err = LoadArchive(f)
	return c, err, oracleErr
}

// reloader loads a chart again for Helm, which changes the charts that it
// renders.
func reloader(path string) func() *chart.Chart {
	return func() *chart.Chart {
		c, err := loader.Load(path)
		if err != nil {
			panic(err)
		}
		return c
	}
}

// The charts of Helm's own tests load, or fail to, as with Helm, and render to
// the same bytes.
func TestHelmSamples(t *testing.T) {
	root := helmModule(t)
	loaded := 0
	var count [comparisons]int
	for _, path := range sampleCharts(t, root) {
		name, _ := filepath.Rel(root, path)
		t.Run(name, func(t *testing.T) {
			c, err, oracleErr := loadBoth(path)
			if (err == nil) != (oracleErr == nil) {
				t.Fatalf("error %v, Helm's is %v", err, oracleErr)
			}
			if err != nil {
				return
			}
			loaded++
			count[compareWithHelm(t, c, reloader(path))]++
		})
	}
	t.Logf("%d charts loaded: %d the same, %d by their outlines; both fail at %d, both refuse %d",
		loaded, count[byBytes], count[byOutline], count[byFailure], count[byRefusal])
	if rendered := count[byBytes] + count[byOutline]; loaded < 100 || rendered < 85 {
		t.Errorf("only %d charts loaded and %d rendered", loaded, rendered)
	}
}

func TestBuiltinCharts(t *testing.T) {
	for _, name := range []string{"webapp", "database"} {
		dir := filepath.Join("..", "charts", name)
		files, err := filepath.Glob(filepath.Join("..", "charts", "testdata", "scenarios", name+"-*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatal(len(files), err)
		}
		c, err, oracleErr := loadBoth(dir)
		if err != nil || oracleErr != nil {
			t.Fatal(err, oracleErr)
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) {
				compareWithHelm(t, c, reloader(dir), FromFile(file))
				in := Input{Name: "demo", Namespace: "prod"}
				if in.Values, err = MergeValues(FromFile(file)); err != nil {
					t.Fatal(err)
				}
				m, err := c.Render(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				if len(m.Objects) == 0 {
					t.Error("no objects")
				}
			})
		}
	}
}

// What a render does with the values never shows in the next one.
func TestRenderLeavesChartAlone(t *testing.T) {
	c, err := LoadFS(os.DirFS(filepath.Join("..", "charts", "database")))
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Name: "demo"}
	if in.Values, err = MergeValues(FromSet("auth.password=x")); err != nil {
		t.Fatal(err)
	}
	first, err := c.Render(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	changed := in
	if changed.Values, err = MergeValues(FromSet("replicas=7,image.tag=other,auth.password=x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Render(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	again, err := c.Render(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(first.Files, again.Files) {
		t.Error("the third render differs from the first")
	}
	if !slices.EqualFunc(first.Objects, again.Objects, func(a, b Object) bool { return a.ID() == b.ID() && a.Text == b.Text }) {
		t.Error("the objects of the third render differ from those of the first")
	}
}
