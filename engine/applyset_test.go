package engine_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

const (
	partOf        = "applyset.kubernetes.io/part-of"
	setKinds      = "applyset.kubernetes.io/contains-group-kinds"
	setNamespaces = "applyset.kubernetes.io/additional-namespaces"
)

// setTemplates is a release of a ConfigMap; a Service, if there is a port; and
// a ConfigMap in another namespace, if one is given.
var setTemplates = map[string]string{"a.yaml": configMap, "b.yaml": `
{{ if .Values.port }}
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{port: {{ .Values.port }}}]}
{{ end }}
`, "c.yaml": `
{{ if .Values.place }}
apiVersion: v1
kind: ConfigMap
metadata: {name: there, namespace: {{ .Values.place }}}
{{ end }}
`}

// sets returns an engine with Options.ApplySet.
func (f *fixture) sets() *engine.Engine {
	f.Helper()
	return f.newEngineWith(engine.Options{ApplySet: true})
}

// parent is the parent of the set; nil if there is none.
func (f *fixture) parent() *corev1.ConfigMap {
	f.Helper()
	got, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "fairlead-shop", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		f.Fatal(err)
	}
	return got
}

// wantSet checks the parent, and the members in the release's namespace by
// their label.
func (f *fixture) wantSet(kinds, namespaces string, members ...string) {
	f.Helper()
	p := f.parent()
	if p == nil {
		f.Fatal("there is no parent")
	}
	a := p.Annotations
	if a[setKinds] != kinds || a[setNamespaces] != namespaces || a["applyset.kubernetes.io/tooling"] != "fairlead/v1" || p.Labels[partOf] != "" {
		f.Errorf("the parent has labels %v, annotations %v; want kinds %s and namespaces %q", p.Labels, a, kinds, namespaces)
	}
	f.wantMembers(p.Labels["applyset.kubernetes.io/id"], members...)
}

func (f *fixture) wantMembers(id string, members ...string) {
	f.Helper()
	selector := partOf
	if id != "" {
		selector += "=" + id
	}
	list := metav1.ListOptions{LabelSelector: selector}
	maps, err := f.client.CoreV1().ConfigMaps(f.namespace).List(f.ctx, list)
	if err != nil {
		f.Fatal(err)
	}
	services, err := f.client.CoreV1().Services(f.namespace).List(f.ctx, list)
	if err != nil {
		f.Fatal(err)
	}
	var got []string
	for _, m := range maps.Items {
		got = append(got, "ConfigMap "+m.Name)
	}
	for _, s := range services.Items {
		got = append(got, "Service "+s.Name)
	}
	slices.Sort(got)
	if !slices.Equal(got, members) {
		f.Errorf("members are %v, want %v", got, members)
	}
}

// wantNoChange checks that an equal deploy writes nothing, and that nothing
// has drifted.
func (f *fixture) wantNoChange(r engine.Release) {
	f.Helper()
	f.requests.Reset()
	f.deploy(r)
	if w := f.writes(); len(w) > 0 {
		f.Errorf("an equal deploy wrote %v", w)
	}
	drift, err := f.engine.Drift(f.ctx, f.key)
	if err != nil {
		f.Fatal(err)
	}
	if c := changedIn(drift); len(c) > 0 {
		f.Errorf("these have drifted: %+v", c)
	}
}

// changedIn returns the changes of a report that change something.
func changedIn(r diff.Report) []diff.Change {
	return slices.DeleteFunc(slices.Clone(r.Changes), func(c diff.Change) bool { return !c.Changed() })
}

// position returns the position of the first write by its method and the end of
// its path.
func position(writes []string, method, end string) int {
	return slices.IndexFunc(writes, func(w string) bool { return strings.HasPrefix(w, method+" ") && strings.Contains(w, end) })
}

