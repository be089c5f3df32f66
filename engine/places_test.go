package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

const scalerV1 = `
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: {{ .Release.Name }}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .Release.Name }}}
  minReplicas: 2
  maxReplicas: {{ .Values.max | default 5 }}
  targetCPUUtilizationPercentage: 70
`

const scalerV2 = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: {{ .Release.Name }}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .Release.Name }}}
  minReplicas: 2
  maxReplicas: {{ .Values.max | default 5 }}
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
`

// One object served in two versions stays the same object.
func TestAnObjectThatChangesItsVersionIsUpdated(t *testing.T) {
	f := newFixture(t)
	one := f.chart(map[string]string{"hpa.yaml": scalerV1})
	two := f.chart(map[string]string{"hpa.yaml": scalerV2})
	f.deploy(f.release(one))
	scalers := f.client.AutoscalingV2().HorizontalPodAutoscalers(f.namespace)
	first, err := scalers.Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.engine.Plan(f.ctx, f.release(two, "max=7"), engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Report.Changes) != 1 || p.Report.Changes[0].Action != diff.Updated {
		t.Errorf("the plan is %+v", p.Report.Changes)
	}
	f.deploy(f.release(two, "max=7"))
	second, err := scalers.Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil || second.UID != first.UID || second.Spec.MaxReplicas != 7 || len(second.Spec.Metrics) != 1 {
		t.Errorf("after the change of version: %v %+v", err, second.Spec)
	}
	f.requests.Reset()
	if rev := f.deploy(f.release(two, "max=7")); rev.Revision != 2 || len(f.writes()) > 0 {
		t.Errorf("deployed again: revision %d, wrote %v", rev.Revision, f.writes())
	}
	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	third, err := scalers.Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil || third.UID != first.UID || third.Spec.MaxReplicas != 5 {
		t.Errorf("after the rollback: %v %+v", err, third.Spec)
	}
}

// An earlier revision has an object in a version that the API server no longer
// serves: the object still exists, in a version that is served.
func TestAnObjectOfAVersionNoLongerServed(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "hpa.yaml": scalerV2})
	f.deploy(f.release(c))
	f.rewriteManifest(1, "autoscaling/v2", "autoscaling/v2beta1")
	p, err := f.engine.Plan(f.ctx, f.release(f.chart(map[string]string{"config.yaml": configMap})), engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if w := strings.Join(p.Report.Warnings, "\n"); !strings.Contains(w, "shop as autoscaling/v2beta1, which the API server no longer serves; reading it as autoscaling/v2") {
		t.Errorf("the plan does not say so: %q", w)
	}
	deleted := 0
	for _, c := range p.Report.Changes {
		if c.Action == diff.Deleted && c.Object.Kind == "HorizontalPodAutoscaler" {
			deleted++
		}
	}
	if deleted != 1 {
		t.Errorf("what left the manifest is not deleted: %s", p.Report.Summary())
	}
	f.deploy(f.release(c))
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.AutoscalingV2().HorizontalPodAutoscalers(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after the uninstall: %v", err)
	}
}

// A deprecated version is reported whether the object changes or not.
func TestAnObjectOfADeprecatedVersion(t *testing.T) {
	f := newFixture(t)
	f.since(33, "v1 Endpoints is the kind that is deprecated in all versions since; before, none is that is served by default")
	endpoints := "apiVersion: v1\nkind: Endpoints\nmetadata: {name: old, labels: {a: {{ .Values.a | default 1 | quote }}}}\n"
	c := f.chart(map[string]string{"old.yaml": endpoints, "config.yaml": configMap})
	f.deploy(f.release(c))
	for _, r := range []engine.Release{f.release(c), f.release(c, "a=2")} {
		for _, change := range f.plan(r).Report.Changes {
			deprecated := slices.ContainsFunc(change.Warnings, func(w string) bool { return strings.Contains(w, "v1 Endpoints is deprecated") })
			if deprecated != (change.Object.Kind == "Endpoints") || len(change.Warnings) > 1 {
				t.Errorf("%s %s: warnings are %q", change.Action, change.Object, change.Warnings)
			}
		}
	}
	p, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
	if err != nil || !strings.Contains(fmt.Sprint(p.Report.Changes), "v1 Endpoints is deprecated") {
		t.Errorf("%v, %+v", err, p)
	}
}

// A release has objects in a namespace that it creates itself, and cluster-scoped
// ones.
func TestObjectsElsewhere(t *testing.T) {
	f := newFixture(t)
	other := f.namespace + "-made"
	class := f.namespace + "-class"
	c := f.chart(map[string]string{
		"list.yaml": `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: in-a-list}, data: {a: "{{ .Values.a | default 1 }}"}}
