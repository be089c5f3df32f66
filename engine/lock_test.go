package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// hold creates a Lease of another process on the release.
func (f *fixture) hold(holder string, renewed time.Time, seconds int32) *coordinationv1.Lease {
	f.Helper()
	at := metav1.NewMicroTime(renewed)
	l, err := f.client.CoordinationV1().Leases(f.namespace).Create(f.ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "fairlead-shop"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &at, RenewTime: &at},
	}, metav1.CreateOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return l
}

func (f *fixture) wantNoLease() {
	f.Helper()
	if _, err := f.client.CoordinationV1().Leases(f.namespace).Get(f.ctx, "fairlead-shop", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		f.Errorf("the lease is left behind: %v", err)
	}
}

func waited(events []engine.Event) int {
	n := 0
	for _, e := range events {
		if _, ok := e.(engine.LockWaited); ok {
			n++
		}
	}
	return n
}

func TestLeaseOfADeadProcessIsTakenOver(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"a.yaml": configMap}))
	f.hold("dead", time.Now().Add(time.Hour), 2) // its clock was wrong, too
	begun := time.Now()
	f.deploy(r)
	if took := time.Since(begun); took < 2*time.Second {
		t.Errorf("taken over after %v, the lease is for 2s", took)
	}
	if n := waited(f.events.take()); n != 1 {
		t.Errorf("%d events LockWaited", n)
	}
	f.wantNoLease()

	f.hold("long dead", time.Now().Add(-time.Hour), 600)
	f.deploy(f.release(f.chart(map[string]string{"a.yaml": configMap}), "colour=red"))
	f.wantHistory("1 superseded", "2 deployed")
	f.wantNoLease()
}

// A Lease without annotations, as another client may have written it, can be
// marked as waiting all the same.
func TestALeaseWithoutAnnotationsIsRenewed(t *testing.T) {
	f := newFixture(t)
	f.hold("long dead", time.Now().Add(-time.Hour), 1)
	e := f.newEngineWith(engine.Options{LeaseDuration: time.Second})
	_, err := e.Deploy(f.ctx, f.release(f.chart(map[string]string{"b.yaml": neverReady})), engine.ApplyOptions{Timeout: 2 * time.Second})
	var not *engine.NotReadyError
	if !errors.As(err, &not) {
		t.Errorf("%v", err)
	}
	f.wantHistory("1 failed")
	f.wantNoLease()
}

func TestLeaseOfALiveProcessIsRespected(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap})
	lease := f.hold("alive", time.Now(), 3)
	ctx, cancel := context.WithCancel(f.ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		for ctx.Err() == nil {
			now := metav1.NowMicro()
			lease.Spec.RenewTime = &now
			if l, err := f.client.CoordinationV1().Leases(f.namespace).Update(ctx, lease, metav1.UpdateOptions{}); err == nil {
				lease = l
			}
			time.Sleep(300 * time.Millisecond)
		}
	})
	f.requests.Reset()
	_, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{})
	if !errors.Is(err, engine.ErrBusy) || !strings.Contains(err.Error(), "alive") {
		t.Errorf("%v", err)
	}
	_, err = f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{LockTimeout: time.Second, Supersede: true})
	if !errors.Is(err, engine.ErrBusy) {
		t.Errorf("with a time to wait: %v", err)
	}
	for _, w := range f.writes() {
		if !strings.Contains(w, "/leases") {
			t.Errorf("wrote %s", w)
		}
	}
	short, stop := context.WithTimeout(f.ctx, 500*time.Millisecond)
	defer stop()
	if _, err = f.engine.Deploy(short, f.release(c), engine.ApplyOptions{LockTimeout: time.Minute}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a context that ends: %v", err)
	}

	// The holder finishes while the next one waits.
	done := make(chan error)
	go func() {
		_, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{LockTimeout: time.Minute})
		done <- err
	}()
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		if waited(f.events.take()) == 0 {
			return errors.New("no process waits yet")
		}
		return nil
	})
	cancel()
	renewing.Wait()
	if err := f.client.CoordinationV1().Leases(f.namespace).Delete(f.ctx, "fairlead-shop", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	f.wantHistory("1 deployed")
}

// neverReady is a Deployment whose pods run and never become ready.
var neverReady = strings.Replace(deployment, "annotations: {{", `annotations: {fairlead.dev/pod: never-ready}
      #`, 1)

func TestDeployThatOnlyWaitsIsSuperseded(t *testing.T) {
	f := newFixture(t)
	f.engine = f.newEngineWith(engine.Options{LeaseDuration: time.Second})
	older := make(chan error)
	go func() {
		_, err := f.engine.Deploy(f.ctx, f.release(f.chart(map[string]string{"b.yaml": neverReady})), engine.ApplyOptions{})
		older <- err
	}()
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		l, err := f.client.CoordinationV1().Leases(f.namespace).Get(ctx, "fairlead-shop", metav1.GetOptions{})
		if err == nil && l.Annotations["fairlead.dev/waiting"] == "" {
			err = errors.New("it does not wait yet")
		}
		return err
	})
	newer := f.newEngine(f.config)
	r := f.release(f.chart(map[string]string{"b.yaml": deployment}))
	if _, err := newer.Deploy(f.ctx, r, engine.ApplyOptions{}); !errors.Is(err, engine.ErrBusy) {
		t.Errorf("without leave: %v", err)
	}
	if _, err := newer.Deploy(f.ctx, r, engine.ApplyOptions{Supersede: true}); err != nil {
		t.Error(err)
	}
	if err := <-older; !errors.Is(err, engine.ErrSuperseded) {
		t.Errorf("the older one ended with %v", err)
	}
	f.wantHistory("1 failed", "2 deployed") // it never was healthy
	f.wantNoLease()
}

func TestWithoutPermissionsOnLeases(t *testing.T) {
	f := newFixture(t)
	cfg := f.cluster.User(t, f.namespace,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"*"}},
	)
	e := f.newEngine(cfg)
	if _, err := e.Deploy(f.ctx, f.release(f.chart(map[string]string{"a.yaml": configMap})), engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	warned := false
	for _, event := range f.events.take() {
		if w, ok := event.(engine.Warning); ok && strings.Contains(w.Message, "leases") {
			warned = true
		}
	}
	if !warned {
		t.Error("no warning that concurrent deploys are not blocked")
	}
	f.wantHistory("1 deployed")
}
