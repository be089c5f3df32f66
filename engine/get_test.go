package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

const storedSecret = `
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: {{ .Values.password }}}
`

const storedHook = `
apiVersion: v1
kind: ConfigMap
metadata:
  name: prepare
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-5"}
data: {password: {{ .Values.password }}}
`

// Get returns all that is stored of a revision, and prints none of it; Compare
// shows what changed between two of them, without their Secrets.
func TestGetAndCompareStoredRevisions(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"values.yaml": "colour: blue\nlimits: {cpu: 1, memory: 2}\n", "config.yaml": configMap, "secret.yaml": storedSecret, "hook.yaml": storedHook,
		"NOTES.txt": "the password is {{ .Values.password }}",
	})
	r := f.release(c, "password=correct-horse", "limits.cpu=null", "count=1234567890123")
	r.Cause = "first"
	f.deploy(r)
	f.deploy(f.release(c, "password=battery-staple", "colour=red"))

	f.requests.Reset()
	got, err := f.engine.Get(f.ctx, f.key, 1)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.requests.Requests()); n != 1 {
		t.Errorf("Get sent %d requests", n)
	}
	if got.Revision.Revision != 1 || got.Revision.Cause != "first" || got.Revision.Status != engine.StatusSuperseded || got.Chart.Name != "shop" || got.Chart.Version != "1.0.0" || got.ChartTrimmed != "" {
		t.Errorf("got %+v", got.Revision)
	}
	given := map[string]any{"password": "correct-horse", "limits": map[string]any{"cpu": nil}, "count": int64(1234567890123)}
	if values := got.Values.Map(); !reflect.DeepEqual(values, given) {
		t.Errorf("values: %v", values)
	}
	computed := map[string]any{"colour": "blue", "password": "correct-horse", "limits": map[string]any{"memory": int64(2)}, "count": int64(1234567890123)}
	if values := got.Computed.Map(); !reflect.DeepEqual(values, computed) {
		t.Errorf("computed values: %v", values)
	}
	if o, _ := got.Computed.Origin("colour"); o.String() != "chart shop-1.0.0" {
		t.Errorf("colour is of %q", o)
	}
	if got.Notes != "the password is correct-horse" || !strings.Contains(got.Manifest, "correct-horse") {
		t.Errorf("notes %q, manifest:\n%s", got.Notes, got.Manifest)
	}
	if len(got.Objects) != 2 || got.Objects[0].GetName() != "db" || got.Objects[0].Source != "shop/templates/secret.yaml" {
		t.Errorf("objects: %v", got.Objects)
	}
	if len(got.Hooks) != 1 || got.Hooks[0].Hook.GetName() != "prepare" || got.Hooks[0].Hook.Weight != -5 || len(got.Hooks[0].Hook.Events) != 2 || got.Hooks[0].Phase != "Succeeded" || got.Hooks[0].CompletedAt.IsZero() {
		t.Errorf("hooks: %v", got.Hooks)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %v %+v %#v", got, got, got, got, *got, got.Hooks, got.Hooks)
	fmt.Fprintf(&out, "%v %+v", got.Values, got.Computed)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("got", "stored", got)
	slog.New(slog.NewTextHandler(&out, nil)).Info("got", "stored", *got)
	if err := json.NewEncoder(&out).Encode(got); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "correct-horse") || !strings.Contains(out.String(), "revision 1 is superseded: first") {
		t.Errorf("printed as %s", &out)
	}
	if newest, err := f.engine.Get(f.ctx, f.key, 0); err != nil || newest.Revision.Revision != 2 {
		t.Errorf("the newest is %v: %v", newest, err)
	}

	report, err := f.engine.Compare(f.ctx, f.key, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := report.WriteText(&out, diff.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&out).Encode(report); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"revision 1 to 2", "data.password", "data.colour", "a hook on pre-install, pre-upgrade", "the user's values differ", "shop/templates/config.yaml"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the comparison does not show %q:\n%s", want, &out)
		}
	}
	for _, hidden := range []string{"correct-horse", "battery-staple"} {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("the comparison shows %s:\n%s", hidden, &out)
		}
	}
	if again, err := f.engine.Compare(f.ctx, f.key, 2, 2); err != nil || len(again.Notes) > 0 || again.Summary() != "no changes" {
		t.Errorf("compared with itself: %+v, %v", again, err)
	}
}

func TestGetAndCompareFail(t *testing.T) {
	f := newFixture(t)
	if _, err := f.engine.Get(f.ctx, f.key, 0); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("nothing is stored: %v", err)
	}
	if _, err := f.engine.Compare(f.ctx, f.key, 0, 0); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("nothing is stored: %v", err)
	}
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap})))
	for _, revision := range []int{-1, 7} {
		if _, err := f.engine.Get(f.ctx, f.key, revision); !errors.Is(err, engine.ErrRevisionNotFound) {
			t.Errorf("revision %d: %v", revision, err)
		}
	}
	if _, err := f.engine.Compare(f.ctx, f.key, 0, 1); !errors.Is(err, engine.ErrRevisionNotFound) {
		t.Errorf("nothing before the first: %v", err)
	}
	f.rewrite(1, func(release map[string]any) { release["manifest"] = "---\n# Source: a\n{{ broken" })
	for what, get := range map[string]func() error{
		"Get":     func() error { _, err := f.engine.Get(f.ctx, f.key, 1); return err },
		"Compare": func() error { _, err := f.engine.Compare(f.ctx, f.key, 1, 1); return err },
	} {
		if err := get(); !errors.Is(err, engine.ErrBrokenRevision) {
			t.Errorf("%s of a broken manifest: %v", what, err)
		}
	}
	f.rewrite(1, func(release map[string]any) { release["version"] = 5 })
	if _, err := f.engine.Get(f.ctx, f.key, 0); !errors.Is(err, engine.ErrBrokenRevision) {
		t.Errorf("a broken body: %v", err)
	}
}