- {apiVersion: v1, kind: Namespace, metadata: {name: ` + other + `}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: far, namespace: ` + other + `}, data: {a: b}}
`,
		"class.yaml": "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: " + class + ", namespace: ignored}\nvalue: 5\n",
	})
	t.Cleanup(func() {
		_ = f.client.CoreV1().Namespaces().Delete(context.Background(), other, metav1.DeleteOptions{})
		_ = f.client.SchedulingV1().PriorityClasses().Delete(context.Background(), class, metav1.DeleteOptions{})
	})
	if _, err := f.engine.Plan(f.ctx, f.release(c), engine.PlanOptions{DryRun: engine.DryRunAll}); err != nil {
		t.Fatal(err)
	}
	f.deploy(f.release(c))
	if _, err := f.client.CoreV1().ConfigMaps(other).Get(f.ctx, "far", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	f.requests.Reset()
	if rev := f.deploy(f.release(c)); rev.Revision != 1 || len(f.writes()) > 0 {
		t.Errorf("deployed again: revision %d, wrote %v", rev.Revision, f.writes())
	}
	f.deploy(f.release(c, "a=2"))
	p, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(p.Report.Changes); got != 4 {
		t.Errorf("%d objects to uninstall: %+v", got, p.Report.Changes)
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.SchedulingV1().PriorityClasses().Get(f.ctx, class, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the class: %v", err)
	}
	if _, err := f.client.CoreV1().Namespaces().Get(f.ctx, other, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the namespace: %v", err)
	}
}

// The chart contains the release's own namespace, which is to be created.
func TestTheReleasesOwnNamespaceInTheChart(t *testing.T) {
	f := newFixture(t)
	f.key.Namespace = f.namespace + "-own"
	t.Cleanup(func() {
		_ = f.client.CoreV1().Namespaces().Delete(context.Background(), f.key.Namespace, metav1.DeleteOptions{})
	})
	c := f.chart(map[string]string{
		"ns.yaml":     "apiVersion: v1\nkind: Namespace\nmetadata: {name: {{ .Release.Namespace }}, labels: {team: shop}, annotations: {helm.sh/resource-policy: keep}}\n",
		"config.yaml": configMap,
	})
	r := f.release(c)
	r.CreateNamespace = true
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Report.Changes) != 2 {
		t.Errorf("the plan names %d objects: %s", len(p.Report.Changes), p.Report.Summary())
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	ns, err := f.client.CoreV1().Namespaces().Get(f.ctx, f.key.Namespace, metav1.GetOptions{})
	if err != nil || ns.Labels["team"] != "shop" {
		t.Errorf("the namespace: %v, %v", ns.Labels, err)
	}
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
}

// If the namespace of an object is missing, nothing is written.
func TestMissingNamespaceOfAnObject(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"config.yaml": configMap,
		"far.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: far, namespace: " + f.namespace + "-none}\n",
	})
	_, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{})
	f.refused(err, engine.ErrNamespaceNotFound, f.namespace+"-none", "far")
}

const gadgetCRD = `apiVersion: apiextensions.k8s.io/v1
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
`

const gadget = "apiVersion: GROUP/v1\nkind: Gadget\nmetadata: {name: g}\nspec: {size: {{ .Values.size | default 1 }}}\n"

// A CRD in the templates is created and deleted with the release, and one Engine
// notices both.
func TestDefinitionInTheTemplatesComesAndGoes(t *testing.T) {
	f := newFixture(t)
	group := f.namespace + ".example.org"
	f.deleteCRD("gadgets." + group)
	c := f.chart(map[string]string{
		"crd.yaml":    strings.ReplaceAll(gadgetCRD, "GROUP", group),
		"gadget.yaml": strings.ReplaceAll(gadget, "GROUP", group),
	})
	for round := range 2 {
		if _, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if _, err := f.engine.Deploy(f.ctx, f.release(c, "size=2"), engine.ApplyOptions{}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	f.deploy(f.release(c))
	// The CRD is deleted by hand, and with it all gadgets.
	f.deleteCRDNow("gadgets." + group)
	if _, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{}); err != nil {
		t.Fatalf("after the definition was deleted: %v", err)
	}
	// The CRD and its objects are removed from the chart at once.
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap})))
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) deleteCRD(name string) {
	f.Cleanup(func() {
		client := dynamic.NewForConfigOrDie(f.cluster.Config()).Resource(crds)
		if err := client.Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			f.Log(err)
		}
	})
}

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

func (f *fixture) deleteCRDNow(name string) {
	f.Helper()
	client := dynamic.NewForConfigOrDie(f.cluster.Config()).Resource(crds)
	if err := client.Delete(f.ctx, name, metav1.DeleteOptions{}); err != nil {
		f.Fatal(err)
	}
	testcluster.Eventually(f, time.Minute, func(ctx context.Context) error {
		if _, err := client.Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the definition is still there: %v", err)
		}
		return nil
	})
}

// A chart that renders no objects is a release without objects; an upgrade to it
// deletes all, and the plan says so.
func TestReleaseWithoutObjects(t *testing.T) {
	f := newFixture(t)
	nothing := f.chart(map[string]string{"config.yaml": "# {{ .Release.Name }}\n"})
	c := f.chart(map[string]string{"config.yaml": configMap})
	if rev := f.deploy(f.release(nothing)); rev.Revision != 1 || rev.Status != engine.StatusDeployed {
		t.Errorf("nothing, installed: %+v", rev)
	}
	f.deploy(f.release(c))
	empty := f.release(nothing)
	empty.UnsafePrune = true
	p, err := f.engine.Plan(f.ctx, empty, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Report.Changes) != 1 || p.Report.Changes[0].Action != diff.Deleted {
		t.Errorf("the plan is %+v", p.Report.Changes)
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the last object: %v", err)
	}
	f.requests.Reset()
	if rev := f.deploy(f.release(nothing)); rev.Revision != 3 || len(f.writes()) > 0 {
		t.Errorf("again: revision %d, wrote %v", rev.Revision, f.writes())
	}
	s, err := f.engine.Status(f.ctx, f.key)
	if err != nil || !s.Ready {
		t.Errorf("status: %+v, %v", s, err)
	}
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	secrets, err := f.client.CoreV1().Secrets(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil || len(secrets.Items) > 0 {
		t.Errorf("left behind: %d Secrets, %v", len(secrets.Items), err)
	}
}
