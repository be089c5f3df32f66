package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
)

// inOrder returns a template of a Deployment with one pod, or of another kind,
// with annotations of the object and of its pods.
func inOrder(kind, name, annotations, pod string) string {
	head := fmt.Sprintf("metadata: {name: %s, annotations: {%s}}\n", name, annotations)
	if kind == "ConfigMap" {
		return "apiVersion: v1\nkind: ConfigMap\n" + head + "data: {colour: '{{ .Values.colour }}'}\n"
	}
	return "apiVersion: apps/v1\nkind: " + kind + "\n" + head + fmt.Sprintf(`spec:
  replicas: 1
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}, annotations: {%[2]s}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "c:{{ .Values.tag | default 1 }}"}]}
`, name, pod)
}

func on(refs ...string) string {
	return fmt.Sprintf("config.kubernetes.io/depends-on: '%s'", strings.Join(refs, ","))
}

const here = "apps/namespaces/{{ .Release.Namespace }}/"

// story returns the events that count for the order, as "name:Event".
func (f *fixture) story() []string {
	var out []string
	for _, e := range f.events.take() {
		switch e := e.(type) {
		case engine.Applied:
			out = append(out, e.Object.Name+":"+string(e.Action))
		case engine.Ready:
			out = append(out, e.Object.Name+":Ready")
		case engine.Unready:
			out = append(out, e.Object.Name+":Unready")
		case engine.Failed:
			out = append(out, e.Object.Name+":Failed")
		case engine.Skipped:
			out = append(out, e.Object.Name+":Skipped("+e.Reason+")")
		}
	}
	return out
}

// before checks that the given events are in this order.
func (f *fixture) before(story []string, what ...string) {
	f.Helper()
	last := -1
	for _, w := range what {
		i := slices.Index(story, w)
		if i < 0 || i < last {
			f.Errorf("%v is not in this order in %v", what, story)
			return
		}
		last = i
	}
}

func TestDependantsWaitUntilTheirDependenciesAreReady(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		// Against the order of kinds: the ConfigMap comes last, and objects that
		// do not depend on it do not wait for it.
		"config.yaml": inOrder("ConfigMap", "config", on(here+"Deployment/web"), ""),
		"web.yaml":    inOrder("Deployment", "web", on(here+"StatefulSet/db", here+"Deployment/cache"), ""),
		"cache.yaml":  inOrder("Deployment", "cache", "", ""),
		"db.yaml":     inOrder("StatefulSet", "db", "", "fairlead.dev/pod: slow-ready"),
		"alone.yaml":  inOrder("Deployment", "alone", "", ""),
	})
	p, err := f.engine.Plan(f.ctx, f.release(c), engine.PlanOptions{})
	if err != nil || p.Err() != nil {
		t.Fatal(err, p.Err())
	}
	if notes := strings.Join(p.Report.Notes, "\n"); !strings.Contains(notes, "Deployment "+f.namespace+"/web waits for StatefulSet "+f.namespace+"/db") {
		t.Errorf("the plan notes %s", notes)
	}
	f.events.take()
	f.deploy(f.release(c))
	story := f.story()
	f.before(story, "db:Created", "db:Ready", "web:Created", "config:Created")
	f.before(story, "alone:Created", "web:Created")

	// Unchanged objects wait for nothing, and cost no request.
	f.requests.Reset()
	if rev := f.deploy(f.release(c)); rev.Revision != 1 || len(f.writes()) > 0 {
		t.Errorf("deployed again as revision %d with %v", rev.Revision, f.writes())
	}
	f.events.take()
	f.deploy(f.release(c, "tag=2"))
	f.before(f.story(), "config:Unchanged", "db:Updated", "db:Ready", "web:Updated")

	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	story = f.story()
	f.before(story, "config:Deleted", "web:Deleted", "db:Deleted")
	f.before(story, "web:Deleted", "cache:Deleted")
}

