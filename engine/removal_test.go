package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// make creates an object of a resource, as another client would.
func (f *fixture) make(r schema.GroupVersionResource, namespace, text string) {
	f.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		f.Fatal(err)
	}
	client := dynamic.NewForConfigOrDie(f.cluster.Config()).Resource(r)
	testcluster.Eventually(f, time.Minute, func(ctx context.Context) error { // a new kind is served a moment later
		_, err := client.Namespace(namespace).Create(ctx, u, metav1.CreateOptions{})
		return err
	})
}

// names are those of the objects of a resource in all namespaces.
func (f *fixture) names(r schema.GroupVersionResource) []string {
	f.Helper()
	list, err := dynamic.NewForConfigOrDie(f.cluster.Config()).Resource(r).List(f.ctx, metav1.ListOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		f.Fatal(err)
	}
	var out []string
	if err == nil {
		for _, u := range list.Items {
			out = append(out, u.GetName())
		}
	}
	return out
}

// wantContents wants a call to be refused by one problem about what goes along.
func (f *fixture) wantContents(err error, says ...string) {
	f.Helper()
	var problems *engine.ProblemsError
	if !errors.As(err, &problems) || len(problems.Problems) != 1 || problems.Problems[0].Kind != engine.ProblemContents {
		f.Errorf("it returned %v, want one problem of contents", err)
		return
	}
	f.refused(err, nil, append(says, "UnsafeDelete")...)
}

// wantSettled wants a second deploy to write nothing, and no drift.
func (f *fixture) wantSettled(r engine.Release) {
	f.Helper()
	f.requests.Reset()
	f.deploy(r)
	if w := f.writes(); len(w) > 0 {
		f.Errorf("the second deploy wrote %v", w)
	}
	if d := f.drifted(); len(d) > 0 {
		f.Errorf("drifted are %v", d)
	}
}

// A CRD that leaves the chart, or goes with an uninstall, takes along only what
// the caller has agreed to.
func TestNothingGoesUnseenWithADefinition(t *testing.T) {
	g := newGadgets(t)
	gvr := schema.GroupVersionResource{Group: g.group, Version: "v1", Resource: "gadgets"}
	crd := map[string]string{"config.yaml": configMap, "crd.yaml": g.definition([]string{"v1"}, size), "own.yaml": strings.Replace(g.gadget("v1", "size: 1"), "{name: g}", "{name: own}", 1)}
	with, without := g.release(g.chart(crd)), g.release(g.chart(map[string]string{"config.yaml": configMap}))
	object := diff.Object{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition", Name: "gadgets." + g.group}
	agreed := engine.ApplyOptions{UnsafeDelete: []diff.Object{object}}

	// What the release itself has in it is no reason to ask.
	g.deploy(with)
	g.deploy(without)
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		if n := g.names(crds); strings.Contains(strings.Join(n, " "), object.Name) {
			return fmt.Errorf("the definition is still there")
		}
		return nil
	})
	g.wantSettled(without)

	g.deploy(with)
	for i := range 4 {
		g.make(gvr, g.namespace, strings.Replace(g.gadget("v1", "size: 1"), "{name: g}", fmt.Sprintf("{name: other-%d, annotations: {meta.helm.sh/release-name: other, meta.helm.sh/release-namespace: %s}}", i, g.namespace), 1))
	}
	g.requests.Reset()
	_, err := g.engine.Deploy(g.ctx, without, engine.ApplyOptions{})
	g.wantContents(err, "4 objects are deleted with it", "Gadget "+g.namespace+"/other-0", "and 1 more")
	g.wantContents(g.engine.Uninstall(g.ctx, g.key, engine.ApplyOptions{}), "4 objects")
	if got := g.names(gvr); len(got) != 5 {
		t.Errorf("left are %v", got)
	}

	// The permission is not in a stored plan.
	p, err := g.engine.PlanUninstall(g.ctx, g.key, engine.PlanOptions{UnsafeDelete: agreed.UnsafeDelete})
	if err != nil || p.Err() != nil {
		t.Fatalf("%v, %v", err, p.Err())
	}
	if reason := reasonOf(p, object.Name); !strings.Contains(reason, "4 objects are deleted with it") {
		t.Errorf("the plan says %q", reason)
	}
	stored, _ := g.store(p)
	_, err = g.engine.Apply(g.ctx, stored, engine.ApplyOptions{Key: g.key, Kinds: []engine.PlanKind{engine.PlanUninstall}})
	g.wantContents(err, "4 objects")
	refused, err := g.engine.PlanUninstall(g.ctx, g.key, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g.wantContents(refused.Err(), "4 objects")
	text, err := json.Marshal(refused)
	if err != nil {
		t.Fatal(err)
	}
	edited := &engine.Plan{}
	if err := json.Unmarshal(text, edited); err != nil {
		t.Fatal(err)
	}
	edited.Problems = nil
	_, err = g.engine.Apply(g.ctx, edited, engine.ApplyOptions{Key: g.key, Kinds: []engine.PlanKind{engine.PlanUninstall}})
	g.wantContents(err, "4 objects")

	if _, err := g.engine.Deploy(g.ctx, without, agreed); err != nil {
		t.Fatal(err)
	}
	g.wantSettled(without)
	// The API server deletes what a definition held after the definition itself
	// is marked as deleted.
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		if got := g.names(gvr); len(got) != 0 {
			return fmt.Errorf("left are %v", got)
		}
		return nil
	})
}

