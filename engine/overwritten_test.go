package engine_test

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/engine"
)

// A deploy whose image someone changes while it waits does not succeed with
// another image, and one that someone scales does.
func TestDeployNoticesWhatOthersChange(t *testing.T) {
	for name, c := range map[string]struct{ pods, patch, manager, says string }{
		"image":    {"never-ready", `{"spec":{"template":{"metadata":{"annotations":{"fairlead.dev/pod":"ready"}},"spec":{"containers":[{"name":"web","image":"other:1"}]}}}}`, "kubectl-set", `kubectl-set has changed what was deployed: spec.template`},
		"replicas": {"ready", `{"spec":{"replicas":3}}`, "kubectl-scale", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			e, err := engine.New(f.config, engine.Options{OnEvent: func(e engine.Event) {
				if w, ok := e.(engine.Waiting); ok && w.Reason == "Updating" || ok && w.Reason == "Unavailable" {
					_, _ = f.client.AppsV1().Deployments(f.namespace).Patch(f.ctx, "shop", types.StrategicMergePatchType, []byte(c.patch), metav1.PatchOptions{FieldManager: c.manager})
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			rev, err := e.Deploy(f.ctx, f.release(f.chart(map[string]string{"web.yaml": deployment}), `podAnnotations.fairlead\.dev/pod=`+c.pods), engine.ApplyOptions{})
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var not *engine.NotReadyError
			if !errors.As(err, &not) || not.Objects[0].Cause != engine.CauseGone || not.Objects[0].Reason != "Overwritten" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, %v", rev, err)
			}
		})
	}
}
