package helm_test

import (
	"encoding/json"
	"testing"
)

// Get returns of each revision what Helm returns: those that Helm recorded, and
// those of the engine.
func TestGetsWhatHelmGets(t *testing.T) {
	withEach(t, func(f *fixture) {
		f.must("helm install", f.helm.install(f.ctx, f.folder, values{"colour": "red", "size": "big", "port": 81}))
		f.deploy(values{"colour": "blue", "extra": true, "size": nil})
		for revision := 1; revision <= 2; revision++ {
			want, err := f.helm.get(revision)
			f.must("helm get", err)
			got, err := f.engine.Get(f.ctx, f.key, revision)
			f.must("get", err)
			if got.Manifest != want.Manifest || got.Notes != want.Info.Notes || string(got.Revision.Status) != want.Info.Status {
				t.Errorf("revision %d: got %v with the manifest\n%s\nHelm has %s with\n%s", revision, got, got.Manifest, want.Info.Status, want.Manifest)
			}
			if m := want.Chart.Metadata; got.Chart.Name != m.Name || got.Chart.Version != m.Version || got.Chart.AppVersion != m.AppVersion || got.Chart.Description != m.Description {
				t.Errorf("revision %d: chart %+v, with Helm %+v", revision, got.Chart, m)
			}
			if a, b := asJSON(t, got.Values.Map()), asJSON(t, want.Values); a != b {
				t.Errorf("revision %d: values %s, with Helm %s", revision, a, b)
			}
			if a, b := asJSON(t, got.Computed.Map()), asJSON(t, want.AllValues); a != b {
				t.Errorf("revision %d: computed values %s, with Helm %s", revision, a, b)
			}
			if len(got.Hooks) != 1 || len(want.Hooks) != 1 || got.Hooks[0].Hook.GetName() != want.Hooks[0].Name || got.Hooks[0].Hook.Weight != want.Hooks[0].Weight || len(got.Hooks[0].Hook.Events) != len(want.Hooks[0].Events) || got.Hooks[0].Hook.Source != want.Hooks[0].Path {
				t.Errorf("revision %d: hooks %v, with Helm %v", revision, got.Hooks, want.Hooks)
			}
		}
	})
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
