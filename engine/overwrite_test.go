package engine_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// interject makes another client write once, right before the engine's first real
// PATCH of the content type is sent.
func (f *fixture) interject(contentType string, write func()) {
	var once sync.Once
	f.engine = f.newEngine(testcluster.Inject(f.config, func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPatch && r.Header.Get("Content-Type") == contentType && !r.URL.Query().Has("dryRun") {
			once.Do(write)
		}
		return nil, nil
	}))
}

// A place that is overwritten as a whole is overwritten as it was planned: what
// others write in between survives, or ends the call.
func TestOverwriteNoticesOthers(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: s, labels: {v: 'TAG'}}\nspec: {selector: {app: web}, ports: [{name: h, port: 80}, {name: i, port: 90}]}\n"
	web := strings.NewReplacer("%s", "", ", image: 'web:1'", ", image: 'web:TAG', env: [{name: A, value: x}]").Replace(plainDeployment)
	swapped := `[{"op":"replace","path":"/spec/template/spec/containers/0/env/0","value":{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}}]`
	const (
		mergePatch = "application/merge-patch+json"
		applyPatch = "application/apply-patch+yaml"
		services   = "v1/services/s"
	)
	for name, c := range map[string]struct {
		chart, path, spoil string
		when               string // the request before which another client writes
		other              string // its JSON patch
		stale              string // the field because of which the call ends; empty: it succeeds
		survives           func(o map[string]any) bool
	}{
		"an annotation": {
			chart: service, path: services, spoil: `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`, when: mergePatch,
			other:    `[{"op":"add","path":"/metadata/annotations/example.com~1other","value":"here"}]`,
			survives: func(o map[string]any) bool { return at(o, "metadata", "annotations", "example.com/other") == "here" },
		},
		"a field beside": {
			chart: service, path: services, spoil: `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`, when: mergePatch,
			other:    `[{"op":"replace","path":"/spec/publishNotReadyAddresses","value":true}]`,
			survives: func(o map[string]any) bool { return at(o, "spec", "publishNotReadyAddresses") == true },
		},
		"between the patch and the apply": {
			chart: service, path: services, spoil: `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`, when: applyPatch,
			other:    `[{"op":"add","path":"/metadata/labels/theirs","value":"here"}]`,
			survives: func(o map[string]any) bool { return at(o, "metadata", "labels", "theirs") == "here" },
		},
		"the list that is overwritten": {
			chart: service, path: services, spoil: `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`, when: mergePatch,
			other: `[{"op":"add","path":"/spec/ports/-","value":{"name":"new","port":99,"protocol":"TCP"}}]`, stale: "spec.ports",
			survives: func(o map[string]any) bool { ports, _ := at(o, "spec", "ports").([]any); return len(ports) == 3 },
		},
		"the list, between the patch and the apply": {
			chart: service, path: services, spoil: `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`, when: applyPatch,
			other: `[{"op":"replace","path":"/spec/ports/0/port","value":82}]`, stale: "spec.ports",
			survives: func(o map[string]any) bool { return at(first(at(o, "spec", "ports")), "port") == float64(82) },
		},
		"another field of the chart": {
			chart: service, path: services, spoil: `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`, when: mergePatch,
			other: `[{"op":"replace","path":"/spec/selector/app","value":"hotfix"}]`, stale: "spec.selector.app",
			survives: func(o map[string]any) bool { return at(o, "spec", "selector", "app") == "hotfix" },
		},
		"an item of a list of a list": {
			chart: web, path: webPath, spoil: swapped, when: mergePatch,
			other: `[{"op":"add","path":"/spec/template/spec/containers/0/env/-","value":{"name":"HOTFIX","value":"1"}}]`, stale: "spec.template.spec.containers",
			survives: func(o map[string]any) bool {
				env, _ := at(first(at(o, "spec", "template", "spec", "containers")), "env").([]any)
				return len(env) == 2
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			chart := func(tag string) engine.Release {
				return f.release(f.chart(map[string]string{"x.yaml": strings.ReplaceAll(c.chart, "TAG", tag)}))
			}
			if _, err := f.engine.Deploy(f.ctx, chart("1"), engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			f.change(c.path, "kubectl-edit", types.JSONPatchType, c.spoil)
			f.interject(c.when, func() { f.change(c.path, "hotfix", types.JSONPatchType, c.other) })
			r := chart("2")
			r.Force = true
			_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true})
			var stale *engine.StalePlanError
			switch {
			case c.stale == "" && err != nil:
				t.Errorf("%v", err)
			case c.stale != "" && (!errors.As(err, &stale) || stale.Field != c.stale || !stale.Applying):
				t.Errorf("returned %v, want a stale plan because of %s", err, c.stale)
			}
			if o := f.object(c.path); !c.survives(o) {
				t.Errorf("live is %v", o["spec"])
			}
			// The next call plans with what is live then.
			if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			f.settled(r)
			if c.path != services {
				return
			}
			// What was overwritten is the release's: it goes when the chart drops it.
			fewer := f.release(f.chart(map[string]string{"x.yaml": strings.Replace(c.chart, ", {name: i, port: 90}", "", 1)}))
			if _, err := f.engine.Deploy(f.ctx, fewer, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			if ports, _ := at(f.object(c.path), "spec", "ports").([]any); len(ports) != 1 {
				t.Errorf("ports are %v", ports)
			}
			f.settled(fewer)
		})
	}
}

// A dry-run invents node ports that the API server refuses when they are written:
// where an item of a Service's ports is replaced, they are left to it.
func TestOverwriteLeavesPortsToTheServer(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: NodePort, selector: {app: web}, ports: [{name: a, port: 80}, {name: c, port: 53}]}\n"}))
	f.deploy(r)
	rename := `[{"op":"replace","path":"/spec/ports/1","value":{"name":"b","port":53,"protocol":"UDP"}}]`
	if _, err := f.client.CoreV1().Services(f.namespace).Patch(f.ctx, "s", types.JSONPatchType, []byte(rename), metav1.PatchOptions{FieldManager: "kubectl-client-side-apply"}); err != nil {
		t.Fatal(err)
	}
	again := r
	again.Force = true
	f.deploy(again)
	s, err := f.client.CoreV1().Services(f.namespace).Get(f.ctx, "s", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Spec.Ports) != 2 || s.Spec.Ports[1].Protocol != "TCP" {
		t.Errorf("the ports are %+v", s.Spec.Ports)
	}
	for _, p := range s.Spec.Ports {
		if p.NodePort == 0 {
			t.Errorf("port %s has no node port", p.Name)
		}
	}
	f.settled(r)
}
