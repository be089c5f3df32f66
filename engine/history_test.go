package engine_test

import (
	"bytes"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// A release is installed, upgraded, rolled back, uninstalled.
func TestReleaseFromInstallToUninstall(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment})

	r := f.release(c, "tag=1.0")
	r.Cause = "first version"
	rev := f.deploy(r)
	if rev.Revision != 1 || rev.Status != engine.StatusDeployed || rev.Cause != "first version" || rev.Chart != "shop-1.0.0" {
		t.Errorf("installed as %+v", rev)
	}
	web, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if web.Status.ReadyReplicas != 2 {
		t.Errorf("Deploy returned with %d of 2 pods ready", web.Status.ReadyReplicas)
	}
	if got := web.Annotations["kubernetes.io/change-cause"]; got != "first version" {
		t.Errorf("change cause is %q", got)
	}

	r = f.release(c, "tag=2.0", "replicas=3", "colour=red")
	r.Cause = "a new look"
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := p.Report.WriteText(&text, diff.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`spec.template.spec.containers[name="web"].image`, "shop:1.0", "shop:2.0", "spec.replicas", "data.colour"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the plan does not mention %s:\n%s", want, &text)
		}
	}
	rev, err = f.engine.Apply(f.ctx, p, engine.ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if rev.Revision != 2 || p.To != 2 || p.From != 1 {
		t.Errorf("upgraded from %d to %d, planned %d", p.From, rev.Revision, p.To)
	}
	f.wantHistory("1 superseded", "2 deployed")

	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantHistory("1 superseded", "2 superseded", "3 deployed")
	web, _ = f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if image := web.Spec.Template.Spec.Containers[0].Image; image != "shop:1.0" || *web.Spec.Replicas != 2 {
		t.Errorf("after the rollback: image %s, %d replicas", image, *web.Spec.Replicas)
	}
	if got := web.Annotations["kubernetes.io/change-cause"]; got != "rollback to 1: first version" {
		t.Errorf("after the rollback, the change cause is %q", got)
	}
	// kubectl rollout history reads the causes from the ReplicaSets.
	sets, err := f.client.AppsV1().ReplicaSets(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	causes := map[string]string{}
	for _, rs := range sets.Items {
		causes[rs.Spec.Template.Spec.Containers[0].Image] = rs.Annotations["kubernetes.io/change-cause"]
	}
	if causes["shop:1.0"] != "rollback to 1: first version" || causes["shop:2.0"] != "a new look" {
		t.Errorf("rollout history: %v", causes)
	}

	if _, err := f.engine.Rollback(f.ctx, f.key, 2, engine.ApplyOptions{Cause: "the new look after all"}); err != nil {
		t.Fatal(err)
	}
	web, _ = f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if got := web.Annotations["kubernetes.io/change-cause"]; got != "the new look after all" {
		t.Errorf("after a rollback with a cause, the change cause is %q", got)
	}

	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after the uninstall the Deployment: %v", err)
	}
	if _, err := f.engine.History(f.ctx, f.key); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("after the uninstall, History: %v", err)
	}
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("a second uninstall: %v", err)
	}
}

func TestDeployOfNoChangeWritesNothing(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment})
	r := f.release(c)
	r.Cause = "first"
	f.deploy(r)
	f.requests.Reset()
	r.Cause = "another cause alone changes nothing"
	rev := f.deploy(r)
	if rev.Revision != 1 {
		t.Errorf("recorded revision %d", rev.Revision)
	}
	if w := f.writes(); len(w) > 0 {
		t.Errorf("wrote %v", w)
	}
	f.wantHistory("1 deployed")
}

// Other values are recorded even if they change no object, because
// helm get values and --reuse-values read them.
func TestOtherValuesAreRecorded(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	f.deploy(f.release(c))
	f.requests.Reset()
	if rev := f.deploy(f.release(c, "unused=1")); rev.Revision != 2 {
		t.Errorf("revision is %d", rev.Revision)
	}
	for _, w := range f.writes() {
		if strings.Contains(w, "configmaps") {
			t.Errorf("wrote an unchanged object: %s", w)
		}
	}
}

func TestReadingWritesNothing(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment})
	f.deploy(f.release(c))
	f.deploy(f.release(c, "tag=2.0"))
	before, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.requests.Reset()
	if _, err := f.engine.Plan(f.ctx, f.release(c, "tag=3.0"), engine.PlanOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := f.engine.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{}); err != nil {
		t.Error(err)
	}
	report, err := f.engine.Drift(f.ctx, f.key)
	if err != nil {
		t.Error(err)
	}
	for _, c := range report.Changes {
		if c.Changed() {
			t.Errorf("drift of an untouched release: %+v", c)
		}
	}
	s, err := f.engine.Status(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Ready || len(s.Objects) != 2 || s.Revision.Revision != 2 {
		t.Errorf("status is %+v", s)
	}
	list, err := f.engine.List(f.ctx, engine.ListOptions{Namespace: f.namespace})
	if err != nil || len(list) != 1 || list[0].Revision != 2 {
		t.Errorf("list is %+v, %v", list, err)
	}
	if w := f.writes(); len(w) > 0 {
		t.Errorf("wrote %v", w)
	}
	after, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if before.ResourceVersion != after.ResourceVersion {
		t.Error("the Deployment was written")
	}
}