// A release is a set until it is uninstalled: its parent lists the members
// before the first is written and until the last is deleted.
func TestApplySetOfARelease(t *testing.T) {
	f := newFixture(t)
	f.engine = f.sets()
	c := f.chart(setTemplates)
	place := f.cluster.Namespace(t)
	full := f.release(c, "port=80", "place="+place)
	f.requests.Reset()
	f.deploy(full)
	f.wantSet("ConfigMap,Service", place, "ConfigMap shop-config", "Service shop")
	w := f.writes()
	if parent := position(w, "PATCH", "/configmaps/fairlead-shop"); parent < 0 || parent > position(w, "PATCH", "/configmaps/shop-config") || parent > position(w, "PATCH", "/configmaps/there") {
		t.Errorf("the parent was not written first: %v", w)
	}
	f.wantNoChange(full)

	// A pruned member is listed until it is deleted.
	f.requests.Reset()
	f.deploy(f.release(c))
	f.wantSet("ConfigMap", "", "ConfigMap shop-config")
	w = f.writes()
	if parent := position(w, "PATCH", "/configmaps/fairlead-shop"); parent < position(w, "DELETE", "/services/shop") || parent < position(w, "DELETE", "/configmaps/there") {
		t.Errorf("the parent was not trimmed last: %v", w)
	}
	f.wantNoChange(f.release(c))

	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantSet("ConfigMap,Service", place, "ConfigMap shop-config", "Service shop")
	f.wantNoChange(full)

	f.events.take()
	p := f.plan(f.release(c, "port=81"))
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}

	// Drift of the parent is detected and corrected.
	f.edit("configmaps", "fairlead-shop", "other-manager", `{"metadata":{"annotations":{"`+setKinds+`":"ConfigMap"}}}`)
	drift, err := f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.engine.Apply(f.ctx, drift, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantSet("ConfigMap,Service", "", "ConfigMap shop-config", "Service shop")

	f.requests.Reset()
	if err := f.newEngineWith(engine.Options{}).Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantMembers("")
	if w := f.writes(); f.parent() != nil || position(w, "DELETE", "/configmaps/fairlead-shop") < position(w, "DELETE", "/configmaps/shop-config") {
		t.Errorf("after the uninstall the parent is %v, of %v", f.parent(), w)
	}
}

// While a deploy adds and removes kinds, the parent lists them all, also after
// it has failed in between.
func TestApplySetListsBothInBetween(t *testing.T) {
	f := newFixture(t)
	f.engine = f.sets()
	templates := map[string]string{"a.yaml": configMap, "b.yaml": `
apiVersion: v1
kind: {{ .Values.kind }}
metadata: {name: other}
{{ if .Values.bad }}bad: {{ .Values.bad }}{{ end }}
`}
	c := f.chart(templates)
	f.deploy(f.release(c, "kind=ServiceAccount"))
	f.requests.Reset()
	f.deploy(f.release(c, "kind=Secret"))
	f.wantSet("ConfigMap,Secret", "", "ConfigMap shop-config")
	n := 0
	for _, w := range f.writes() {
		if strings.Contains(w, "/configmaps/fairlead-shop") {
			n++
		}
	}
	if n != 2 {
		t.Errorf("the parent was written %d times, want 2", n)
	}

	failing := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": setTemplates["b.yaml"]})
	refusing := testcluster.Inject(f.config, func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/services/shop") && r.URL.Query().Get("dryRun") == "" {
			return nil, x509.UnknownAuthorityError{} // which is not retried
		}
		return nil, nil
	})
	broken, err := engine.New(refusing, engine.Options{ApplySet: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := broken.Deploy(f.ctx, f.release(failing, "port=80"), engine.ApplyOptions{}); err == nil {
		t.Fatal("the deploy did not fail")
	}
	f.wantSet("ConfigMap,Secret,Service", "", "ConfigMap shop-config")
	for path, cause := range f.causes(f.release(failing, "port=80")) {
		if cause == diff.Drift {
			t.Errorf("after the failure %s counts as drifted", path)
		}
	}
	f.deploy(f.release(failing, "port=80"))
	f.wantSet("ConfigMap,Service", "", "ConfigMap shop-config", "Service shop")
	f.wantNoChange(f.release(failing, "port=80"))
}

// A set may have no members, be in a namespace that is created with it, and be
// planned in one process and applied in another.
func TestApplySetWithoutMembers(t *testing.T) {
	f := newFixture(t)
	f.engine = f.sets()
	f.namespace += "-own"
	f.key.Namespace = f.namespace
	t.Cleanup(func() {
		if err := f.client.CoreV1().Namespaces().Delete(context.Background(), f.namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	r := f.release(f.chart(map[string]string{"NOTES.txt": "nothing"}))
	r.CreateNamespace = true
	stored, _ := f.store(f.plan(r))
	if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r}); err != nil {
		t.Fatal(err)
	}
	f.wantSet("", "")
	if _, known := f.parent().Annotations[setKinds]; !known {
		t.Error("the parent does not say that the set is empty")
	}
	f.wantNoChange(r)
	full := f.release(f.chart(setTemplates), "port=80")
	stored, _ = f.store(f.plan(full))
	if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &full}); err != nil {
		t.Fatal(err)
	}
	f.wantSet("ConfigMap,Service", "", "ConfigMap shop-config", "Service shop")
}

