//go:build linux

package hostile

import (
	"context"
	"strings"
	"testing"
)

// TestChartYAML loads charts whose Chart.yaml is hostile.
func TestChartYAML(t *testing.T) { Run(t, chartYAMLs()) }

func chartYAMLs() []Case {
	var cases []Case
	add := func(name string, rest func() string) {
		cases = append(cases, Case{Name: name, Run: func(ctx context.Context) error {
			return RenderChart(ctx, map[string]string{
				"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n" + rest(), "charts/s/Chart.yaml": "apiVersion: v2\nname: s\nversion: 1.0.0\n",
				"charts/s/values.yaml": "exports: {data: {a: 1}}\n", "values.yaml": "s: {on: true}\ntags: {t: true}\n",
				"templates/x.yaml": "# {{ .Chart.Name }} {{ toYaml .Chart | len }} {{ toJson .Chart.Annotations | len }}\n",
			})
		}})
	}
	text := func(name, rest string) { add(name, func() string { return rest }) }
	text("annotations that are deep", "annotations: "+strings.Repeat("{a: ", 200_000)+strings.Repeat("}", 200_000)+"\n")
	text("an annotation that is a list", "annotations: {a: [1, 2], b: {c: d}, 3: 4, null: 5, true: 6}\n")
	add("annotations of one alias", func() string {
		return "description: &d \"" + strings.Repeat("x", 1_000_000) + "\"\nannotations: {" + repeated(3000, "a%d: *d") + "}\n"
	})
	add("keywords of aliases that double", func() string {
		var b strings.Builder
		b.WriteString("icon: x\nkeywords:\n- &k0 x\n")
		b.WriteString(numbered("- &k1%d [*k0, *k0]\n", 20)())
		return b.String()
	})
	text("an alias inside of its anchor", "annotations: &a {a: *a}\n")
	text("merge keys of themselves", "annotations: &a {<<: *a, b: c}\n")
	add("merge keys that double", func() string {
		var b strings.Builder
		b.WriteString("x0: &x0 {a: b}\n")
		for i := range 60 {
			b.WriteString(strings.NewReplacer("N", string(rune('A'+i%26))+strings.Repeat("z", i/26), "P", prior(i)).Replace("xN: &xN {<<: [*xP, *xP], kN: {<<: *xP}}\n"))
		}
		return b.String()
	})
	text("duplicate keys", strings.Repeat("name: web\n", 200_000))
	text("duplicate dependencies", "dependencies: []\ndependencies: [{name: s, version: '*'}]\n")
	add("duplicate annotations", func() string { return "annotations:\n" + strings.Repeat("  a: b\n", 500_000) })
	text("dependencies that are a map", "dependencies: {name: s}\n")
	text("dependencies that are null", "dependencies: [null, ~, '', 1]\n")
	for name, field := range map[string]string{
		"a condition of many paths":     "condition: '" + strings.Repeat("a.b,", 500_000) + "'",
		"a condition of a long path":    "condition: " + strings.Repeat("a.", 1_000_000) + "a",
		"a condition of dots":           "condition: '" + strings.Repeat(".", 2_000_000) + "'",
		"a condition that is a list":    "condition: [a, b]",
		"many tags":                     "tags: [" + strings.Repeat("t,", 1_000_000) + "]",
		"tags that are maps":            "tags: [{a: b}]",
		"an alias of a path":            "alias: ../../x",
		"a long alias":                  "alias: " + strings.Repeat("a", 3_000_000),
		"an alias of template text":     "alias: '{{ .Values }}'",
		"import-values of themselves":   "import-values: [data, {child: ., parent: .}, {child: '', parent: ''}]",
		"import-values of long paths":   "import-values: [{child: exports.data, parent: " + strings.Repeat("a.", 500_000) + "a}]",
		"import-values many times":      "import-values: [" + strings.Repeat("data,", 500_000) + "]",
		"import-values of lists":        "import-values: [[data], {child: [a], parent: {b: c}}, 1, null]",
		"import-values that double":     "import-values: [" + strings.Repeat("{child: ., parent: a}, {child: ., parent: a.a},", 2000) + "]",
		"a version range of many parts": "version: '" + strings.Repeat(">=1.0.0 || ", 300_000) + "*'",
		"a version of many digits":      "version: " + strings.Repeat("9", 1_000_000) + ".0.0",
		"a repository of a device":      "repository: file:///dev/zero",
	} {
		if !strings.Contains(field, "version:") {
			field += ", version: '*'"
		}
		text(name, "dependencies: [{name: s, "+field+"}]\n")
	}
	text("a long kubeVersion", "kubeVersion: '"+strings.Repeat(">=1.0.0-0 || ", 300_000)+"*'\n")
	text("a kubeVersion of wildcards", "kubeVersion: '"+strings.Repeat("x.", 1_000_000)+"'\n")
	text("a version of text", "version: !!binary "+strings.Repeat("QUFB", 500_000)+"\n")
	text("tags of YAML", "annotations: !!set {a, b}\nhome: !!python/object:x {}\nicon: !<tag:yaml.org,2002:int> 1\n")
	text("a date and numbers", "description: 2020-01-01\nhome: 1e400\nicon: 0x"+strings.Repeat("f", 1_000_000)+"\nappVersion: .nan\n")
	SortCases(cases)
	return cases
}

// prior is the name of the map before number i.
func prior(i int) string {
	if i == 0 {
		return "0"
	}
	i--
	return string(rune('A'+i%26)) + strings.Repeat("z", i/26)
}
