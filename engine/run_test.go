package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

func TestFailingPodsEndTheWaitWithTheCause(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"b.yaml": deployment})
	rev, err := f.engine.Deploy(f.ctx, f.release(c, `podAnnotations.fairlead\.dev/pod=image-pull-error`), engine.ApplyOptions{})
	var notReady *engine.NotReadyError
	if !errors.As(err, &notReady) {
		t.Fatalf("%v", err)
	}
	d := notReady.Objects[0]
	if !strings.HasPrefix(string(d.Cause), "Image") || d.Object.Kind != "Deployment" || len(d.Pods) == 0 || !strings.Contains(err.Error(), "shop:1.0") {
		t.Errorf("%+v\n%v", d, err)
	}
	if rev.Status != engine.StatusFailed {
		t.Errorf("recorded as %s", rev.Status)
	}
	s, err := f.engine.Status(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	if s.Ready || len(s.Objects[0].Pods) == 0 {
		t.Errorf("status says %+v", s)
	}
	f.deploy(f.release(c))
	f.wantHistory("1 failed", "2 deployed")
}

const job = `
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-%[1]s
  annotations:
    helm.sh/hook: %[1]s
    helm.sh/hook-weight: "%[2]d"
    helm.sh/hook-delete-policy: %[3]s
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {{ .Values.jobAnnotations | default dict | toJson }}}
    spec:
      restartPolicy: Never
      containers: [{name: job, image: "job:1.0"}]
`

func TestHooks(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"config.yaml": configMap,
		"pre.yaml":    fmt.Sprintf(job, "pre-install", 1, "before-hook-creation"),
		"post.yaml":   fmt.Sprintf(job, "post-install", 0, "hook-succeeded"),
		"up.yaml":     fmt.Sprintf(job, "pre-upgrade", 0, "hook-failed"),
		"del.yaml":    fmt.Sprintf(job, "pre-delete", 0, "hook-succeeded"),
	})
	p, err := f.engine.Plan(f.ctx, f.release(c), engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Hooks) != 2 || p.Hooks[0].Event != "pre-install" || p.Hooks[1].Event != "post-install" {
		t.Errorf("planned hooks are %+v", p.Hooks)
	}
	f.deploy(f.release(c))
	var order []string
	for _, e := range f.events.take() {
		switch e := e.(type) {
		case engine.HookEnded:
			order = append(order, e.Event)
		case engine.Applied:
			order = append(order, e.Object.Kind)
		}
	}
	if got := strings.Join(order, " "); got != "pre-install ConfigMap post-install" {
		t.Errorf("order was %s", got)
	}
	f.wantJob("pre-install", true)
	f.wantJob("post-install", false)

	_, err = f.engine.Deploy(f.ctx, f.release(c, "colour=red", `jobAnnotations.fairlead\.dev/pod=crash-loop`), engine.ApplyOptions{})
	if err == nil || !strings.Contains(err.Error(), "pre-upgrade hook") {
		t.Errorf("a hook that fails: %v", err)
	}
	f.wantJob("pre-upgrade", false)
	cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
	if err != nil || cm.Data["colour"] != "green" {
		t.Errorf("after a pre-upgrade hook failed, colour is %s, %v", cm.Data["colour"], err)
	}
	f.wantHistory("1 deployed", "2 failed")
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{NoHooks: true}); err != nil {
		t.Error(err)
	}
}

func (f *fixture) wantJob(name string, there bool) *batchv1.Job {
	f.Helper()
	j, err := f.client.BatchV1().Jobs(f.namespace).Get(f.ctx, "shop-"+name, metav1.GetOptions{})
	if there != (err == nil) || err != nil && !apierrors.IsNotFound(err) {
		f.Errorf("job %s: %v, want it there: %v", name, err, there)
	}
	return j
}