// A rollout leaves its workload in the set, whatever the engine's option, and
// does not change the parent.
func TestRolloutInAnApplySet(t *testing.T) {
	f := newFixture(t)
	plain := f.engine
	f.engine = f.sets()
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": deployment})
	f.deploy(f.release(c))
	id := f.web().Labels[partOf]
	if id == "" {
		t.Fatal("the Deployment is no member")
	}
	for i, e := range []*engine.Engine{f.engine, plain} {
		f.engine = e
		f.requests.Reset()
		f.rollout(engine.Rollout{Workload: "deploy/shop", Verb: engine.Scale, Replicas: 3 + i})
		if w := f.writes(); f.web().Labels[partOf] != id || position(w, "PATCH", "/configmaps/") >= 0 {
			t.Errorf("the Deployment has labels %v after %v", f.web().Labels, w)
		}
	}
	f.wantSet("ConfigMap,Deployment.apps", "", "ConfigMap shop-config")
	f.engine = f.sets()
	f.wantNoChange(f.release(c))
}

// Turning sets on and off is a change like any other, and not drift.
func TestApplySetOnAndOff(t *testing.T) {
	f := newFixture(t)
	c := f.chart(setTemplates)
	r := f.release(c, "port=80")
	plain, sets := f.engine, f.sets()
	f.deploy(r)
	f.engine = sets
	for path, cause := range f.causes(r) {
		if cause != diff.Chart {
			t.Errorf("turned on, %s changes by cause %s", path, cause)
		}
	}
	if drift, err := sets.Drift(f.ctx, f.key); err != nil || len(changedIn(drift)) > 0 {
		t.Errorf("turned on, and not deployed, drift is %+v, %v", drift, err)
	}
	f.deploy(r)
	f.wantSet("ConfigMap,Service", "", "ConfigMap shop-config", "Service shop")
	f.wantNoChange(r)

	f.engine = plain
	if drift, err := plain.Drift(f.ctx, f.key); err != nil || len(changedIn(drift)) > 0 {
		t.Errorf("turned off, and not deployed, drift is %+v, %v", drift, err)
	}
	for path, cause := range f.causes(r) {
		if cause != diff.Removed {
			t.Errorf("turned off, %s changes by cause %s", path, cause)
		}
	}
	f.deploy(r)
	f.wantMembers("")
	if f.parent() != nil {
		t.Error("turned off, the parent stays")
	}
	f.wantHistory("1 superseded", "2 superseded", "3 deployed")
	f.wantNoChange(r)
}