func TestDriftIsShownAndCorrected(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	f.deploy(f.release(c))
	cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cm.Data["colour"] = "blue"
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Update(f.ctx, cm, metav1.UpdateOptions{FieldManager: "kubectl-edit"}); err != nil {
		t.Fatal(err)
	}
	report, err := f.engine.Drift(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Changes) != 1 || len(report.Changes[0].Fields) != 1 {
		t.Fatalf("drift is %+v", report)
	}
	field := report.Changes[0].Fields[0]
	if field.Path != "data.colour" || field.Live != "blue" || field.Desired != "green" || field.Manager != "kubectl-edit" {
		t.Errorf("drift is %+v", field)
	}
	r := f.release(c)
	_, err = f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
	var problems *engine.ProblemsError
	if !errors.As(err, &problems) || problems.Problems[0].Kind != engine.ProblemConflict {
		t.Fatalf("a field that another manager has taken: %v", err)
	}
	r.Force = true
	f.deploy(r)
	cm, _ = f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
	if cm.Data["colour"] != "green" {
		t.Errorf("after forcing, colour is %s", cm.Data["colour"])
	}
}

func TestPruneAndKeep(t *testing.T) {
	f := newFixture(t)
	kept := strings.Replace(configMap, "-config}", "-kept, annotations: {helm.sh/resource-policy: keep}}", 1)
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "kept.yaml": kept, "web.yaml": deployment})))
	f.deploy(f.release(f.chart(map[string]string{"web.yaml": deployment})))
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what left the manifest: %v", err)
	}
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-kept", metav1.GetOptions{}); err != nil {
		t.Errorf("what left the manifest and is to be kept: %v", err)
	}
}

func TestRollbackToNowhere(t *testing.T) {
	f := newFixture(t)
	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("of no release: %v", err)
	}
	c := f.chart(map[string]string{"config.yaml": configMap})
	f.deploy(f.release(c))
	if _, err := f.engine.Rollback(f.ctx, f.key, 7, engine.ApplyOptions{}); !errors.Is(err, engine.ErrRevisionNotFound) {
		t.Errorf("to a revision that is not there: %v", err)
	}
	if _, err := f.engine.Rollback(f.ctx, f.key, 0, engine.ApplyOptions{}); !errors.Is(err, engine.ErrRevisionNotFound) {
		t.Errorf("to the one before the first: %v", err)
	}
	f.deploy(f.release(c, "colour=red"))
	if _, err := f.engine.Rollback(f.ctx, f.key, 0, engine.ApplyOptions{}); err != nil {
		t.Errorf("to the one before: %v", err)
	}
	cm, _ := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
	if cm.Data["colour"] != "green" {
		t.Errorf("colour is %s", cm.Data["colour"])
	}
}

func TestHistoryLimit(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	for _, colour := range []string{"a", "b", "c", "d", "e"} {
		if _, err := f.engine.Deploy(f.ctx, f.release(c, "colour="+colour), engine.ApplyOptions{History: 3}); err != nil {
			t.Fatal(err)
		}
	}
	f.wantHistory("3 superseded", "4 superseded", "5 deployed")
}

// If Helm recorded more releases than are read one by one, their bodies are read
// in pages, with the same result.
func TestListOfReleasesOfHelm(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap})
	secrets := f.client.CoreV1().Secrets(f.namespace)
	for _, name := range []string{"one", "three", "two"} {
		r := f.release(c)
		r.Name, r.Cause = name, "because of "+name
		f.deploy(r)
		// Helm drops annotations when it writes.
		if _, err := secrets.Patch(f.ctx, "sh.helm.release.v1."+name+".v1", types.MergePatchType, []byte(`{"metadata":{"annotations":null}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := secrets.Patch(f.ctx, "sh.helm.release.v1.two.v1", types.MergePatchType, []byte(`{"data":{"release":"bm90aGluZw=="}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	var want []engine.Revision
	for _, concurrency := range []int{16, 1} {
		e, err := engine.New(f.config, engine.Options{Concurrency: concurrency})
		if err != nil {
			t.Fatal(err)
		}
		list, err := e.List(f.ctx, engine.ListOptions{Namespace: f.namespace})
		if err != nil || len(list) != 3 || list[0].Chart != "shop-1.0.0" || list[2].Broken == "" {
			t.Fatalf("listed %+v, %v", list, err)
		}
		if want == nil {
			want = list
		} else if !reflect.DeepEqual(want, list) {
			t.Errorf("in pages %+v\none by one %+v", list, want)
		}
	}
}

// Without permission to delete old revisions they stay; the previous one is
// superseded nevertheless.
func TestHistoryThatCannotBeTrimmed(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	e := f.newEngine(testcluster.Inject(f.cluster.Config(), func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodDelete && strings.Contains(req.URL.Path, "/secrets/") {
			return &http.Response{StatusCode: http.StatusForbidden, Request: req, Body: http.NoBody, Header: http.Header{}}, nil
		}
		if req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, "shop.v2") {
			time.Sleep(200 * time.Millisecond) // by then the deletion is refused
		}
		return nil, nil
	}))
	for i, colour := range []string{"red", "green", "blue"} {
		_, err := e.Deploy(f.ctx, f.release(c, "colour="+colour), engine.ApplyOptions{History: 2})
		if refused := err != nil; refused != (i == 2) {
			t.Errorf("deploy %d: %v", i+1, err)
		}
	}
	f.wantHistory("1 superseded", "2 superseded", "3 deployed")
}