func TestCustomResourceWithItsDefinition(t *testing.T) {
	f := newFixture(t)
	group := f.namespace + ".example.com"
	crd := strings.ReplaceAll(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
`, "GROUP", group)
	gadget := strings.ReplaceAll("apiVersion: GROUP/v1\nkind: Gadget\nmetadata: {name: g}\nspec: {size: {{ .Values.size | default 1 }}}\n", "GROUP", group)
	c := f.chart(map[string]string{"crds/gadget.yaml": crd, "gadget.yaml": gadget})
	t.Cleanup(func() {
		client := dynamic.NewForConfigOrDie(f.cluster.Config())
		crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
		if err := client.Resource(crds).Delete(context.Background(), "gadgets."+group, metav1.DeleteOptions{}); err != nil {
			t.Log(err)
		}
	})
	f.deploy(f.release(c))
	f.requests.Reset()
	if rev := f.deploy(f.release(c)); rev.Revision != 1 {
		t.Errorf("deployed again as revision %d", rev.Revision)
	}
	if w := f.writes(); len(w) > 0 {
		t.Errorf("wrote %v", w)
	}
	if rev := f.deploy(f.release(c, "size=2")); rev.Revision != 2 {
		t.Errorf("changed as revision %d", rev.Revision)
	}
}

func TestEveryObjectHasOneTerminalEvent(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": deployment})
	check := func(what string) {
		t.Helper()
		ends := map[diff.Object]int{}
		for _, e := range f.events.take() {
			if e.Release() != f.key || strings.Contains(e.String(), "\n") {
				t.Errorf("%s: event %q of %s", what, e, e.Release())
			}
			switch e := e.(type) {
			case engine.Applied:
				ends[e.Object]++
			case engine.Kept:
				ends[e.Object]++
			case engine.Failed:
				ends[e.Object]++
			case engine.Skipped:
				ends[e.Object]++
			}
		}
		if len(ends) != 2 {
			t.Errorf("%s: terminal events are %v", what, ends)
		}
		for o, n := range ends {
			if n != 1 {
				t.Errorf("%s: %d terminal events of %s", what, n, o)
			}
		}
	}
	f.deploy(f.release(c))
	check("install")
	f.deploy(f.release(c))
	check("no change")
	f.deploy(f.release(c, "tag=2.0"))
	check("upgrade")
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	check("uninstall")
}

func TestRivalsEndInSuccessOrATypedError(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap})
	var mu sync.Mutex
	var won []int
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			rev, err := f.engine.Deploy(f.ctx, f.release(c, fmt.Sprintf("colour=c%d", i)), engine.ApplyOptions{History: -1})
			mu.Lock()
			defer mu.Unlock()
			var problems *engine.ProblemsError
			switch {
			case err == nil:
				won = append(won, rev.Revision)
			case errors.Is(err, engine.ErrBusy), errors.As(err, &problems):
			default:
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	slices.Sort(won)
	if len(won) == 0 || len(slices.Compact(slices.Clone(won))) != len(won) {
		t.Errorf("won: %v", won)
	}
	f.deploy(f.release(c, "colour=last"))
	cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
	if err != nil || cm.Data["colour"] != "last" {
		t.Errorf("%v %v", cm.Data, err)
	}
}

func TestDatabaseKeepsItsClaims(t *testing.T) {
	f := newFixture(t)
	r := f.release(charts.Database(),
		"replicas=3", "auth.password=canary-Pa55", "storage.size=1Gi", "storageClass.create=true", "storageClass.provisioner=fairlead.dev/volume")
	f.deploy(r)
	p, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, c := range p.Report.Changes {
		if c.Object.Kind == "PersistentVolumeClaim" && c.Action == diff.Kept {
			kept++
		}
	}
	if kept != 3 {
		t.Errorf("the plan names %d claims that stay: %s", kept, p.Report.Summary())
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	claims, err := f.client.CoreV1().PersistentVolumeClaims(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil || len(claims.Items) != 3 {
		t.Errorf("%d claims stayed, %v", len(claims.Items), err)
	}
	f.deploy(r)
	again, err := f.client.CoreV1().PersistentVolumeClaims(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil || len(again.Items) != 3 || again.Items[0].UID != claims.Items[0].UID {
		t.Errorf("deployed again, it did not find its claims: %v", err)
	}
}
