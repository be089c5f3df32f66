package execrender_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fairlead-dev/fairlead/render"
	"github.com/fairlead-dev/fairlead/render/execrender"
)

var chart = fstest.MapFS{
	"Chart.yaml":       {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
	"templates/a.yaml": {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: old}\n")},
	"templates/h.yaml": {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: h, annotations: {helm.sh/hook: pre-install}}\ndata: {key: old}\n")},
	"crds/c.yaml":      {Data: []byte("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: c.example.com, annotations: {key: old}}\n")},
}

func shell(t *testing.T, script string) execrender.Command {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("no /bin/sh")
	}
	return execrender.Command{Path: "/bin/sh", Args: []string{"-c", script}}
}

func rendered(t *testing.T, c execrender.Command, scope render.PostRenderScope) (*render.Manifest, error) {
	t.Helper()
	web, err := render.LoadFS(chart)
	if err != nil {
		t.Fatal(err)
	}
	return web.Render(t.Context(), render.Input{Name: "demo", PostRender: []render.PostRenderer{c}, PostRenderScope: scope})
}

func TestCommand(t *testing.T) {
	change := shell(t, `while read -r line; do case "$line" in *old*) echo "$line" | /bin/sed "s/old/$NEW/" ;; *) echo "$line" ;; esac; done`)
	change.Env = []string{"NEW=new"}
	for scope, want := range map[render.PostRenderScope]string{
		render.PostRenderObjects: "new old old", render.PostRenderHooks: "new new old", render.PostRenderAll: "new new new",
	} {
		m, err := rendered(t, change, scope)
		if err != nil {
			t.Fatalf("%q: %v", scope, err)
		}
		if len(m.Objects) != 1 || len(m.Hooks) != 1 || len(m.CRDs) != 1 {
			t.Fatalf("%q: %d objects, %d hooks, %d CRDs", scope, len(m.Objects), len(m.Hooks), len(m.CRDs))
		}
		value := func(o render.Object) string {
			if data, ok := o.Object["data"].(map[string]any); ok {
				return data["key"].(string)
			}
			return o.GetAnnotations()["key"]
		}
		if got := value(m.Objects[0]) + " " + value(m.Hooks[0].Object) + " " + value(m.CRDs[0]); got != want {
			t.Errorf("%q: %s, want %s", scope, got, want)
		}
		if m.Objects[0].Source != "web/templates/a.yaml" || m.Hooks[0].Source != "web/templates/h.yaml" {
			t.Errorf("%q: sources are %s and %s", scope, m.Objects[0].Source, m.Hooks[0].Source)
		}
	}
}

func TestCommandHasNoEnvironment(t *testing.T) {
	t.Setenv("CANARY", "canary")
	_, err := rendered(t, shell(t, `echo "[$CANARY]" >&2; exit 3`), "")
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "[]") {
		t.Errorf("%v", err)
	}
}

func TestCommandIsBounded(t *testing.T) {
	endless := shell(t, `while :; do echo "# more and more and more and more"; done`)
	endless.Limits = render.Limits{OutputBytes: 1 << 20}
	var limit *render.LimitError
	if _, err := rendered(t, endless, ""); !errors.As(err, &limit) || limit.Limit != "OutputBytes" {
		t.Errorf("endless output: %v", err)
	}
	slow := shell(t, `while :; do :; done`)
	slow.Timeout = 50 * time.Millisecond
	if _, err := rendered(t, slow, ""); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("an endless program: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := shell(t, "exit 0").PostRender(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	loud := shell(t, `i=0; while [ $i -lt 5000 ]; do echo "0123456789 $(printf '\033[31m')"; i=$((i+1)); done >&2; exit 1`)
	if _, err := rendered(t, loud, ""); err == nil || len(err.Error()) > 3000 || strings.Contains(err.Error(), "\033") {
		t.Errorf("a long stderr: %d bytes", len(err.Error()))
	}
	for name, c := range map[string]execrender.Command{
		"relative": {Path: "sh"}, "missing": {Path: "/nowhere/at/all"}, "no YAML": shell(t, `echo "a: [b"`),
	} {
		if _, err := rendered(t, c, ""); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestUnknownScope(t *testing.T) {
	if _, err := rendered(t, shell(t, "exit 0"), "Everything"); err == nil || !strings.Contains(err.Error(), "scope") {
		t.Errorf("%v", err)
	}
}
