package template

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/fairlead-dev/fairlead/internal/oracle"
)

// prepared is a chart with the values that its templates are to be rendered on.
type prepared struct {
	chart *chart.Chart
	vals  chartutil.Values
}

func prepare(t testing.TB, c *chart.Chart, user map[string]any) prepared {
	t.Helper()
	if err := chartutil.ProcessDependenciesWithMerge(c, user); err != nil {
		t.Fatal(err)
	}
	vals, err := chartutil.ToRenderValues(c, user, chartutil.ReleaseOptions{
		Name: "rel", Namespace: "ns", Revision: 1, IsInstall: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return prepared{c, vals}
}

func TestShapes(t *testing.T) {
	shapes, err := oracle.Shapes(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, shape := range shapes {
		t.Run(shape.Name, func(t *testing.T) {
			c, err := shape.Load()
			if err != nil {
				t.Fatal(err)
			}
			p := prepare(t, c, shape.Values)
			want := outcome(helms(p.chart, p.vals, false))
			got := outcome(ours(p.chart, p.vals, false))
			if got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			if strings.HasPrefix(want, "error") {
				t.Error(want)
			}
		})
	}
}

// TestSampleCharts renders the charts that come with Helm's and kwok's sources.
func TestSampleCharts(t *testing.T) {
	rendered := 0
	for _, module := range []string{"helm.sh/helm/v3", "sigs.k8s.io/kwok"} {
		root := moduleDir(t, module)
		if root == "" {
			continue
		}
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.Name() != "Chart.yaml" && !strings.HasSuffix(path, ".tgz") {
				return err
			}
			if d.Name() == "Chart.yaml" {
				path = filepath.Dir(path)
			}
			for _, strict := range []bool{false, true} {
				h, ok := loadSample(path)
				if !ok {
					return nil
				}
				o, _ := loadSample(path)
				seed(t, 1)
				want := outcome(helms(h.chart, h.vals, strict))
				seed(t, 1)
				got := outcome(ours(o.chart, o.vals, strict))
				if got != want {
					t.Errorf("%s strict %v\n got %s\nwant %s", path, strict, got, want)
				}
				rendered++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if rendered < 100 {
		t.Errorf("only %d sample charts were rendered", rendered)
	}
}

func loadSample(path string) (prepared, bool) {
	c, err := loader.Load(path)
	if err != nil || c.Validate() != nil {
		return prepared{}, false
	}
	if chartutil.ProcessDependenciesWithMerge(c, map[string]any{}) != nil {
		return prepared{}, false
	}
	vals, err := chartutil.ToRenderValuesWithSchemaValidation(c, map[string]any{}, chartutil.ReleaseOptions{
		Name: "rel", Namespace: "ns", Revision: 1, IsInstall: true,
	}, nil, true)
	return prepared{c, vals}, err == nil
}