func TestDependantsOfAFailureAreSkipped(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"db.yaml":    inOrder("StatefulSet", "db", "", "fairlead.dev/pod: image-pull-error"),
		"web.yaml":   inOrder("Deployment", "web", on(here+"StatefulSet/db"), ""),
		"proxy.yaml": inOrder("Deployment", "proxy", on(here+"Deployment/web"), ""),
		"cache.yaml": inOrder("Deployment", "cache", "", ""),
		"user.yaml":  inOrder("Deployment", "user", on(here+"Deployment/cache"), ""),
	})
	rev, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{})
	var failed *engine.ApplyError
	var not *engine.NotReadyError
	if !errors.As(err, &failed) || !errors.As(err, &not) || not.Objects[0].Object.Name != "db" {
		t.Fatalf("%v", err)
	}
	if rev == nil || rev.Status != engine.StatusFailed {
		t.Errorf("recorded %v", rev)
	}
	if len(failed.Failed) != 1 || failed.Failed[0].Object.Name != "db" {
		t.Errorf("failed: %v", failed.Failed)
	}
	var skipped []string
	for _, s := range failed.Skipped {
		skipped = append(skipped, s.Name+": "+s.Reason)
	}
	slices.Sort(skipped)
	want := fmt.Sprintf("[proxy: it depends on Deployment %[1]s/web, which was not tried web: it depends on StatefulSet %[1]s/db, which did not become ready]", f.namespace)
	if got := fmt.Sprint(skipped); got != want {
		t.Errorf("skipped %s, want %s", got, want)
	}
	if !strings.Contains(err.Error(), "web was skipped: it depends on StatefulSet") {
		t.Errorf("the error's text is %v", err)
	}
	story := f.story()
	f.before(story, "db:Created", "db:Unready", "web:Skipped(it depends on StatefulSet "+f.namespace+"/db, which did not become ready)")
	f.before(story, "cache:Created", "user:Created") // it does not depend on the failure
	if _, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("web is there: %v", err)
	}

	// Once fixed, the next call continues.
	f.deploy(f.release(f.chart(map[string]string{
		"db.yaml":  inOrder("Deployment", "db", "", ""),
		"web.yaml": inOrder("Deployment", "web", on(here+"Deployment/db"), ""),
	})))
	f.wantHistory("1 failed", "2 deployed")
}

func TestWavesWaitForEachOther(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"first.yaml":  inOrder("Deployment", "first", "fairlead.dev/wave: '-1'", "fairlead.dev/pod: slow-ready"),
		"config.yaml": inOrder("ConfigMap", "config", "", ""),
		"second.yaml": inOrder("Deployment", "second", "", "fairlead.dev/pod: slow-ready"),
		"third.yaml":  inOrder("ConfigMap", "third", "argocd.argoproj.io/sync-wave: '7'", ""),
		"both.yaml":   inOrder("ConfigMap", "both", "fairlead.dev/wave: '-2', argocd.argoproj.io/sync-wave: '9'", ""),
	})
	p, err := f.engine.Plan(f.ctx, f.release(c), engine.PlanOptions{})
	if err != nil || p.Err() != nil {
		t.Fatal(err, p.Err())
	}
	if notes := strings.Join(p.Report.Notes, "\n"); !strings.Contains(notes, "waves, each of them ready before the next: -2 (1 objects), -1 (1 objects), 0 (2 objects), 7 (1 objects)") {
		t.Errorf("the plan notes %s", notes)
	}
	f.events.take()
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	story := f.story()
	f.before(story, "both:Created", "first:Created", "first:Ready", "config:Created", "second:Created", "second:Ready", "third:Created")

	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.before(f.story(), "third:Deleted", "second:Deleted", "config:Deleted", "first:Deleted", "both:Deleted")

	broken := f.chart(map[string]string{
		"first.yaml": inOrder("Deployment", "first", "fairlead.dev/wave: '1'", "fairlead.dev/pod: image-pull-error"),
		"last.yaml":  inOrder("ConfigMap", "last", "fairlead.dev/wave: '2'", ""),
	})
	_, err = f.engine.Deploy(f.ctx, f.release(broken), engine.ApplyOptions{})
	var failed *engine.ApplyError
	if !errors.As(err, &failed) || len(failed.Skipped) != 1 || failed.Skipped[0].Reason != "wave 1, which comes before it, did not become ready" {
		t.Errorf("%v", err)
	}
}

