package engine_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
)

// mortal is a transport that dies with one of its requests: before it is sent, or
// when it has been answered. Nothing is sent afterwards.
type mortal struct {
	next  http.RoundTripper
	at    int64 // 0: never
	after bool
	count *atomic.Int64
	hooks *atomic.Int64 // how many hooks were created
}

func (m *mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	n := m.count.Add(1)
	if m.at > 0 && (n > m.at || n == m.at && !m.after) {
		return nil, x509.UnknownAuthorityError{} // which is not retried
	}
	response, err := m.next.RoundTrip(r)
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/configmaps") && !strings.Contains(r.URL.RawQuery, "dryRun") {
		m.hooks.Add(1)
	}
	if m.at > 0 && n == m.at {
		if err == nil {
			response.Body.Close()
		}
		return nil, x509.UnknownAuthorityError{}
	}
	return response, err
}

// mortalEngine counts its requests and the hooks that it creates, and dies with
// request at.
func (f *fixture) mortalEngine(at int64, after bool, count, hooks *atomic.Int64) *engine.Engine {
	cfg := rest.CopyConfig(f.cluster.Config())
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return &mortal{next, at, after, count, hooks} })
	e, err := engine.New(cfg, engine.Options{LeaseDuration: time.Second})
	if err != nil {
		f.Fatal(err)
	}
	return e
}

// passStep is the pass of a step of killScenarios, and the phase that it ends with.
func (f *fixture) passStep(namespace, step string) (onePass, engine.Phase) {
	key := engine.Key{Namespace: namespace, Name: "shop"}
	switch step {
	case "rollback":
		return func(e *engine.Engine) (engine.Progress, error) {
			return e.ReconcileRollback(f.ctx, key, 1, engine.ReconcileOptions{})
		}, engine.PhaseDeployed
	case "uninstall":
		return func(e *engine.Engine) (engine.Progress, error) {
			return e.ReconcileUninstall(f.ctx, key, engine.ReconcileOptions{})
		}, engine.PhaseUninstalled
	}
	r := engine.Release{Key: key, Source: killChart(f, namespace, step)}
	return func(e *engine.Engine) (engine.Progress, error) {
		return e.Reconcile(f.ctx, r, engine.ReconcileOptions{})
	}, engine.PhaseDeployed
}

// finish takes passes until the phase, with one engine, and returns whether it got
// there; an error ends it if mayDie.
func (f *fixture) finish(e *engine.Engine, pass onePass, want engine.Phase, mayDie bool) error {
	for f.ctx.Err() == nil {
		p, err := pass(e)
		switch {
		case err != nil && mayDie:
			return err
		case err != nil:
			return fmt.Errorf("pass: %w", err)
		case p.Phase == want:
			return nil
		case p.Phase == engine.PhaseFailed || p.Phase == engine.PhaseBlocked:
			return fmt.Errorf("%s: %w", p.Phase, p.Err)
		}
		time.Sleep(min(p.After, 500*time.Millisecond))
	}
	return f.ctx.Err()
}

// A process is killed before or after each request of its passes, and another one
// takes the next pass: all recover, with the same revisions and hooks as without.
func TestPassesKilledAtEveryRequest(t *testing.T) {
	f := newFixture(t)
	f.killClass()
	end, bounded := t.Deadline()
	if !bounded {
		end = time.Now().Add(time.Hour)
	}
	ctx, cancel := context.WithDeadline(context.Background(), end.Add(-time.Minute))
	t.Cleanup(cancel)
	f.ctx = ctx
	stride := int64(17)
	if os.Getenv(killAll) != "" {
		stride = 1
	}
	slots := make(chan struct{}, killWorkers)
	var wg sync.WaitGroup
	var kills atomic.Int64
	for n, s := range killScenarios {
		for _, after := range []bool{false, true} {
			wg.Go(func() {
				for at := 1 + int64(n)%stride; ; at += stride {
					slots <- struct{}{}
					died := f.killPass(s.step, s.before, at, after)
					<-slots
					if !died || t.Failed() {
						return
					}
					kills.Add(1)
				}
			})
		}
	}
	wg.Wait()
	t.Logf("%d kills, all recover", kills.Load())
}

// killPass lives through one scenario in a namespace of its own, and reports
// whether the process died in it.
func (f *fixture) killPass(step string, before []string, at int64, after bool) (died bool) {
	namespace := f.cluster.Namespace(f.T)
	var ignored, requests, hooks atomic.Int64
	for _, b := range before {
		pass, want := f.passStep(namespace, b)
		if err := f.finish(f.mortalEngine(0, false, &ignored, &ignored), pass, want, false); err != nil {
			f.Errorf("%s before %s: %v", b, step, err)
			return false
		}
	}
	pass, want := f.passStep(namespace, step)
	if f.finish(f.mortalEngine(at, after, &requests, &hooks), pass, want, true) == nil {
		return false
	}
	if err := f.finish(f.mortalEngine(0, false, &ignored, &hooks), pass, want, false); err != nil {
		f.Errorf("%s killed at request %d (after it: %t): %v", step, at, after, err)
		return true
	}
	if hooks.Load() != 1 {
		f.Errorf("%s killed at request %d (after it: %t): %d hooks were created", step, at, after, hooks.Load())
	}
	f.checkPasses(namespace, step, len(before), fmt.Sprintf("%s killed at request %d (after it: %t)", step, at, after))
	return true
}

// checkPasses checks what is recorded after a step, and that another pass, and an
// engine that has never seen it, find nothing to do.
func (f *fixture) checkPasses(namespace, step string, before int, what string) {
	key := engine.Key{Namespace: namespace, Name: "shop"}
	revisions, err := f.engine.History(f.ctx, key)
	if step == "uninstall" {
		if err == nil {
			f.Errorf("%s: %v are left", what, revisions)
		}
		return
	}
	if err != nil || len(revisions) != before+1 || revisions[before].Status != engine.StatusDeployed {
		f.Errorf("%s: %v, %v", what, revisions, err)
	}
	for _, r := range revisions[:max(0, len(revisions)-1)] {
		if r.Status != engine.StatusSuperseded {
			f.Errorf("%s: revision %d is %s", what, r.Revision, r.Status)
		}
	}
	report, err := f.engine.Drift(f.ctx, key)
	if err != nil {
		f.Errorf("%s: %v", what, err)
	}
	for _, c := range report.Changes {
		if c.Changed() {
			f.Errorf("%s: drift of %s: %v", what, c.Object, c.Fields)
		}
	}
}
