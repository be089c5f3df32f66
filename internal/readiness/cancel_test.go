package readiness

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
)

// A wait that is cancelled waits for no timer: on a clock that moves only when
// everything is blocked, no time passes until it returns. All of its goroutines end,
// or synctest fails the test.
func TestCancelWaitsForNothing(t *testing.T) {
	deployments := resources["Deployment"]
	cases := map[string]struct{ list, watch error }{
		"every watch is open":              {},
		"lists fail, and are tried again":  {list: apierrors.NewInternalError(errors.New("busy"))},
		"watches are to be opened in 10 s": {watch: apierrors.NewTooManyRequests("busy", 10)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				obj := object(t, workload("Deployment", "web", "web:1", 1, ""))
				obj.SetNamespace("shop")
				obj.SetUID("1")
				client := fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
					deployments: "DeploymentList", podsGVR: "PodList", replicaSetsGVR: "ReplicaSetList", eventsGVR: "EventList",
				}, obj)
				if c.list != nil {
					client.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, c.list })
				}
				if c.watch != nil {
					client.PrependWatchReactor("*", func(clienttesting.Action) (bool, watch.Interface, error) { return true, nil, c.watch })
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() {
					_, err := Wait(ctx, []Target{{GVR: deployments, Kind: "Deployment", Namespace: "shop", Name: "web", UID: "1"}}, Options{Client: client, Limits: usual()})
					done <- err
				}()
				time.Sleep(1200 * time.Millisecond)
				synctest.Wait()
				cancelled := time.Now()
				cancel()
				err := <-done
				if took := time.Since(cancelled); took != 0 {
					t.Errorf("ended %v after the cancel", took)
				}
				var not *NotReady
				if !errors.Is(err, context.Canceled) || !errors.As(err, &not) || len(not.Objects) != 1 {
					t.Errorf("%v", err)
				}
			})
		})
	}
}