// Helm does not know ApplySets, and does not break them.
func TestApplySetAfterHelm(t *testing.T) {
	f := newFixture(t)
	plain, sets := f.engine, f.sets()
	c := f.chart(setTemplates)
	upgrade := func(colour string) {
		t.Helper()
		u := action.NewUpgrade(f.helm())
		u.Namespace = f.namespace
		if _, err := u.RunWithContext(f.ctx, "shop", helmChart(t, setTemplates), map[string]any{"port": 80, "colour": colour}); err != nil {
			t.Fatal(err)
		}
	}
	f.engine = sets
	f.deploy(f.release(c, "port=80"))
	upgrade("red")
	f.wantNoChange(f.release(c, "port=80", "colour=red"))
	f.wantSet("ConfigMap,Service", "", "ConfigMap shop-config", "Service shop")
	f.deploy(f.release(c, "port=80", "colour=green"))
	f.wantSet("ConfigMap,Service", "", "ConfigMap shop-config", "Service shop")
	upgrade("blue")
	f.engine = plain
	f.deploy(f.release(c, "port=80", "colour=blue"))
	f.wantMembers("")
	if f.parent() != nil {
		t.Error("turned off after Helm, the parent stays")
	}
}

// Members of another set, parents of another tool, and objects that
// Options.Allow blocks are not taken.
func TestApplySetKeepsOffOthers(t *testing.T) {
	f := newFixture(t)
	f.engine = f.sets()
	c := f.chart(setTemplates)
	refused := func(r engine.Release, kind engine.ProblemKind, says string) {
		t.Helper()
		f.requests.Reset()
		_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
		var problem engine.Problem
		if !errors.As(err, &problem) || problem.Kind != kind || !strings.Contains(problem.Message, says) {
			t.Errorf("returned %v, want a problem %s that says %q", err, kind, says)
		}
		if w := f.writes(); len(w) > 0 {
			t.Errorf("wrote %v", w)
		}
	}
	own := f.chart(map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {" + partOf + ": applyset-mine-v1}}\n"})
	refused(f.release(own), engine.ProblemInvalid, "applyset-mine-v1")

	foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "shop-config", Labels: map[string]string{partOf: "applyset-other-v1"}}}
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Create(f.ctx, foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	adopting := f.release(c)
	adopting.Adopt = true
	refused(adopting, engine.ProblemOwned, "another apply set, applyset-other-v1")
	sets := f.engine
	f.engine = f.newEngineWith(engine.Options{})
	refused(adopting, engine.ProblemOwned, "another apply set, applyset-other-v1")
	f.engine = sets
	patch := fmt.Sprintf(`{"metadata":{"labels":{%q:null}}}`, partOf)
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Patch(f.ctx, "shop-config", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	parent := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "fairlead-shop", Annotations: map[string]string{"applyset.kubernetes.io/tooling": "kubectl/v1.37"}}}
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Create(f.ctx, parent, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	refused(adopting, engine.ProblemOwned, "apply set of kubectl")
	if err := f.client.CoreV1().ConfigMaps(f.namespace).Delete(f.ctx, "fairlead-shop", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}

	f.engine = f.newEngineWith(engine.Options{ApplySet: true, Allow: func(a engine.Access) error {
		if a.Object.Name == "fairlead-shop" {
			return errors.New("not this one")
		}
		return nil
	}})
	refused(adopting, engine.ProblemNotAllowed, "blocked by Options.Allow")
	f.engine = sets
	p := f.plan(adopting)
	rules, err := p.PolicyRules()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(rules[f.namespace], func(r rbacv1.PolicyRule) bool {
		return slices.Equal(r.Resources, []string{"configmaps"}) && slices.Contains(r.Verbs, "patch") && slices.Contains(r.ResourceNames, "fairlead-shop")
	}) {
		t.Errorf("the rules are %+v", rules)
	}
	f.deploy(adopting) // adopted objects become members
	f.wantSet("ConfigMap", "", "ConfigMap shop-config")
	f.wantNoChange(adopting)
}
