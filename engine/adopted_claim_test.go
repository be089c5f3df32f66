package engine_test

import (
	"fmt"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/engine"
)

// A claim that is adopted keeps the class that admission, or the volume
// controller, has given it: it cannot change, and the chart does not name it.
func TestAdoptedClaimKeepsItsClass(t *testing.T) {
	const (
		path  = "v1/persistentvolumeclaims/d"
		claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d, labels: {%s}}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}%s}\n"
		other = "argocd-controller"
	)
	claims := schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	for name, c := range map[string]struct {
		create func(f *fixture)
		former []string
	}{
		// What admission sets in a create belongs to the client that creates.
		"by admission, of a manager that is former": {func(f *fixture) {
			f.writeAs(other, false, claims, fmt.Sprintf(claim, "gone: x", ", storageClassName: none"))
		}, []string{other}},
		"by admission, of another manager": {func(f *fixture) {
			f.writeAs(other, false, claims, fmt.Sprintf(claim, "gone: x", ", storageClassName: none"))
		}, nil},
		"by the volume controller": {func(f *fixture) {
			f.writeAs(other, true, claims, fmt.Sprintf(claim, "gone: x", ""))
			f.change(path, "kube-controller-manager", types.MergePatchType, `{"spec":{"storageClassName":"none"}}`)
		}, []string{other}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			var err error
			if f.engine, err = engine.New(f.config, engine.Options{FormerManagers: slices.Concat(engine.HelmManagers(), c.former), OnEvent: f.events.add}); err != nil {
				t.Fatal(err)
			}
			c.create(f)
			r := f.release(f.chart(map[string]string{"d.yaml": fmt.Sprintf(claim, "", "")}))
			r.Adopt = true
			f.planned(path, func() (*engine.Plan, error) { return f.engine.Plan(f.ctx, r, engine.PlanOptions{}) }, engine.ApplyOptions{})
			o := f.object(path)
			if at(o, "spec", "storageClassName") != "none" || (at(o, "metadata", "labels", "gone") == nil) != (c.former != nil) {
				t.Errorf("live is %v", o)
			}
			f.settled(r)
		})
	}
}
