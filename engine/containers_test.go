package engine_test

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// A volume that a claim is bound to leaves only with the caller's consent.
func TestNothingGoesUnseenWithAVolume(t *testing.T) {
	f := newFixture(t)
	volume := func(claim string) string {
		return "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: " + f.namespace + "}\nspec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: none-" + f.namespace + ", persistentVolumeReclaimPolicy: Retain, hostPath: {path: /nowhere}" + claim + "}\n"
	}
	bound := volume(", claimRef: {namespace: " + f.namespace + ", name: data}")
	without := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	object := diff.Object{Version: "v1", Kind: "PersistentVolume", Name: f.namespace}

	// One that no claim is bound to goes without a question.
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "volume.yaml": volume("")})))
	f.deploy(without)
	f.wantSettled(without)

	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "volume.yaml": bound})))
	f.requests.Reset()
	_, err := f.engine.Deploy(f.ctx, without, engine.ApplyOptions{})
	f.wantContents(err, "claim "+f.namespace+"/data is bound to it", "no longer reachable")
	if w := f.writes(); len(w) > 0 {
		t.Errorf("wrote %v", w)
	}
	if _, err := f.engine.Deploy(f.ctx, without, engine.ApplyOptions{UnsafeDelete: []diff.Object{object}}); err != nil {
		t.Fatal(err)
	}
	f.wantSettled(without)
}

// Without the permission to list what a CRD holds it is not deleted.
func TestNothingGoesUnseenWithoutPermission(t *testing.T) {
	g := newGadgets(t)
	with := g.release(g.chart(map[string]string{"config.yaml": configMap, "crd.yaml": g.definition([]string{"v1"}, size)}))
	without := g.release(g.chart(map[string]string{"config.yaml": configMap}))
	g.deploy(with)
	g.make(schema.GroupVersionResource{Group: g.group, Version: "v1", Resource: "gadgets"}, g.namespace, g.gadget("v1", "size: 1"))
	all := []string{"get", "list", "watch", "create", "update", "patch", "delete"}
	user := g.newEngine(g.cluster.User(t, "",
		rbacv1.PolicyRule{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: all},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps", "secrets", "namespaces"}, Verbs: all},
	))
	g.requests.Reset()
	_, err := user.Deploy(g.ctx, without, engine.ApplyOptions{})
	g.wantContents(err, "without permission to list gadgets."+g.group+" it is not known which objects are deleted with it")
	g.wantContents(user.Uninstall(g.ctx, g.key, engine.ApplyOptions{}), "without permission to list")
	g.live("v1")
	object := diff.Object{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition", Name: "gadgets." + g.group}
	if _, err := user.Deploy(g.ctx, without, engine.ApplyOptions{UnsafeDelete: []diff.Object{object}}); err != nil {
		t.Fatal(err)
	}
	g.wantSettled(without)
}

// A CRD that is replaced takes all objects of its kind along, too.
func TestNothingGoesUnseenWithAReplacedDefinition(t *testing.T) {
	g := newGadgets(t)
	crd := strings.Replace(g.definition([]string{"v1"}, size), "metadata: {", "metadata: {annotations: {fairlead.dev/replace: recreate}, ", 1)
	chart := func(scope string) engine.Release {
		return g.release(g.chart(map[string]string{"crd.yaml": strings.Replace(crd, "scope: Namespaced", "scope: "+scope, 1)}))
	}
	g.deploy(chart("Namespaced"))
	g.make(schema.GroupVersionResource{Group: g.group, Version: "v1", Resource: "gadgets"}, g.namespace, g.gadget("v1", "size: 1"))
	g.requests.Reset()
	p := g.fixture.plan(chart("Cluster"))
	g.wantContents(p.Err(), "1 object is deleted with it", "Gadget "+g.namespace+"/g")
	if a := p.Report.Changes[0].Action; a != diff.Replaced {
		t.Errorf("it is %s", a)
	}
	_, err := g.engine.Deploy(g.ctx, chart("Cluster"), engine.ApplyOptions{})
	g.wantContents(err, "Gadget "+g.namespace+"/g")
	if w := g.writes(); len(w) > 0 {
		t.Errorf("wrote %v", w)
	}
	g.live("v1")
	object := diff.Object{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition", Name: "gadgets." + g.group}
	if _, err := g.engine.Deploy(g.ctx, chart("Cluster"), engine.ApplyOptions{UnsafeDelete: []diff.Object{object}}); err != nil {
		t.Fatal(err)
	}
	g.wantSettled(chart("Cluster"))
}
