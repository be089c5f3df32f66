package render

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
)

// helmTemplate is what helm template does: an install without a cluster.
func helmTemplate(path string, values map[string]any) (*release.Release, error) {
	c, err := loader.Load(path)
	if err != nil {
		return nil, err
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.DryRun, install.ClientOnly, install.Replace = true, true, true
	install.ReleaseName, install.Namespace = "demo", "prod"
	install.KubeVersion = &chartutil.KubeVersion{Version: "v1.37.0", Major: "1", Minor: "37"}
	return install.Run(c, values)
}

func printed(r *release.Release) string {
	var b strings.Builder
	fmt.Fprintln(&b, strings.TrimSpace(r.Manifest))
	for _, h := range r.Hooks {
		fmt.Fprintf(&b, "---\n# Source: %s\n%s\n", h.Path, h.Manifest)
	}
	return b.String()
}

// WriteYAML prints what helm template prints, and notes, hooks and the stored
// manifest are those of a release that Helm makes.
func TestHelmTemplate(t *testing.T) {
	root := helmModule(t)
	paths := sampleCharts(t, root)
	for _, name := range []string{"webapp", "database"} {
		paths = append(paths, filepath.Join("..", "charts", name))
	}
	compared := 0
	for _, path := range paths {
		name, err := filepath.Rel(root, path)
		if err != nil {
			name = path
		}
		t.Run(name, func(t *testing.T) {
			c, err, oracleErr := loadBoth(path)
			if err != nil || oracleErr != nil {
				return
			}
			values, err := MergeValues(FromSet("auth.password=x"))
			if err != nil {
				t.Fatal(err)
			}
			m, err := c.Render(t.Context(), Input{Name: "demo", Namespace: "prod", Values: values})
			if err != nil {
				return // what fails is compared elsewhere
			}
			want, err := helmTemplate(path, values.Map())
			if err != nil {
				t.Fatal("helm fails:", err)
			}
			again, err := helmTemplate(path, values.Map())
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := m.WriteYAML(&got); err != nil {
				t.Fatal(err)
			}
			texts := [][2]string{{printed(want), got.String()}, {want.Manifest, m.Text()}, {want.Info.Notes, m.Notes}}
			for _, pair := range texts {
				if printed(want) != printed(again) {
					pair[0], pair[1] = shapes(map[string]string{"": pair[0]})[""], shapes(map[string]string{"": pair[1]})[""]
				}
				if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
					t.Errorf("differs (-helm +render):\n%s", diff)
				}
			}
			for i, h := range want.Hooks {
				if i >= len(m.Hooks) || m.Hooks[i].Weight != h.Weight || len(m.Hooks[i].Events) != len(h.Events) {
					t.Errorf("hook %d is %+v", i, h)
				}
			}
			compared++
		})
	}
	if compared < 60 {
		t.Errorf("only %d charts compared", compared)
	}
}
