package engine_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

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
