package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

const holderAnnotation = "fairlead.dev/holder"

func (f *fixture) revisions() *storage.Store {
	return storage.New(f.client, metadata.NewForConfigOrDie(f.cluster.Config()))
}

// hold records a first revision that another process works on.
func (f *fixture) hold(holder string, renewed time.Time, duration time.Duration) (*storage.Store, *storage.Record) {
	f.Helper()
	store := f.revisions()
	r := &storage.Record{
		Name: f.key.Name, Namespace: f.namespace, Revision: 1, Status: storage.StatusPendingInstall, Chart: storage.Chart{Name: "shop", Version: "1.0.0"},
		FirstDeployed: time.Now(), LastDeployed: time.Now(), Mark: &storage.Mark{Holder: holder, Duration: duration, Renewed: renewed},
	}
	if err := store.Create(f.ctx, r); err != nil {
		f.Fatal(err)
	}
	return store, r
}

// wantUnlocked checks that no process is recorded to work on a release.
func (f *fixture) wantUnlocked() {
	f.Helper()
	secrets, err := f.client.CoreV1().Secrets(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range secrets.Items {
		if s.Labels["owner"] == "fairlead.dev-reserved" || strings.Contains(s.Annotations[holderAnnotation], "holder") {
			f.Errorf("%s is left marked: %s", s.Name, s.Annotations[holderAnnotation])
		}
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

func TestADeadProcessIsTakenOver(t *testing.T) {
	f := newFixture(t)
	f.hold("dead", time.Now().Add(time.Hour), 2*time.Second) // its clock was wrong, too
	r := f.release(f.chart(map[string]string{"a.yaml": configMap}))
	begun := time.Now()
	f.deploy(r)
	if took := time.Since(begun); took < 2*time.Second {
		t.Errorf("taken over after %v, its mark is for 2s", took)
	}
	if n := waited(f.events.take()); n != 1 {
		t.Errorf("%d events LockWaited", n)
	}
	f.wantHistory("1 failed", "2 deployed")
	f.wantUnlocked()
}

// A mark that has expired long ago by its own clock is not observed first.
func TestALongDeadProcessIsTakenOverAtOnce(t *testing.T) {
	f := newFixture(t)
	f.hold("long dead", time.Now().Add(-time.Hour), 2*time.Minute)
	begun := time.Now()
	f.deploy(f.release(f.chart(map[string]string{"a.yaml": configMap})))
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("taken over after %v", took)
	}
	f.wantHistory("1 failed", "2 deployed")
	f.wantUnlocked()
}

// What other clients have written where the mark stands blocks nothing for long.
func TestAForgedMarkBlocksNothing(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":       "{",
		"other JSON":    `["holder"]`,
		"other types":   `{"holder": 1, "seconds": "x"}`,
		"long":          `{"holder": "` + strings.Repeat("x", 100<<10) + `", "seconds": 100}`,
		"no time":       `{"holder": "x", "seconds": 1}`,
		"without end":   `{"holder": "x", "seconds": 1e18}`,
		"negative":      `{"holder": "x", "seconds": -1}`,
		"of the future": `{"holder": "x", "seconds": 1, "renewed": "9999-01-01T00:00:00Z"}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.hold("x", time.Now(), time.Second)
			f.editSecret("sh.helm.release.v1.shop.v1", func(s *corev1.Secret) { s.Annotations[holderAnnotation] = text })
			f.deploy(f.release(f.chart(map[string]string{"a.yaml": configMap})))
			f.wantHistory("1 failed", "2 deployed")
			f.wantUnlocked()
		})
	}
}

func (f *fixture) editSecret(name string, edit func(*corev1.Secret)) {
	f.Helper()
	s, err := f.client.CoreV1().Secrets(f.namespace).Get(f.ctx, name, metav1.GetOptions{})
	if err == nil {
		edit(s)
		_, err = f.client.CoreV1().Secrets(f.namespace).Update(f.ctx, s, metav1.UpdateOptions{})
	}
	if err != nil {
		f.Fatal(err)
	}
}

func TestALiveProcessIsRespected(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap})
	store, record := f.hold("alive", time.Now(), 3*time.Second)
	ctx, cancel := context.WithCancel(f.ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		for ctx.Err() == nil {
			_ = record.Held().Renew(ctx, storage.Mark{Holder: "alive", Duration: 3 * time.Second, Renewed: time.Now()})
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
	if _, err = f.engine.Test(f.ctx, f.key, engine.TestOptions{}); !errors.Is(err, engine.ErrBusy) {
		t.Errorf("tests: %v", err)
	}
	if err = f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); !errors.Is(err, engine.ErrBusy) {
		t.Errorf("uninstall: %v", err)
	}
	if p, err := f.engine.Reconcile(f.ctx, f.release(c), engine.ReconcileOptions{}); err != nil || p.Phase != engine.PhaseBusy {
		t.Errorf("a pass: %s, %v", p.Phase, err)
	}
	for _, w := range f.writes() {
		t.Errorf("wrote %s", w)
	}
	short, stop := context.WithTimeout(f.ctx, 500*time.Millisecond)
	defer stop()
	if _, err = f.engine.Deploy(short, f.release(c), engine.ApplyOptions{LockTimeout: time.Minute}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a context that ends: %v", err)
	}

	// The holder finishes while the next one waits.
	f.events.take()
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
	record.Status, record.Mark = storage.StatusDeployed, nil
	if err := store.Update(f.ctx, record); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	f.wantHistory("1 superseded", "2 deployed")
	f.wantUnlocked()
}

// A process that stood still while another took over notices it before it writes
// anything more.
func TestAProcessThatWasTakenOverStops(t *testing.T) {
	f := newFixture(t)
	var stopped, late atomic.Bool
	begun, goOn := make(chan struct{}), make(chan struct{})
	e, err := engine.New(testcluster.Inject(f.cluster.Config(), func(req *http.Request) (*http.Response, error) {
		switch {
		case req.Method == http.MethodPatch && strings.Contains(req.URL.Path, "/configmaps/first") && !req.URL.Query().Has("dryRun"):
			if stopped.CompareAndSwap(false, true) {
				close(begun)
			}
			<-goOn
		case stopped.Load() && !late.Load() && strings.Contains(req.URL.Path, "/secrets"):
			<-goOn // no renewal either
		case late.Load() && req.Method == http.MethodPatch:
			t.Errorf("it goes on with %s", req.URL.Path)
		}
		return nil, nil
	}), engine.Options{LeaseDuration: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	c := f.chart(map[string]string{"a.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: first, annotations: {fairlead.dev/wave: "0"}}
data: {colour: {{ .Values.colour }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: second, annotations: {fairlead.dev/wave: "1"}}
data: {colour: {{ .Values.colour }}}
`})
	older := make(chan error)
	go func() {
		_, err := e.Deploy(f.ctx, f.release(c, "colour=red"), engine.ApplyOptions{})
		older <- err
	}()
	<-begun
	f.deploy(f.release(c, "colour=blue"))
	late.Store(true)
	close(goOn)
	if err := <-older; !errors.Is(err, engine.ErrSuperseded) {
		t.Errorf("the older one ended with %v", err)
	}
	f.wantHistory("1 failed", "2 deployed")
	f.wantUnlocked()
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
		s, err := f.client.CoreV1().Secrets(f.namespace).Get(ctx, "sh.helm.release.v1.shop.v1", metav1.GetOptions{})
		if err == nil && !strings.Contains(s.Annotations[holderAnnotation], `"waiting":true`) {
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
	f.wantUnlocked()
}

// While a release is uninstalled or tested, nothing else begins, although neither
// records a revision of its own.
func TestNothingBeginsBesideAnUninstall(t *testing.T) {
	c := map[string]string{"a.yaml": configMap, "hook.yaml": `
apiVersion: v1
kind: Pod
metadata: {name: hook, annotations: {helm.sh/hook: "pre-delete,test", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded,hook-failed", fairlead.dev/pod: never-ready}}
spec: {restartPolicy: Never, containers: [{name: a, image: a}]}
`}
	for name, begin := range map[string]func(*fixture, context.Context) error{
		"uninstall": func(f *fixture, ctx context.Context) error {
			return f.engine.Uninstall(ctx, f.key, engine.ApplyOptions{OnCancel: engine.CancelFails})
		},
		"test": func(f *fixture, ctx context.Context) error {
			_, err := f.engine.Test(ctx, f.key, engine.TestOptions{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := f.release(f.chart(c))
			f.deploy(r)
			f.events.take()
			ctx, cancel := context.WithCancel(f.ctx)
			done := make(chan error)
			go func() { done <- begin(f, ctx) }()
			testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
				_, err := f.client.CoreV1().Pods(f.namespace).Get(ctx, "hook", metav1.GetOptions{})
				return err
			})
			other := f.newEngine(f.cluster.Config())
			changed := f.release(f.chart(c), "colour=red")
			if _, err := other.Deploy(f.ctx, changed, engine.ApplyOptions{}); !errors.Is(err, engine.ErrBusy) {
				t.Errorf("a deploy: %v", err)
			}
			if err := other.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); !errors.Is(err, engine.ErrBusy) {
				t.Errorf("an uninstall: %v", err)
			}
			if _, err := other.Test(f.ctx, f.key, engine.TestOptions{}); err == nil {
				t.Error("tests begin")
			}
			if p, err := other.Reconcile(f.ctx, changed, engine.ReconcileOptions{}); err != nil || p.Phase != engine.PhaseBusy {
				t.Errorf("a pass: %s, %v", p.Phase, err)
			}
			cancel()
			if err := <-done; err == nil {
				t.Error("it ends well although its context has ended")
			}
			f.wantUnlocked()
			if _, err := other.Deploy(f.ctx, changed, engine.ApplyOptions{}); err != nil {
				t.Errorf("the deploy afterwards: %v", err)
			}
			f.wantUnlocked()
		})
	}
}

