package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// No permission on Leases is needed, and none to see those of earlier versions.
func TestWithoutPermissionsOnLeases(t *testing.T) {
	f := newFixture(t)
	cfg := f.cluster.User(t, f.namespace,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"*"}},
	)
	e, err := engine.New(cfg, engine.Options{OnEvent: f.events.add, LeaseDuration: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	f.holdAsOlder()
	if _, err := e.Deploy(f.ctx, f.release(f.chart(map[string]string{"a.yaml": configMap})), engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, event := range f.events.take() {
		if w, ok := event.(engine.Warning); ok {
			t.Errorf("warning: %s", w.Message)
		}
	}
	f.wantHistory("1 failed", "2 deployed")
}

// holdAsOlder records a first revision as an engine did that holds a Lease meanwhile.
func (f *fixture) holdAsOlder() {
	f.Helper()
	f.hold("x", time.Now(), time.Second)
	f.editSecret("sh.helm.release.v1.shop.v1", func(s *corev1.Secret) { delete(s.Annotations, holderAnnotation) })
}

// lease creates the Lease of an engine of an earlier version, and renew renews it.
func (f *fixture) lease(holder string, renewed time.Time, seconds int32) (renew func()) {
	f.Helper()
	leases := f.client.CoordinationV1().Leases(f.namespace)
	at := metav1.NewMicroTime(renewed)
	l, err := leases.Create(f.ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "fairlead-shop"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &at, RenewTime: &at},
	}, metav1.CreateOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return func() {
		now := metav1.NowMicro()
		l.Spec.RenewTime = &now
		if got, err := leases.Update(f.ctx, l, metav1.UpdateOptions{}); err == nil {
			l = got
		}
	}
}

// An engine that takes Leases and works on a release is waited for.
func TestAnOlderEngineIsRespected(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"a.yaml": configMap}))
	f.holdAsOlder()
	renew := f.lease("older", time.Now(), 3)
	ctx, cancel := context.WithCancel(f.ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		for ctx.Err() == nil {
			renew()
			time.Sleep(300 * time.Millisecond)
		}
	})
	if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{}); !errors.Is(err, engine.ErrBusy) || !strings.Contains(err.Error(), "older") {
		t.Errorf("%v", err)
	}
	if p, err := f.engine.Reconcile(f.ctx, r, engine.ReconcileOptions{}); err != nil || p.Phase != engine.PhaseBusy {
		t.Errorf("a pass: %s, %v", p.Phase, err)
	}
	cancel()
	renewing.Wait()
	begun := time.Now()
	f.deploy(r) // it has died
	if took := time.Since(begun); took < 2*time.Second {
		t.Errorf("taken over after %v, its Lease is for 3s", took)
	}
	f.wantHistory("1 failed", "2 deployed")
	f.wantUnlocked()
}

// A call that lasts notices an engine that takes Leases, and cannot see marks.
func TestAnOlderEngineThatBeginsIsNoticed(t *testing.T) {
	f := newFixture(t)
	e := f.newEngineWith(engine.Options{LeaseDuration: time.Second})
	f.lease("dead", time.Now().Add(-time.Hour), 15) // was left behind, and means nothing
	done := make(chan error, 1)
	go func() {
		_, err := e.Deploy(f.ctx, f.release(f.chart(map[string]string{"b.yaml": neverReady})), engine.ApplyOptions{})
		done <- err
	}()
	mark := func(ctx context.Context) (m struct {
		Renewed time.Time `json:"renewed"`
	}, err error) {
		s, err := f.client.CoreV1().Secrets(f.namespace).Get(ctx, "sh.helm.release.v1.shop.v1", metav1.GetOptions{})
		if err == nil {
			err = json.Unmarshal([]byte(s.Annotations[holderAnnotation]), &m)
		}
		return m, err
	}
	var first time.Time
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error { // it goes on beside what was left behind
		m, err := mark(ctx)
		if err == nil && first.IsZero() {
			first = m.Renewed
		}
		if err == nil && m.Renewed.Sub(first) < time.Second {
			err = errors.New("not renewed for long enough")
		}
		return err
	})
	select {
	case err := <-done:
		t.Fatalf("it ended with %v", err)
	default:
	}
	f.editLease(func(l *coordinationv1.Lease) { now := metav1.NowMicro(); l.Spec.RenewTime = &now })
	if err := <-done; !errors.Is(err, engine.ErrSuperseded) {
		t.Errorf("it ended with %v", err)
	}
}

func (f *fixture) editLease(edit func(*coordinationv1.Lease)) {
	f.Helper()
	leases := f.client.CoordinationV1().Leases(f.namespace)
	l, err := leases.Get(f.ctx, "fairlead-shop", metav1.GetOptions{})
	if err == nil {
		edit(l)
		_, err = leases.Update(f.ctx, l, metav1.UpdateOptions{})
	}
	if err != nil {
		f.Fatal(err)
	}
}
