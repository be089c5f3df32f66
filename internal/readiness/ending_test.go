package readiness

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

const onceJob = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec: {ttlSecondsAfterFinished: 0, backoffLimit: 0, template: {metadata: {annotations: {%s}}, spec: {terminationGracePeriodSeconds: 0, restartPolicy: Never, containers: [{name: a, image: a}]}}}"

// A Job that its TTL deletes is what it ended as, whether the wait saw that or
// came too late.
func TestJobThatItsTTLDeletes(t *testing.T) {
	for name, c := range map[string]struct {
		behaviour string
		late      bool // the wait begins when the Job is gone
		want      State
		reason    string
	}{
		"complete":              {"", false, Ready, "Complete"},
		"complete, and late":    {"", true, Ready, "Complete"},
		"failed":                {"fairlead.dev/pod: crash-loop", false, Failed, "BackoffLimitExceeded"},
		"failed, and came late": {"fairlead.dev/pod: crash-loop", true, Failed, "BackoffLimitExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			target := b.apply(fmt.Sprintf(onceJob, c.behaviour))
			target.EndsByTTL = true
			if c.late {
				testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
					_, err := b.client.Resource(target.GVR).Namespace(b.ns).Get(ctx, "once", metav1.GetOptions{})
					if err == nil {
						return fmt.Errorf("the Job is still there")
					}
					return nil
				})
			}
			w := b.wait(Options{Limits: Limits{Grace: map[Cause]time.Duration{CauseFinal: 0}}}, target)
			err := w.end(t)
			got := w.result.Objects[0].Status
			if (err == nil) != (c.want == Ready) || got.State != c.want || got.Reason != c.reason {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}

// A Job that someone deletes before it has finished is gone, TTL or not.
func TestUnfinishedJobThatIsDeleted(t *testing.T) {
	b := newBench(t)
	target := b.apply(fmt.Sprintf(onceJob, "fairlead.dev/pod: never-ready"))
	target.EndsByTTL = true
	w := b.wait(Options{Limits: Limits{Grace: map[Cause]time.Duration{CauseGone: 0}}}, target)
	w.until(t, "its pod", func(u Update) bool { return u.Status.Reason == "Running" })
	background := metav1.DeletePropagationBackground
	if err := b.client.Resource(target.GVR).Namespace(b.ns).Delete(b.ctx, "once", metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	if err := w.end(t); err == nil || w.result.Objects[0].Status.Reason != "NotFound" {
		t.Errorf("%v, %s", err, w.result.Objects[0].Status)
	}
}

// What another client changes in the spec is not what was deployed, however
// ready it is; scaling and other fields do not count.
func TestWaitNoticesWhatOthersChange(t *testing.T) {
	for name, c := range map[string]struct {
		patch, manager string
		again          bool // by the same manager, by server-side apply
		message        string
	}{
		"image":        {patch: `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"other:1"}]}}}}`, manager: "kubectl-set", message: `kubectl-set has changed what was deployed: spec.template.spec.containers[name="app"].image`},
		"replicas":     {patch: `{"spec":{"replicas":2}}`, manager: "kubectl-scale"},
		"a new field":  {patch: `{"spec":{"template":{"metadata":{"annotations":{"restarted":"now"}}}}}`, manager: "kubectl-rollout"},
		"written anew": {again: true, message: "test has written it again since (generation 2, not 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			target := b.written(b.apply(onNodes(workload("Deployment", "web", "web:1", 1, ""))))
			deployments := b.client.Resource(target.GVR).Namespace(b.ns)
			if c.again {
				time.Sleep(1100 * time.Millisecond) // managedFields count seconds
				b.apply(onNodes(workload("Deployment", "web", "web:2", 1, "")))
			} else if _, err := deployments.Patch(b.ctx, "web", types.StrategicMergePatchType, []byte(c.patch), metav1.PatchOptions{FieldManager: c.manager}); err != nil {
				t.Fatal(err)
			}
			w := b.wait(Options{Limits: Limits{Grace: map[Cause]time.Duration{CauseGone: 0}}}, target)
			err := w.end(t)
			got := w.result.Objects[0].Status
			if (err == nil) != (c.message == "") || c.message != "" && (got.Reason != "Overwritten" || got.Message != c.message) {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}

// written is a target with the entry of managedFields that its apply has left.
func (b *bench) written(target Target) Target {
	b.t.Helper()
	live, err := b.client.Resource(target.GVR).Namespace(b.ns).Get(b.ctx, target.Name, metav1.GetOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range live.GetManagedFields() {
		if e.Manager == "test" {
			entry, err := json.Marshal(e)
			if err != nil {
				b.t.Fatal(err)
			}
			target.Written = string(entry)
		}
	}
	return target
}
