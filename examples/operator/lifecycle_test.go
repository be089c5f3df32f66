package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// An Application goes with its release, without it, or with its namespace.
func TestDeletion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.operate()
	f.application("orphan", `{}`, func(s *v1alpha1.ApplicationSpec) { s.DeletionPolicy = v1alpha1.Orphan })
	f.application("never", `{"image":{"repository":"example.com/web","tag":"never-ready"}}`)
	f.application("web", `{}`)
	orphan := f.is("orphan", ready)
	never := f.is("never", because("Progressing"))
	f.is("web", ready)
	for _, app := range []*v1alpha1.Application{orphan, never} {
		if err := f.client.Delete(t.Context(), app); err != nil {
			t.Fatal(err)
		}
		f.gone(app)
	}
	f.deployment("orphan")
	if h := f.history("orphan"); !slices.Equal(h, []string{"1 deployed"}) {
		t.Errorf("the history is %v", h)
	}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "never"}}
	f.gone(d)

	// The permissions of the ServiceAccount may go before the release.
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace}}
	if err := f.client.Delete(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	f.gone(namespace)
}

// Without permissions nothing is deleted, and the Application stays until there are
// any again.
func TestDeletionWithoutPermissions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.operate()
	f.application("web", `{}`)
	f.is("web", ready)
	f.revoke("default")
	app := f.is("web", because("Forbidden"))
	if app.Status.Phase != "Deployed" {
		t.Errorf("a pass that failed leaves phase %q", app.Status.Phase)
	}
	if err := f.client.Delete(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	f.is("web", func(a *v1alpha1.Application) bool { return a.DeletionTimestamp != nil && !ready(a) })
	f.deployment("web")
	f.grant("default")
	f.gone(app)
	f.gone(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "web"}})
}

// The leader is killed in the middle of a rollout: the other one goes on with it, in
// the same revision, and nothing is rolled back.
func TestLeaderIsKilled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	// Long enough for a leader that the machine leaves waiting to renew it.
	elect := []string{"-leader-elect", "-lease-duration", "15s"}
	first := f.operate(elect...)
	f.application("web", `{"podAnnotations":{"fairlead.dev/pod":"never-ready"}}`, func(s *v1alpha1.ApplicationSpec) {
		s.OnFailure = v1alpha1.RollBackOrUninstall
	})
	f.is("web", because("Progressing"))
	second := f.operate(elect...)
	testcluster.Eventually(t, within, second.get("readyz", nil))
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	f.markReady("web")
	f.is("web", ready)
	if h := f.history("web"); !slices.Equal(h, []string{"1 deployed"}) {
		t.Errorf("the history is %v", h)
	}
	var leases coordinationv1.LeaseList
	if err := f.client.List(t.Context(), &leases, client.InNamespace(home)); err != nil || len(leases.Items) == 0 {
		t.Errorf("%d leases in %s, %v", len(leases.Items), home, err)
	}
}

// SIGTERM ends the operator within two seconds, and leaves the revision pending; the
// next one goes on with it.
func TestTermination(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := f.operate()
	f.application("web", `{"podAnnotations":{"fairlead.dev/pod":"never-ready"}}`, func(s *v1alpha1.ApplicationSpec) {
		s.OnFailure = v1alpha1.RollBackOrUninstall
	})
	f.is("web", because("Progressing"))
	began := time.Now()
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	// The operator itself gives all that it does 1.5 s; the rest is how busy the machine is.
	if took := time.Since(began); took > 20*time.Second || !first.cmd.ProcessState.Success() {
		t.Errorf("ended with %s after %v", first.cmd.ProcessState, took)
	}
	if h := f.history("web"); !slices.Equal(h, []string{"1 pending-install"}) {
		t.Errorf("the history is %v", h)
	}
	f.operate()
	f.markReady("web")
	f.is("web", ready)
	if h := f.history("web"); !slices.Equal(h, []string{"1 deployed"}) {
		t.Errorf("the history is %v", h)
	}
}

// markReady makes the pods of an Application ready.
func (f *fixture) markReady(name string) {
	f.Helper()
	testcluster.Eventually(f.T, within, func(ctx context.Context) error {
		var pods corev1.PodList
		if err := f.client.List(ctx, &pods, client.InNamespace(f.namespace), client.MatchingLabels{"app.kubernetes.io/instance": name}); err != nil {
			return err
		}
		if len(pods.Items) == 0 || len(pods.Items[0].Status.ContainerStatuses) == 0 {
			return errors.New("no pod runs")
		}
		for _, pod := range pods.Items {
			patch := client.RawPatch(types.StrategicMergePatchType, []byte(`{"metadata":{"annotations":{"fairlead.dev/recover-after":"1ms"}}}`))
			if err := f.client.Patch(ctx, &pod, patch); err != nil {
				return err
			}
		}
		return nil
	})
}

// The operator's chart, and what it deploys by default, run in a namespace with the
// restricted profile of Pod Security.
func TestRestricted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	namespace := &corev1.Namespace{}
	if err := f.client.Get(t.Context(), client.ObjectKey{Name: f.namespace}, namespace); err != nil {
		t.Fatal(err)
	}
	f.patch(namespace, "test", `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
	key := engine.Key{Namespace: f.namespace, Name: "operator"}
	if _, err := deploy(t.Context(), f.cluster.Config(), key); err != nil {
		t.Fatal(err)
	}
	if d := f.deployment("operator"); d.Status.ReadyReplicas != 2 {
		t.Errorf("%+v", d.Status)
	}
	status, err := f.engine.Status(t.Context(), key)
	if err != nil || !status.Ready {
		t.Errorf("%+v, %v", status, err)
	}
	if err := f.engine.Uninstall(t.Context(), key, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
}

// Health, readiness and metrics are served.
func TestServes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	metrics := freeAddress(t)
	o := f.operate("-metrics-address", metrics)
	f.application("web", `{}`)
	f.is("web", ready)
	testcluster.Eventually(t, within, o.get("healthz", nil))
	testcluster.Eventually(t, within, o.get("readyz", nil))
	o.health = metrics
	for _, want := range []string{
		fmt.Sprintf(`fairlead_application_ready{name="web",namespace=%q,phase="Deployed"} 1`, f.namespace),
		`fairlead_pass_duration_seconds_count{phase="Deployed"}`, "controller_runtime_reconcile_total", "workqueue_depth",
	} {
		testcluster.Eventually(t, within, o.get("metrics", func(body string) bool { return strings.Contains(body, want) }))
	}
}

// get is a check of what the operator serves.
func (o *operator) get(path string, check func(body string) bool) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.health+"/"+path, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && (resp.StatusCode != http.StatusOK || check != nil && !check(string(body))) {
			err = fmt.Errorf("%s: %s", resp.Status, body)
		}
		return err
	}
}
