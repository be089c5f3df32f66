package charts

import (
	"path/filepath"
	"testing"

	"github.com/fairlead-dev/fairlead/render"
	"github.com/google/go-cmp/cmp"
)

func renderRelease(t *testing.T, chart, release, namespace string, plain map[string]any) (*render.Manifest, error) {
	t.Helper()
	values, err := render.MergeValues(render.FromMap(t.Name(), plain))
	if err != nil {
		t.Fatal(err)
	}
	c := map[string]*render.Chart{"webapp": WebApp(), "database": Database()}[chart]
	return c.Render(t.Context(), render.Input{Name: release, Namespace: namespace, Values: values})
}

// The charts render the same through render as through Helm.
func TestScenariosRenderAsByHelm(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			manifest, err := renderRelease(t, s.chart, s.release, "prod", s.values)
			if err != nil {
				t.Fatal(err)
			}
			want := read(t, filepath.Join("testdata/golden", s.name+".yaml"))
			if diff := cmp.Diff(want, string(golden(manifest.Files))); diff != "" {
				t.Errorf("-Helm +render:\n%s", diff)
			}
			if manifest.Notes == "" {
				t.Error("no notes")
			}
		})
	}
}

func TestBuiltinChartsAreShared(t *testing.T) {
	for _, get := range []func() *render.Chart{WebApp, Database} {
		if first, second := get(), get(); first != second {
			t.Error("a chart is loaded at each call")
		}
	}
}

func TestFilesOfAnUnknownChart(t *testing.T) {
	if _, err := Files("webap"); err == nil {
		t.Error("there is no chart webap")
	}
}
