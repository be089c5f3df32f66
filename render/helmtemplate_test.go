package render

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead-dev/fairlead/internal/oracle"
)

// WriteYAML prints what helm template prints, and notes, hooks and the stored
// manifest are those of a release that Helm makes.
func TestHelmTemplate(t *testing.T) {
	root := helmModule(t)
	paths := sampleCharts(t, root)
	for _, name := range []string{"webapp", "database"} {
		paths = append(paths, filepath.Join("..", "charts", name))
	}
	release := oracle.Options{Name: "demo", Namespace: "prod"}
	compared, byOutline := 0, 0
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
			reload := reloader(path)
			want, err := oracle.Template(reload(), values.Map(), release)
			if err != nil {
				t.Fatal("helm fails:", err)
			}
			again, err := oracle.Template(reload(), values.Map(), release)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := m.WriteYAML(&got); err != nil {
				t.Fatal(err)
			}
			random := oracle.Printed(want) != oracle.Printed(again)
			if random {
				byOutline++
			}
			texts := [][2]string{{oracle.Printed(want), got.String()}, {want.Manifest, m.Text()}, {want.Info.Notes, m.Notes}}
			for _, pair := range texts {
				if random {
					pair[0], pair[1] = oracle.Outline(pair[0]), oracle.Outline(pair[1])
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
	t.Logf("%d charts compared, %d of them by their outlines", compared, byOutline)
	if compared < 60 {
		t.Errorf("only %d charts compared", compared)
	}
}
