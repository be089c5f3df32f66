package charts

import (
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/lint"
)

func TestHelmLintIsSilent(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			linter := lint.All(s.chart, s.values, "prod", true)
			for _, message := range linter.Messages {
				t.Error(message)
			}
		})
	}
}

func TestChartsShareOnePart(t *testing.T) {
	const file = "templates/_shared.tpl"
	want := read(t, filepath.Join("webapp", file))
	if read(t, filepath.Join("database", file)) != want {
		t.Errorf("%s differs between the charts: copy the newer one over the older", file)
	}
}

func TestTemplatesAreShort(t *testing.T) {
	paths, err := filepath.Glob("*/templates/*")
	if err != nil || len(paths) < 20 {
		t.Fatalf("%d templates, %v", len(paths), err)
	}
	for _, path := range paths {
		if lines := strings.Count(read(t, path), "\n"); lines > 150 {
			t.Errorf("%s has %d lines; split it by subject, 150 is the most", path, lines)
		}
	}
}