func TestInvalidOrderIsAProblem(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		templates []string
		want      []string
	}{
		"unreadable": {
			[]string{inOrder("ConfigMap", "a", on("Deployment/web"), "")},
			[]string{"ConfigMap", "Deployment/web", "GROUP/namespaces/NAMESPACE/KIND/NAME", "apps/namespaces/shop/Deployment/web"},
		},
		"unknown": {
			[]string{inOrder("ConfigMap", "a", on(here+"Deployment/missing"), "")},
			[]string{"depends on apps/namespaces/", "Deployment/missing, which the release does not have"},
		},
		"without a namespace": {
			[]string{inOrder("ConfigMap", "a", on("/ConfigMap/b"), ""), inOrder("ConfigMap", "b", "", "")},
			[]string{"write /namespaces/" + f.namespace + "/ConfigMap/b"},
		},
		"circle": {
			[]string{inOrder("ConfigMap", "a", on("/namespaces/{{ .Release.Namespace }}/ConfigMap/b"), ""), inOrder("ConfigMap", "b", on("/namespaces/{{ .Release.Namespace }}/ConfigMap/a"), "")},
			[]string{"in a circle", fmt.Sprintf("ConfigMap %[1]s/a → ConfigMap %[1]s/b → ConfigMap %[1]s/a", f.namespace)},
		},
		"itself": {
			[]string{inOrder("ConfigMap", "a", on("/namespaces/{{ .Release.Namespace }}/ConfigMap/a"), "")},
			[]string{"in a circle"},
		},
		"no number": {
			[]string{inOrder("ConfigMap", "a", "fairlead.dev/wave: first", "")},
			[]string{`fairlead.dev/wave is "first"`, "whole number"},
		},
		"a later wave": {
			[]string{inOrder("ConfigMap", "a", on("/namespaces/{{ .Release.Namespace }}/ConfigMap/b"), ""), inOrder("ConfigMap", "b", "fairlead.dev/wave: '3'", "")},
			[]string{"wave 0", "wave 3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			templates := map[string]string{}
			for i, text := range c.templates {
				templates[fmt.Sprintf("%d.yaml", i)] = text
			}
			chart := loadChart(t, "1.0.0", templates)
			p, err := f.engine.Plan(f.ctx, f.release(chart), engine.PlanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Problems) != 1 || p.Problems[0].Kind != engine.ProblemOrder || p.Problems[0].Hint == "" {
				t.Fatalf("problems are %+v", p.Problems)
			}
			f.requests.Reset()
			_, err = f.engine.Deploy(f.ctx, f.release(chart), engine.ApplyOptions{})
			var problem engine.Problem
			if !errors.As(err, &problem) || problem.Kind != engine.ProblemOrder {
				t.Fatalf("%v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
			if w := f.writes(); len(w) > 0 {
				t.Errorf("wrote %v", w)
			}
		})
	}
}

// A malformed annotation does not block an uninstall; an object whose dependant
// is not deleted stays.
func TestADependantThatIsNotDeletedKeepsItsDependencies(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"db.yaml":  inOrder("ConfigMap", "db", on("/namespaces/{{ .Release.Namespace }}/ConfigMap/web"), ""),
		"web.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n",
	})
	f.deploy(f.release(c))
	hold := func(patch string) {
		t.Helper()
		if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Patch(f.ctx, "db", "application/merge-patch+json", []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Error(err)
		}
	}
	hold(`{"metadata":{"finalizers":["example.com/hold"]}}`)
	err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{Timeout: time.Second})
	var failed *engine.ApplyError
	var not *engine.NotReadyError
	if !errors.As(err, &failed) || !errors.As(err, &not) || len(failed.Skipped) != 1 || failed.Skipped[0].Name != "web" || !strings.Contains(failed.Skipped[0].Reason, "db, which depends on it, is still there") {
		t.Errorf("%v", err)
	}
	f.wantConfigMaps("db", "web")
	hold(`{"metadata":{"finalizers":null,"annotations":{"config.kubernetes.io/depends-on":"nonsense"}}}`)
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantConfigMaps()
}

// Namespaces and CRDs may wait too; objects in them, and custom resources, come
// after, in the order of kinds.
func TestNamespacesAndDefinitionsInOrder(t *testing.T) {
	f := newFixture(t)
	group, other := f.namespace+".example.com", f.namespace+"-more"
	crd := strings.NewReplacer("GROUP", group, "ON", on("/Namespace/"+other)).Replace(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.GROUP, annotations: {ON}}
spec:
  group: GROUP
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}
`)
	c := f.chart(map[string]string{
		"first.yaml":     inOrder("ConfigMap", "first", "fairlead.dev/wave: '-1'", ""),
		"namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + other + ", annotations: {" + on("/namespaces/{{ .Release.Namespace }}/ConfigMap/gate") + "}}\n",
		"gate.yaml":      inOrder("ConfigMap", "gate", "", ""),
		"crd.yaml":       crd,
		"gadget.yaml":    "apiVersion: " + group + "/v1\nkind: Gadget\nmetadata: {name: g, namespace: " + other + "}\n",
		"inside.yaml":    strings.Replace(inOrder("ConfigMap", "inside", "", ""), "name: inside", "name: inside, namespace: "+other, 1),
		"web.yaml":       strings.Replace(inOrder("Deployment", "web", "", ""), "name: web", "name: web, namespace: "+other, 1),
	})
	f.deploy(f.release(c))
	story := f.story()
	f.before(story, "first:Created", "gate:Created", other+":Created", "inside:Created", "web:Created")
	f.before(story, other+":Created", "gadgets."+group+":Created", "g:Created")
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.before(f.story(), "gadgets."+group+":Deleted", other+":Deleted", "gate:Deleted", "first:Deleted")
}

// NoWait skips only the wait at the end; if the context ends while the call waits
// for a dependency, it returns what was done so far.
func TestGivingUpWhileADependencyIsWaitedFor(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"db.yaml":  inOrder("Deployment", "db", "", "fairlead.dev/pod: slow-ready"),
		"web.yaml": inOrder("Deployment", "web", on(here+"Deployment/db"), "fairlead.dev/pod: never-ready"),
	})
	if _, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	f.before(f.story(), "db:Ready", "web:Created")

	e, ctx := f.expiringWait("db")
	rev, err := e.Deploy(ctx, f.release(c, "tag=2"), engine.ApplyOptions{})
	var failed *engine.ApplyError
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failed) || len(failed.Failed) != 1 || len(failed.Skipped) != 1 || failed.Skipped[0].Name != "web" {
		t.Errorf("%v", err)
	}
	if rev == nil || rev.Status != engine.StatusPendingUpgrade {
		t.Errorf("recorded %v", rev)
	}
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
}
