//go:build linux

package hostile

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/render"
)

func TestStructure(t *testing.T) { Run(t, structures()) }

const subchart = "apiVersion: v2\nname: %s\nversion: 1.0.0\n"

// structures lists charts whose dependencies, aliases, globals and imports
// multiply.
func structures() []Case {
	var cases []Case
	add := func(name string, files func() map[string]string) {
		cases = append(cases, Case{Name: name, Run: func(ctx context.Context) error { return RenderChart(ctx, files()) }})
	}
	for _, levels := range []int{4, 8, 14} {
		for _, aliases := range []int{2, 10, 100} {
			for _, extra := range []string{"", ", condition: 'a.on,global.on', tags: [t]", ", import-values: [{child: ., parent: x}, {child: x, parent: y.z}]"} {
				add(fmt.Sprintf("%d levels of %d aliases%s", levels, aliases, extra), func() map[string]string { return aliased(levels, aliases, extra) })
				cases = append(cases, Case{Name: fmt.Sprintf("%d levels of %d aliases%s, as Helm 4", levels, aliases, extra), Run: func(ctx context.Context) error {
					return RenderChartAs(ctx, render.Helm4, aliased(levels, aliases, extra))
				}})
			}
		}
	}
	for _, n := range []int{100, 1500, 10_000} {
		for _, globals := range []int{10, 10_000, 200_000} {
			add(fmt.Sprintf("%d subcharts, %d globals", n, globals), func() map[string]string {
				files := manyAliases(n, "")
				files["values.yaml"] = "global:\n" + strings.ReplaceAll(repeatedLines(globals), "k", "  k")
				return files
			})
			add(fmt.Sprintf("%d subcharts, %d values", n, globals), func() map[string]string {
				files := manyAliases(n, ", condition: k1.x")
				files["charts/s/values.yaml"] = repeatedLines(globals)
				return files
			})
		}
		add(fmt.Sprintf("%d imports", n), func() map[string]string {
			files := manyAliases(n, ", import-values: [{child: x, parent: y}]")
			files["charts/s/values.yaml"] = "x:\n" + strings.ReplaceAll(repeatedLines(1000), "k", "  k")
			return files
		})
		add(fmt.Sprintf("%d subcharts with a large template", n), func() map[string]string {
			files := manyAliases(n, "")
			files["charts/s/templates/x.yaml"] = strings.Repeat("# text\n", 100_000)
			return files
		})
		add(fmt.Sprintf("%d charts of one name", n), func() map[string]string {
			files := map[string]string{}
			about := fmt.Sprintf(subchart, "web") + "dependencies:\n"
			for i := range n {
				about += fmt.Sprintf("- {name: s, version: '>9', alias: s%d}\n", i)
				files[fmt.Sprintf("charts/s%d/Chart.yaml", i)] = fmt.Sprintf(subchart, "s")
			}
			files["Chart.yaml"] = about
			return files
		})
		add(fmt.Sprintf("%d conditions", n), func() map[string]string {
			files := manyAliases(10, ", condition: '"+strings.Repeat("a.b.c,", n)+"x'")
			return files
		})
	}
	return cases
}

// aliased is charts inside of each other, each with one subchart under aliases.
func aliased(levels, aliases int, extra string) map[string]string {
	files := map[string]string{}
	for i := range levels {
		dir := strings.Repeat("charts/c/", i)
		about := fmt.Sprintf(subchart, "c")
		if i < levels-1 {
			about += "dependencies:\n"
			for a := range aliases {
				about += fmt.Sprintf("- {name: c, version: 1.0.0, alias: a%d%s}\n", a, extra)
			}
		}
		files[dir+"Chart.yaml"], files[dir+"values.yaml"] = about, "x: {y: 1}\n"
		files[dir+"templates/x.yaml"] = "# {{ .Values | toJson }}\n"
	}
	return files
}

// manyAliases is a chart with one subchart under many aliases.
func manyAliases(aliases int, extra string) map[string]string {
	var about strings.Builder
	about.WriteString(fmt.Sprintf(subchart, "web") + "dependencies:\n")
	for i := range aliases {
		fmt.Fprintf(&about, "- {name: s, version: 1.0.0, alias: s%d%s}\n", i, extra)
	}
	return map[string]string{"Chart.yaml": about.String(), "charts/s/Chart.yaml": fmt.Sprintf(subchart, "s"), "charts/s/templates/x.yaml": ""}
}