// A reserved revision whose process has died holds up nothing for longer than its
// duration.
func TestADeadReservationIsTakenOver(t *testing.T) {
	for name, do := range map[string]func(*fixture, engine.Release) error{
		"deploy": func(f *fixture, r engine.Release) error {
			_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
			return err
		},
		"uninstall": func(f *fixture, _ engine.Release) error {
			return f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{})
		},
		"test": func(f *fixture, _ engine.Release) error {
			_, err := f.engine.Test(f.ctx, f.key, engine.TestOptions{})
			return err
		},
		"passes": func(f *fixture, r engine.Release) error {
			testcluster.Eventually(f, time.Minute, func(ctx context.Context) error {
				p, err := f.engine.Reconcile(ctx, r, engine.ReconcileOptions{})
				if err == nil && p.Phase != engine.PhaseDeployed {
					err = errors.New(string(p.Phase))
				}
				return err
			})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.deploy(f.release(f.chart(map[string]string{"a.yaml": configMap})))
			store := f.revisions()
			last, err := store.Last(f.ctx, f.namespace, f.key.Name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.Reserve(f.ctx, last, last.Revision+1, storage.Mark{Holder: "dead", Duration: 2 * time.Second, Renewed: time.Now()}); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			if err := do(f, f.release(f.chart(map[string]string{"a.yaml": configMap}), "colour=red")); err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took < 2*time.Second {
				t.Errorf("taken over after %v, it is for 2s", took)
			}
			f.wantUnlocked()
		})
	}
}

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

