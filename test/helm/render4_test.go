package helm_test

import (
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"

	"github.com/fairlead-dev/fairlead/render"
)

// renderBy4 renders a chart with the engine of Helm 4, as an upgrade.
func renderBy4(dir string) (files map[string]string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	c, err := loader.LoadDir(dir)
	if err != nil {
		return nil, err
	}
	values := common.Values{}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, err
	}
	top, err := util.ToRenderValues(c, values, common.ReleaseOptions{Name: "demo", Namespace: "prod", Revision: 2, IsUpgrade: true}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Engine{}.Render(c, top)
}

// renderHere renders a chart with the capabilities that Helm 4 has by default.
func renderHere(t *testing.T, dir string, as render.HelmVersion) (*render.Manifest, error) {
	t.Helper()
	c, err := render.LoadFS(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	caps := common.DefaultCapabilities
	return c.Render(t.Context(), render.Input{
		Name: "demo", Namespace: "prod", Revision: 2, Upgrade: true, Helm: as,
		Capabilities: &render.Capabilities{
			KubeVersion: render.KubeVersion{Version: caps.KubeVersion.Version, Major: caps.KubeVersion.Major, Minor: caps.KubeVersion.Minor},
			APIVersions: caps.APIVersions, HelmVersion: caps.HelmVersion.Version,
		},
	})
}

// unlike4 are charts that Helm 3 renders otherwise than Helm 4:
// of a subchart under two aliases only the first has subcharts and gives its values
// to those that import them.
var unlike4 = []string{"chart-with-dependency-aliased-twice", "chart-with-import-from-aliased-dependencies"}

// The charts of Helm 4's own tests, and the built-in ones, render to the same bytes,
// but for charts that are refused here, and those that draw random values.
func TestRendersAsHelm4(t *testing.T) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "helm.sh/helm/v4").Output()
	if err != nil {
		t.Fatal(err)
	}
	same, refused := 0, 0
	for _, root := range []string{filepath.Join("..", "..", "charts"), filepath.Join(strings.TrimSpace(string(out)), "pkg")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Name() != "Chart.yaml" {
				return err
			}
			dir := filepath.Dir(path)
			want, helmErr := renderBy4(dir)
			got, err := renderHere(t, dir, render.Helm4)
			if slices.Contains(unlike4, filepath.Base(dir)) {
				if as3, err := renderHere(t, dir, render.Helm3); err != nil || maps.Equal(want, as3.Files) {
					t.Errorf("%s is the same by the rules of Helm 3, %v", dir, err)
				}
			}
			switch {
			case err != nil: // what is refused here is in docs/rendering.md
				refused++
			case helmErr != nil:
				t.Errorf("%s: Helm 4 fails: %v", dir, helmErr)
			case !maps.Equal(want, got.Files):
				if again, _ := renderBy4(dir); !maps.Equal(want, again) {
					return nil // Helm 4 renders it otherwise each time
				}
				t.Errorf("%s: %s", dir, firstDifference(want, got.Files))
			default:
				same++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d charts are the same, %d are refused here", same, refused)
	if same < 30 {
		t.Errorf("only %d charts were compared", same)
	}
}

func firstDifference(want, got map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if want[name] != got[name] {
			return fmt.Sprintf("%s is\n%s\nand of Helm 4\n%s", name, got[name], want[name])
		}
	}
	return "another set of files"
}

// What templates give in Helm 4 and not here, and the other way round. Each entry is a
// row of docs/rendering.md.
func TestRenderingDiffersFromHelm4(t *testing.T) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	const fails = "\x00"
	for name, c := range map[string]struct{ template, four, here string }{
		"new function mustToYaml":       {`{{ mustToYaml (dict "a" 1) }}`, "a: 1", fails},
		"new function mustToToml":       {`{{ mustToToml (dict "a" 1) }}`, "a = 1\n", fails},
		"new function durationSeconds":  {`{{ durationSeconds "1m" }}`, "60", fails},
		"new function mustToDuration":   {`{{ mustToDuration "90" }}`, "1m30s", fails},
		"a field that .Chart lacks":     {`{{ .Chart.Nothing }}`, "", fails},
		"the same: mustToJson":          {`{{ mustToJson (dict "a" "<") }}`, `{"a":"\u003c"}`, `{"a":"\u003c"}`},
		"the same: toYamlPretty":        {`{{ toYamlPretty (dict "a" (list 1)) }}`, "a:\n  - 1", "a:\n  - 1"},
		"the same: fail":                {`{{ fail "no" }}`, fails, fails},
		"the same: required":            {`{{ required "no" nil }}`, fails, fails},
		"the same: lookup":              {`{{ lookup "v1" "Pod" "" "" }}`, "map[]", "map[]"},
		"the same: include and tpl":     {`{{ define "x" }}{{ . }}{{ end }}{{ include "x" (tpl "{{ .Release.Name }}" .) }}`, "demo", "demo"},
		"the same: .Chart":              {`{{ .Chart.Name }}{{ .Chart.Version }}{{ .Chart.IsRoot }}`, "t1.0.0true", "t1.0.0true"},
		"the same: .Capabilities":       {`{{ .Capabilities.KubeVersion.Major }}{{ .Capabilities.APIVersions.Has "v1" }}`, "1true", "1true"},
		"the same: a value that is not": {`{{ .Values.nothing }}`, "", ""},
		"functions of durations":        {`{{ durationMilliseconds "1.5" }} {{ durationMicroseconds 2 }} {{ durationNanoseconds "1us" }} {{ durationMinutes 90 }} {{ durationHours "x" }} {{ durationDays "36h" }} {{ durationWeeks nil }} {{ durationRoundTo "1h31m" "1h" }} {{ durationTruncateTo "1h31m" "1h" }} {{ durationRoundTo "1h31m" "x" }}`, "1500 2000000 1000 1.5 0 1.5 0 2h0m0s 1h0m0s 1h31m0s", fails},
		"no duration":                   {`{{ mustToDuration "soon" }}`, fails, fails},
		"too many seconds":              {`{{ durationSeconds 99999999999 }}`, "0", fails},
		"all of .Chart":                 {`{{ toJson .Chart }}`, `{"APIVersion":"v2","Annotations":null,"AppVersion":"","Condition":"","Dependencies":[],"Deprecated":false,"Description":"","Home":"","Icon":"","IsRoot":true,"Keywords":[],"KubeVersion":"","Maintainers":[],"Name":"t","Sources":[],"Tags":"","Type":"","Version":"1.0.0"}`, `{"name":"t","version":"1.0.0","apiVersion":"v2","IsRoot":true}`},
		"the same: durationRound":       {`{{ durationRound "2h10m5s" }}`, "2h", "2h"},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{"Chart.yaml": "apiVersion: v2\nname: t\nversion: 1.0.0\n", "templates/NOTES.txt": c.template} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		four, here := fails, fails
		files, helmErr := renderBy4(dir)
		if helmErr == nil {
			four = files["t/templates/NOTES.txt"]
		}
		m, err := renderHere(t, dir, render.Helm3)
		if err == nil {
			here = m.Notes
		}
		as4 := fails
		if m, err := renderHere(t, dir, render.Helm4); err == nil {
			as4 = m.Notes
		}
		if as4 != four {
			t.Errorf("%s: by the rules of Helm 4 it is %q, and Helm 4 gives %q", name, as4, four)
		}
		if four != c.four || here != c.here {
			t.Errorf("%s: Helm 4 gives %q (%v), want %q; here it is %q (%v), want %q", name, four, helmErr, c.four, here, err, c.here)
		}
	}
}
