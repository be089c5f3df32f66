package render

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/releaseutil"

	"github.com/fairlead-dev/fairlead/internal/oracle"
)

// Both engines side by side on generated charts. helm and first load the chart
// and render it; helm-again and again render a loaded one. On both sides a
// render ends with objects and hooks apart and in order, which for Helm is
// what its install action does after its engine. CRDs below crds/ are checked and not
// decoded, but in first-whole. BENCH_CHARTS is a folder with
// more charts; those that Helm does not render with their own values are left out.
func BenchmarkRender(b *testing.B) {
	shapes, err := oracle.Shapes(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	large, err := oracle.LargeShapes(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	shapes = append(shapes, large...)
	if folder := os.Getenv("BENCH_CHARTS"); folder != "" {
		more, err := oracle.ShapesBelow(folder)
		if err != nil {
			b.Fatal(err)
		}
		shapes = append(shapes, slices.DeleteFunc(more, func(s oracle.Shape) bool { return !renders(s) })...)
	}
	for _, shape := range shapes {
		values, err := MergeValues(FromMap("values", shape.Values))
		if err != nil {
			b.Fatal(err)
		}
		in := Input{Name: "demo", Namespace: "prod", Values: values, DeferCRDs: true} // Helm's render does not decode them either
		whole := in
		whole.DeferCRDs = false
		b.Run(shape.Name+"/helm", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				helmWhole(b, shape, values)
			}
		})
		fsys := shape.FS() // files of a generated chart are copied once on both sides
		first := func(in Input) func(b *testing.B) {
			return func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c, err := LoadFS(fsys)
					if err != nil {
						b.Fatal(err)
					}
					size(b, c, in)
				}
			}
		}
		b.Run(shape.Name+"/first", first(in))
		if hasCRDs(b, shape, in) {
			b.Run(shape.Name+"/first-whole", first(whole))
		}
		b.Run(shape.Name+"/helm-again", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				c, err := shape.Load() // Helm changes the chart that it renders
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				files, err := oracle.Files(c, values.Map(), oracle.Options{Name: "demo", Namespace: "prod", Revision: 1})
				if err != nil {
					b.Fatal(err)
				}
				helmSort(b, files)
			}
		})
		b.Run(shape.Name+"/again", func(b *testing.B) {
			c, err := LoadFS(shape.FS())
			if err != nil {
				b.Fatal(err)
			}
			size(b, c, in)
			b.ReportAllocs()
			for b.Loop() {
				size(b, c, in)
			}
		})
	}
}

// renders reports whether Helm renders a chart with its own values.
func renders(shape oracle.Shape) bool {
	c, err := shape.Load()
	if err != nil {
		return false
	}
	_, err = oracle.Files(c, nil, oracle.Options{Name: "demo", Namespace: "prod", Revision: 1})
	return err == nil
}

func helmWhole(b *testing.B, shape oracle.Shape, values Values) {
	c, err := shape.Load()
	if err != nil {
		b.Fatal(err)
	}
	files, err := oracle.Files(c, values.Map(), oracle.Options{Name: "demo", Namespace: "prod", Revision: 1})
	if err != nil {
		b.Fatal(err)
	}
	helmSort(b, files)
}

func helmSort(b *testing.B, files map[string]string) {
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasSuffix(name, notesName) })
	if _, _, err := releaseutil.SortManifests(files, chartutil.DefaultVersionSet, releaseutil.InstallOrder); err != nil {
		b.Fatal(err)
	}
}

func size(b *testing.B, c *Chart, in Input) {
	m, err := c.Render(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	if len(m.Objects)+len(m.crds)+len(m.Files) == 0 {
		b.Fatal("nothing is rendered")
	}
}

// hasCRDs reports whether a chart has definitions below crds/.
func hasCRDs(b *testing.B, shape oracle.Shape, in Input) bool {
	c, err := LoadFS(shape.FS())
	if err != nil {
		b.Fatal(err)
	}
	m, err := c.Render(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	return len(m.crds) > 0
}