// That a holder renews its mark is no change of the release.
func TestRenewalsTouchNothing(t *testing.T) {
	f := newFixture(t)
	mark := storage.Mark{Holder: "alive", Duration: time.Minute, Renewed: time.Now()}
	store, record := f.hold(mark.Holder, mark.Renewed, mark.Duration)
	w := f.watch(f.engine, engine.WatchOptions{Namespaces: []string{f.namespace}})
	w.awaitReason(f.key, engine.TouchFound)
	for range 3 {
		mark.Renewed = mark.Renewed.Add(time.Second)
		if err := record.Held().Renew(f.ctx, mark); err != nil {
			t.Fatal(err)
		}
	}
	other := record.Again(1)
	other.Name, other.Status, other.LastDeployed = "other", storage.StatusDeployed, time.Now()
	if err := store.Create(f.ctx, other); err != nil { // seen after the renewals
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		for _, touched := range w.take() {
			if touched.Key == f.key {
				t.Errorf("touched: %v", touched)
			}
			if touched.Key.Name == "other" {
				return nil
			}
		}
		return errors.New("the other release is not seen")
	})
	record.Status, record.Mark = storage.StatusFailed, nil
	if err := store.Update(f.ctx, record); err != nil {
		t.Fatal(err)
	}
	w.awaitReason(f.key, engine.TouchHistory)
}