func reasonOf(p *engine.Plan, name string) string {
	for _, c := range p.Report.Changes {
		if c.Object.Name == name {
			return c.Reason
		}
	}
	return ""
}

// A namespace takes along claims, workloads, other releases.
func TestNothingGoesUnseenWithANamespace(t *testing.T) {
	f := newFixture(t)
	other := f.namespace + "-more"
	space := "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + other + "}\n"
	own := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own, namespace: " + other + "}\n"
	with, without := f.release(f.chart(map[string]string{"config.yaml": configMap, "ns.yaml": space, "own.yaml": own})), f.release(f.chart(map[string]string{"config.yaml": configMap}))
	object := diff.Object{Version: "v1", Kind: "Namespace", Name: other}
	f.deploy(with)
	core := func(resource string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Version: "v1", Resource: resource}
	}
	f.make(core("secrets"), other, "apiVersion: v1\nkind: Secret\nmetadata: {name: sh.helm.release.v1.db.v1, labels: {owner: helm, name: db, status: deployed, version: '1'}}\ntype: helm.sh/release.v1\n")
	f.make(core("persistentvolumeclaims"), other, "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n")
	f.make(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, other, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: 'shop:1.0'}]}}}\n")
	says := []string{"3 objects are deleted with it", "PersistentVolumeClaim " + other + "/data, Deployment " + other + "/web, Secret " + other + "/sh.helm.release.v1.db.v1"}
	f.requests.Reset()
	_, err := f.engine.Deploy(f.ctx, without, engine.ApplyOptions{})
	f.wantContents(err, says...)
	f.wantContents(f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}), says...)
	if _, err := f.engine.Deploy(f.ctx, without, engine.ApplyOptions{UnsafeDelete: []diff.Object{object}}); err != nil {
		t.Fatal(err)
	}
	f.wantSettled(without)
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		ns, err := f.client.CoreV1().Namespaces().Get(ctx, other, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && ns.DeletionTimestamp != nil {
			return nil
		}
		return fmt.Errorf("the namespace is still there: %v", err)
	})
}

// A claim with data that leaves the manifest is asked about, with the pods that
// use it; an uninstall says what becomes of it.
func TestNothingGoesUnseenWithAClaim(t *testing.T) {
	f := newFixture(t)
	class := f.class(true)
	claim := "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {storageClassName: " + class + ", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: user}\nspec: {terminationGracePeriodSeconds: 0, containers: [{name: web, image: 'shop:1.0'}], volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]}\n"
	with, without := f.release(f.chart(map[string]string{"config.yaml": configMap, "claim.yaml": claim})), f.release(f.chart(map[string]string{"config.yaml": configMap}))
	object := diff.Object{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: f.namespace, Name: "data"}

	// One that holds nothing goes without a question.
	f.deploy(with)
	f.deploy(without)
	f.wantSettled(without)

	f.deploy(with)
	f.make(schema.GroupVersionResource{Version: "v1", Resource: "pods"}, f.namespace, pod)
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		c, err := f.client.CoreV1().PersistentVolumeClaims(f.namespace).Get(ctx, "data", metav1.GetOptions{})
		if err == nil && c.Status.Phase != corev1.ClaimBound {
			err = fmt.Errorf("the claim is %s", c.Status.Phase)
		}
		return err
	})
	f.requests.Reset()
	_, err := f.engine.Deploy(f.ctx, without, engine.ApplyOptions{})
	f.wantContents(err, "its data (1Gi in volume ", "pods use it: user")
	p, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
	if err != nil || p.Err() != nil || !strings.Contains(reasonOf(p, "data"), "its data (1Gi in volume ") {
		t.Errorf("%v, %v, %q", err, p.Err(), reasonOf(p, "data"))
	}
	if err := f.client.CoreV1().Pods(f.namespace).Delete(f.ctx, "user", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.engine.Deploy(f.ctx, without, engine.ApplyOptions{UnsafeDelete: []diff.Object{object}}); err != nil {
		t.Fatal(err)
	}
	f.wantSettled(without)
}

// What may be deleted with what it holds is named in full.
func TestUnsafeDeleteIsValidated(t *testing.T) {
	f := newFixture(t)
	for name, o := range map[string]diff.Object{
		"another kind":          {Version: "v1", Kind: "Secret", Namespace: "a", Name: "b"},
		"no name":               {Version: "v1", Kind: "Namespace"},
		"a claim of nowhere":    {Version: "v1", Kind: "PersistentVolumeClaim", Name: "b"},
		"a namespace somewhere": {Version: "v1", Kind: "Namespace", Namespace: "a", Name: "b"},
	} {
		if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{UnsafeDelete: []diff.Object{o}}); !errors.Is(err, engine.ErrInvalidOptions) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{UnsafeDelete: []diff.Object{o}}); !errors.Is(err, engine.ErrInvalidOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
