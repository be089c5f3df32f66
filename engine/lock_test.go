package engine_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
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