// An uninstall and a deploy that begin at once over a revision that was left pending
// do not wait for each other.
func TestAnUninstallBesideADeployOfWhatWasLeft(t *testing.T) {
	f := newFixture(t)
	f.hold("x", time.Now(), time.Second)
	f.editSecret("sh.helm.release.v1.shop.v1", func(s *corev1.Secret) { s.Annotations[holderAnnotation] = "{}" })
	reserved, taken := make(chan struct{}), make(chan struct{})
	var once, begun sync.Once
	gated := func(gate func(*http.Request)) *engine.Engine {
		e, err := engine.New(testcluster.Inject(f.cluster.Config(), func(req *http.Request) (*http.Response, error) {
			gate(req)
			return nil, nil
		}), engine.Options{LeaseDuration: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	first := func(req *http.Request) bool {
		return req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, ".v1.shop.v1")
	}
	uninstaller := gated(func(req *http.Request) {
		if first(req) {
			begun.Do(func() { close(reserved) })
			<-taken
		}
	})
	deployer := gated(func(req *http.Request) {
		switch {
		case first(req):
			<-reserved
		case req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/secrets"):
			once.Do(func() { close(taken) })
		}
	})
	var both sync.WaitGroup
	both.Go(func() {
		if err := uninstaller.Uninstall(f.ctx, f.key, engine.ApplyOptions{LockTimeout: time.Minute}); err != nil {
			t.Errorf("uninstall: %v", err)
		}
	})
	both.Go(func() {
		if _, err := deployer.Deploy(f.ctx, f.release(f.chart(map[string]string{"a.yaml": configMap})), engine.ApplyOptions{LockTimeout: time.Minute}); err != nil {
			t.Errorf("deploy: %v", err)
		}
	})
	both.Wait()
	f.wantUnlocked()
}

// Revisions that cannot be read keep nothing from being uninstalled or tested.
func TestUninstallBesideAnUnreadableRevision(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"a.yaml": configMap})))
	_, err := f.client.CoreV1().Secrets(f.namespace).Create(f.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "sh.helm.release.v1.shop.v2", Labels: map[string]string{"owner": "helm", "name": "shop", "version": "2", "status": "failed"}},
		Type:       "helm.sh/release.v1", Data: map[string][]byte{"release": []byte("garbage")},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.engine.Test(f.ctx, f.key, engine.TestOptions{}); err != nil {
		t.Errorf("tests: %v", err)
	}
	if err = f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Errorf("uninstall: %v", err)
	}
	f.wantUnlocked()
}

// Until the outcome is recorded, the former revision is the one that is deployed, and
// none is deleted.
func TestWithoutAnOutcomeTheFormerRevisionStays(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap})
	f.deploy(f.release(c))
	e := f.newEngine(testcluster.Inject(f.cluster.Config(), func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, "/secrets/sh.helm.release.v1.shop.v2") {
			return &http.Response{StatusCode: http.StatusTeapot, Body: http.NoBody, Request: req}, nil
		}
		return nil, nil
	}))
	if _, err := e.Deploy(f.ctx, f.release(c, "colour=blue"), engine.ApplyOptions{History: 1}); err == nil {
		t.Error("a deploy whose outcome is not recorded succeeds")
	}
	f.wantHistory("1 deployed", "2 pending-upgrade")
	f.deploy(f.release(c, "colour=blue"))
	f.wantHistory("1 superseded", "2 failed", "3 deployed")
}

// An operation that ends between the list of the revisions and the reading of its own is
// known to have ended well.
func TestAnOperationThatEndsMeanwhile(t *testing.T) {
	f := newFixture(t)
	store, record := f.hold("alive", time.Now(), time.Minute)
	var once sync.Once
	e := f.newEngine(testcluster.Inject(f.cluster.Config(), func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/secrets/sh.helm.release.v1.shop.v1") {
			once.Do(func() {
				record.Status, record.Mark = storage.StatusDeployed, nil
				if err := store.Update(f.ctx, record); err != nil {
					t.Error(err)
				}
			})
		}
		return nil, nil
	}))
	if _, err := e.Deploy(f.ctx, f.release(f.chart(map[string]string{"a.yaml": configMap})), engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantHistory("1 superseded", "2 deployed")
}

// A number that a dead process has reserved is freed even by what changes nothing.
func TestADeadReservationIsTidied(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"a.yaml": configMap}))
	f.deploy(r)
	store := f.revisions()
	last, err := store.Last(f.ctx, f.namespace, f.key.Name)
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"deploy": func() error { _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{}); return err },
		"pass":   func() error { _, err := f.engine.Reconcile(f.ctx, r, engine.ReconcileOptions{}); return err },
	} {
		if _, err := store.Reserve(f.ctx, last, 2, storage.Mark{Holder: "dead", Duration: time.Second, Renewed: time.Now().Add(-time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.wantUnlocked()
	}
	if _, err := store.Reserve(f.ctx, last, 2, storage.Mark{Holder: "alive", Duration: time.Minute, Renewed: time.Now()}); err != nil {
		t.Fatal(err)
	}
	f.deploy(r)
	if _, err := store.Claim(f.ctx, f.namespace, f.key.Name, 2); err != nil {
		t.Errorf("the reservation of a live process: %v", err)
	}
}
