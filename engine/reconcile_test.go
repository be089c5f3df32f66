package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// onePass takes a pass, by an engine that knows nothing of the ones before.
type onePass func(*engine.Engine) (engine.Progress, error)

// until takes passes until one of them returns the phase, and returns that; it
// fails if one returns an error or takes long.
func (f *fixture) until(want engine.Phase, pass onePass) engine.Progress {
	f.Helper()
	for n := 0; ; n++ {
		p, err := pass(f.newEngine(f.config))
		if err != nil {
			f.Fatal(err)
		}
		if p.Phase == want {
			return p
		}
		if f.ctx.Err() != nil || p.After == 0 {
			f.Fatalf("pass %d ended with %s, %v; waiting for %v", n, p.Phase, p.Err, p.Waiting)
		}
		time.Sleep(min(p.After, 200*time.Millisecond))
	}
}

func (f *fixture) reconciles(r engine.Release, opts engine.ReconcileOptions) onePass {
	return func(e *engine.Engine) (engine.Progress, error) { return e.Reconcile(f.ctx, r, opts) }
}

// A release is installed, stays as it is, and is upgraded, each pass by a new
// process.
func TestReconcile(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment, "config.yaml": configMap})
	first, err := f.newEngine(f.config).Reconcile(f.ctx, f.release(c), engine.ReconcileOptions{})
	if err != nil || first.Phase != engine.PhaseProgressing || !first.Changed || first.After == 0 || first.Plan.Kind != engine.PlanInstall {
		t.Fatalf("%+v, %v", first, err)
	}
	f.wantHistory("1 pending-install")
	f.until(engine.PhaseDeployed, f.reconciles(f.release(c), engine.ReconcileOptions{}))
	f.wantHistory("1 deployed")

	e := f.newEngine(f.config)
	f.until(engine.PhaseDeployed, f.reconciles(f.release(c), engine.ReconcileOptions{}))
	for range 3 {
		f.requests.Reset()
		p, err := e.Reconcile(f.ctx, f.release(c), engine.ReconcileOptions{})
		if err != nil || p.Phase != engine.PhaseDeployed || p.Changed || len(p.Waiting) != 0 || p.After != 0 {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if n := len(f.requests.Requests()); n > 6 || len(f.writes()) != 0 {
		t.Errorf("a release that is as wanted takes %d requests: %v", n, f.requests.Requests())
	}

	f.until(engine.PhaseDeployed, f.reconciles(f.release(c, "tag=2.0"), engine.ReconcileOptions{Cause: "because"}))
	f.wantHistory("1 superseded", "2 deployed")
	revisions, err := f.engine.History(f.ctx, f.key)
	if err != nil || revisions[1].Cause != "because" {
		t.Errorf("%+v, %v", revisions, err)
	}
	if d, err := f.engine.Drift(f.ctx, f.key); err != nil || slices.ContainsFunc(d.Changes, diff.Change.Changed) {
		t.Errorf("%v, %v", d, err)
	}
}

// What a deploy finds wrong is found by passes, by the time that they have
// recorded; the fix begins with the next pass.
func TestReconcileOfWhatNeverBecomesReady(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	broken := f.release(c, "podAnnotations.fairlead\\.dev/pod=image-pull-error")
	opts := engine.ReconcileOptions{FailurePolicy: engine.FailurePolicy{ImageRefused: 2 * time.Second, ImagePull: 2 * time.Second}, RetryAfter: -1}
	began := time.Now()
	var told bool
	failed := f.until(engine.PhaseFailed, func(e *engine.Engine) (engine.Progress, error) {
		p, err := e.Reconcile(f.ctx, broken, opts)
		told = told || p.Phase == engine.PhaseProgressing && len(p.Waiting) == 1 && len(p.Waiting[0].Pods) > 0
		return p, err
	})
	var not *engine.NotReadyError
	if !errors.As(failed.Err, &not) || !told || time.Since(began) < 2*time.Second {
		t.Errorf("told %t, failed after %v: %v", told, time.Since(began), failed.Err)
	}
	f.wantHistory("1 failed")
	again, err := f.newEngine(f.config).Reconcile(f.ctx, broken, opts)
	if err != nil || again.Phase != engine.PhaseFailed || again.Changed || !errors.Is(again.Err, engine.ErrRevisionFailed) || again.After != 0 {
		t.Errorf("%+v, %v", again, err)
	}
	f.until(engine.PhaseDeployed, f.reconciles(f.release(c), opts))
	f.wantHistory("1 failed", "2 deployed")
}

// A release that has failed is tried again when its time has come, without filling
// the history.
func TestReconcileRetries(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	broken := f.release(c, "podAnnotations.fairlead\\.dev/pod=image-pull-error")
	opts := engine.ReconcileOptions{FailurePolicy: engine.FailurePolicy{ImageRefused: time.Millisecond, ImagePull: time.Millisecond}, RetryAfter: time.Second}
	failed := f.until(engine.PhaseFailed, f.reconciles(broken, opts))
	if failed.After <= 0 || failed.After > time.Second {
		t.Errorf("come again after %v", failed.After)
	}
	f.until(engine.PhaseProgressing, f.reconciles(broken, opts))
	f.until(engine.PhaseFailed, f.reconciles(broken, opts))
	f.wantHistory("1 failed")
}

// Hooks run once, however many passes it takes, and wait for nothing.
func TestReconcileRunsHooksOnce(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"web.yaml": deployment,
		"job.yaml": `apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: before-hook-creation}}
spec: {template: {metadata: {annotations: {fairlead.dev/pod: succeed}}, spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}
`,
		"seed.yaml": `apiVersion: batch/v1
kind: Job
metadata: {name: seed, annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-weight: '1', helm.sh/hook-delete-policy: hook-succeeded}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}
`,
		"after.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: after, annotations: {helm.sh/hook: 'post-install,post-upgrade'}}\n",
	})
	f.until(engine.PhaseDeployed, f.reconciles(f.release(c), engine.ReconcileOptions{}))
	f.until(engine.PhaseDeployed, f.reconciles(f.release(c, "tag=2.0"), engine.ReconcileOptions{}))
	f.wantHistory("1 superseded", "2 deployed")
	created := map[string]int{}
	for _, r := range f.requests.Requests() {
		if r.Method == "POST" && !r.DryRun() && (strings.HasSuffix(r.Path, "/jobs") || strings.HasSuffix(r.Path, "/configmaps")) {
			created[r.Path[strings.LastIndex(r.Path, "/")+1:]]++
		}
	}
	if created["jobs"] != 4 || created["configmaps"] != 2 {
		t.Errorf("created %v", created)
	}
}

// Templates that print the time, the number of the revision or something random
// do not change a release by themselves.
func TestReconcileIsNotChangedByTheClock(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "clock.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: clock}
data: {at: {{ now | date "15:04:05.000" | quote }}, revision: {{ .Release.Revision | quote }}, upgrade: {{ .Release.IsUpgrade | quote }}, drawn: {{ randAlphaNum 8 | quote }}}
`})
	fresh := func(set ...string) engine.Release {
		r := f.release(c, set...)
		r.Seed = engine.SeedFresh
		return r
	}
	f.until(engine.PhaseDeployed, f.reconciles(fresh(), engine.ReconcileOptions{}))
	for range 3 {
		time.Sleep(5 * time.Millisecond)
		if p := f.until(engine.PhaseDeployed, f.reconciles(fresh(), engine.ReconcileOptions{})); p.Changed {
			t.Fatalf("changed by itself: %v", p.Plan.Report.Changes)
		}
	}
	f.until(engine.PhaseDeployed, f.reconciles(fresh("colour=red"), engine.ReconcileOptions{}))
	f.until(engine.PhaseDeployed, f.reconciles(fresh("colour=red"), engine.ReconcileOptions{}))
	f.wantHistory("1 superseded", "2 deployed")
	f.deploy(f.release(c, "colour=blue"))
	if p := f.until(engine.PhaseDeployed, f.reconciles(f.release(c, "colour=blue"), engine.ReconcileOptions{})); p.Changed {
		t.Error("what Deploy has recorded is changed by a pass")
	}
}

// After a failure the next passes go back, say so, and leave it at that until the
// release changes.
func TestReconcileReverts(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	opts := engine.ReconcileOptions{OnFailure: engine.RollBackOrUninstall, FailurePolicy: engine.FailurePolicy{ImageRefused: time.Millisecond, ImagePull: time.Millisecond}}
	broken := f.release(c, "podAnnotations.fairlead\\.dev/pod=image-pull-error")
	gone := f.until(engine.PhaseReverted, f.reconciles(broken, opts))
	var reverted *engine.RevertError
	if !errors.As(gone.Err, &reverted) || !reverted.Uninstalled || gone.After != 0 {
		t.Errorf("%+v", gone)
	}
	f.wantHistory("1 uninstalled")
	if again := f.until(engine.PhaseReverted, f.reconciles(broken, opts)); again.Changed {
		t.Error("installed again")
	}
	f.until(engine.PhaseDeployed, f.reconciles(f.release(c), opts))
	back := f.until(engine.PhaseReverted, f.reconciles(broken, opts))
	if !errors.As(back.Err, &reverted) || reverted.Target != 2 || reverted.Failed != 3 || !errors.Is(back.Err, engine.ErrRevisionFailed) {
		t.Errorf("%v", back.Err)
	}
	f.wantHistory("1 uninstalled", "2 superseded", "3 failed", "4 deployed")
	f.until(engine.PhaseDeployed, f.reconciles(f.release(c, "tag=3.0"), opts))
	f.wantHistory("1 uninstalled", "2 superseded", "3 failed", "4 superseded", "5 deployed")
}

// Rollback, correction and uninstall are passes, too.
func TestReconcileOfOtherVerbs(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment, "config.yaml": configMap})
	f.until(engine.PhaseDeployed, f.reconciles(f.release(c), engine.ReconcileOptions{}))
	f.until(engine.PhaseDeployed, f.reconciles(f.release(c, "tag=2.0", "colour=red"), engine.ReconcileOptions{}))
	back := func(e *engine.Engine) (engine.Progress, error) {
		return e.ReconcileRollback(f.ctx, f.key, 1, engine.ReconcileOptions{})
	}
	f.until(engine.PhaseDeployed, back)
	if p := f.until(engine.PhaseDeployed, back); p.Changed {
		t.Error("rolled back twice")
	}
	f.wantHistory("1 superseded", "2 superseded", "3 deployed")
	if _, err := f.engine.ReconcileRollback(f.ctx, f.key, 0, engine.ReconcileOptions{}); !errors.Is(err, engine.ErrInvalidOptions) {
		t.Errorf("to 0: %v", err)
	}

	configs := f.client.CoreV1().ConfigMaps(f.namespace)
	if _, err := configs.Patch(f.ctx, "shop-config", types.MergePatchType, []byte(`{"data":{"colour":"pink"}}`), metav1.PatchOptions{FieldManager: "somebody"}); err != nil {
		t.Fatal(err)
	}
	p := f.until(engine.PhaseDeployed, func(e *engine.Engine) (engine.Progress, error) {
		return e.ReconcileCorrection(f.ctx, f.key, engine.ReconcileOptions{})
	})
	if cm, err := configs.Get(f.ctx, "shop-config", metav1.GetOptions{}); err != nil || cm.Data["colour"] != "green" || !p.Changed {
		t.Errorf("%v, %v", cm, err)
	}

	away := func(e *engine.Engine) (engine.Progress, error) {
		return e.ReconcileUninstall(f.ctx, f.key, engine.ReconcileOptions{})
	}
	f.until(engine.PhaseUninstalled, away)
	f.until(engine.PhaseUninstalled, away)
	f.wantConfigMaps()
	if _, err := f.engine.History(f.ctx, f.key); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("history: %v", err)
	}
}

// Annotations that ask for an order hold over passes: nothing is written before
// what it depends on is ready.
func TestReconcileKeepsTheOrder(t *testing.T) {
	f := newFixture(t)
	wave := func(name, n, more string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", annotations: {fairlead.dev/wave: '" + n + "'" + more + "}}\nspec: {selector: {matchLabels: {app: " + name + "}}, template: {metadata: {labels: {app: " + name + "}}, spec: {containers: [{name: a, image: a}]}}}\n"
	}
	c := f.chart(map[string]string{
		"a.yaml": wave("a", "0", ""), "b.yaml": wave("b", "1", ""), "c.yaml": wave("c", "1", ", config.kubernetes.io/depends-on: apps/namespaces/"+f.namespace+"/Deployment/b"),
	})
	last := 0
	f.until(engine.PhaseDeployed, func(e *engine.Engine) (engine.Progress, error) {
		p, err := e.Reconcile(f.ctx, f.release(c), engine.ReconcileOptions{})
		list, listErr := f.client.AppsV1().Deployments(f.namespace).List(f.ctx, metav1.ListOptions{})
		if listErr != nil {
			t.Fatal(listErr)
		}
		for _, d := range list.Items[:max(0, len(list.Items)-1)] {
			if d.Status.ReadyReplicas != 1 {
				t.Errorf("%s is written before %s is ready", list.Items[len(list.Items)-1].Name, d.Name)
			}
		}
		last = max(last, len(list.Items))
		return p, err
	})
	if f.wantHistory("1 deployed"); last != 3 {
		t.Errorf("%d Deployments", last)
	}
}

const slowJob = `apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}
`

// A context that ends is no failure: the revision stays pending, and the next
// Deploy, or pass, goes on with it, without running its hooks again.
func TestCancelledDeployGoesOn(t *testing.T) {
	for name, goOn := range map[string]func(*fixture, engine.Release) error{
		"deploy": func(f *fixture, r engine.Release) error {
			_, err := f.newEngine(f.config).Deploy(f.ctx, r, engine.ApplyOptions{})
			return err
		},
		"reconcile": func(f *fixture, r engine.Release) error {
			f.until(engine.PhaseDeployed, f.reconciles(r, engine.ReconcileOptions{}))
			return nil
		},
	} {
		for _, kind := range []string{"Job", "Deployment"} { // what is waited for when the context ends
			t.Run(name+" "+kind, func(t *testing.T) { cancelledDeployGoesOn(t, kind, goOn) })
		}
	}
}

func cancelledDeployGoesOn(t *testing.T, kind string, goOn func(*fixture, engine.Release) error) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment, "job.yaml": slowJob, "second.yaml": secondConfig})
	r := f.release(c, "podAnnotations.fairlead\\.dev/pod=slow-ready")
	ctx, cancel := context.WithCancel(f.ctx)
	e, err := engine.New(f.config, engine.Options{OnEvent: func(e engine.Event) {
		if w, ok := e.(engine.Waiting); ok && w.Object.Kind == kind {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	rev, err := e.Deploy(ctx, r, engine.ApplyOptions{OnFailure: engine.RollBackOrUninstall})
	if !errors.Is(err, context.Canceled) || rev == nil || rev.Status != engine.StatusPendingInstall {
		t.Fatalf("%+v, %v", rev, err)
	}
	f.wantHistory("1 pending-install")
	if err := goOn(f, r); err != nil {
		t.Fatal(err)
	}
	f.wantHistory("1 deployed")
	created := 0
	for _, w := range f.writes() {
		if strings.HasPrefix(w, "POST") && strings.Contains(w, "/jobs") {
			created++
		}
	}
	if created != 1 {
		t.Errorf("the hook was created %d times", created)
	}
}

// What else the end of the context can mean is asked for.
func TestCancelledDeployFailsIfAsked(t *testing.T) {
	for on, want := range map[engine.OnCancel][]string{
		engine.CancelFails:     {"1 deployed", "2 failed"},
		engine.CancelIsFailure: {"1 superseded", "2 failed", "3 deployed"},
	} {
		t.Run(string(on), func(t *testing.T) {
			f := newFixture(t)
			c := f.chart(map[string]string{"web.yaml": deployment})
			f.deploy(f.release(c))
			ctx, cancel := context.WithCancel(f.ctx)
			e, err := engine.New(f.config, engine.Options{OnEvent: func(e engine.Event) {
				if w, ok := e.(engine.Waiting); ok && w.Object.Kind == "Deployment" {
					cancel()
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Deploy(ctx, f.release(c, "podAnnotations.fairlead\\.dev/pod=never-ready"), engine.ApplyOptions{OnFailure: engine.RollBack, OnCancel: on}); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			f.wantHistory(want...)
		})
	}
}

// A pass does not wait for another operation.
func TestReconcileFindsAnother(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	waiting := make(chan struct{})
	var once sync.Once
	e, err := engine.New(f.config, engine.Options{OnEvent: func(e engine.Event) {
		if _, ok := e.(engine.Waiting); ok {
			once.Do(func() { close(waiting) })
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := e.Deploy(ctx, f.release(c, "podAnnotations.fairlead\\.dev/pod=never-ready"), engine.ApplyOptions{OnCancel: engine.CancelFails})
		done <- err
	}()
	<-waiting
	other := f.newEngine(f.config)
	p, err := other.Reconcile(f.ctx, f.release(c), engine.ReconcileOptions{})
	if err != nil || p.Phase != engine.PhaseBusy || !errors.Is(p.Err, engine.ErrBusy) || p.After == 0 {
		t.Errorf("%+v, %v", p, err)
	}
	cancel()
	<-done
	f.until(engine.PhaseDeployed, f.reconciles(f.release(c), engine.ReconcileOptions{}))
	f.wantHistory("1 failed", "2 deployed")
}

// One worker holds five releases: four that never become ready keep neither the
// fifth nor a fix waiting.
func TestOneWorkerHoldsManyReleases(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	releases := make([]engine.Release, 5)
	for i := range releases {
		releases[i] = f.release(c, "podAnnotations.fairlead\\.dev/pod=never-ready")
		releases[i].Name = fmt.Sprintf("shop%d", i)
	}
	releases[4].Values = f.release(c).Values
	phases := make([]engine.Phase, len(releases))
	round := func() {
		for i, r := range releases {
			p, err := f.engine.Reconcile(f.ctx, r, engine.ReconcileOptions{Timeout: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			phases[i] = p.Phase
		}
		time.Sleep(200 * time.Millisecond)
	}
	for phases[4] != engine.PhaseDeployed {
		round()
	}
	for i := range 4 {
		if phases[i] != engine.PhaseProgressing {
			t.Errorf("release %d is %s", i, phases[i])
		}
	}
	releases[0].Values = releases[4].Values
	p, err := f.engine.Reconcile(f.ctx, releases[0], engine.ReconcileOptions{})
	if err != nil || !p.Changed || p.Revision.Revision != 2 {
		t.Errorf("the fix did not begin with the next pass: %+v, %v", p, err)
	}
	for phases[0] != engine.PhaseDeployed {
		round()
	}
}

// A container that keeps crashing is found by passes that see it only now and then.
func TestReconcileFindsACrashLoop(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	p := f.until(engine.PhaseFailed, f.reconciles(f.release(c, "podAnnotations.fairlead\\.dev/pod=crash-loop"), engine.ReconcileOptions{
		FailurePolicy: engine.FailurePolicy{CrashLoop: 2 * time.Second, CrashRestarts: 1}, Timeout: time.Hour,
	}))
	if len(p.Waiting) != 1 || p.Waiting[0].Cause != engine.CauseCrashLoop {
		t.Errorf("%+v", p.Waiting)
	}
}

// The time that a wait may take counts from the pass that found it begun.
func TestReconcileTimesOut(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	p := f.until(engine.PhaseFailed, f.reconciles(f.release(c, "podAnnotations.fairlead\\.dev/pod=never-ready"), engine.ReconcileOptions{Timeout: 2 * time.Second}))
	if !errors.Is(p.Err, context.DeadlineExceeded) || len(p.Waiting) != 1 {
		t.Errorf("%v", p.Err)
	}
}

// Whoever may write Secrets may have written anything into what passes note: the
// work begins again.
func TestReconcileDoesNotTrustItsNotes(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": deployment})
	if _, err := f.engine.Reconcile(f.ctx, f.release(c), engine.ReconcileOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, notes := range []string{`{`, `{"hooks":{"x":{"Phase":"?"}},"waits":{"ready":{"since":"9999-01-01T00:00:00Z"}},"resumable":true,"kind":"Install"}`, `{"reverts":7}`, strings.Repeat("x", 100<<10)} {
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{"fairlead.dev/progress": notes}}})
		if err != nil {
			t.Fatal(err)
		}
		revisions, err := f.engine.History(f.ctx, f.key)
		if err != nil {
			t.Fatal(err)
		}
		secret := fmt.Sprintf("sh.helm.release.v1.shop.v%d", revisions[len(revisions)-1].Revision)
		if _, err := f.client.CoreV1().Secrets(f.namespace).Patch(f.ctx, secret, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		f.until(engine.PhaseDeployed, f.reconciles(f.release(c), engine.ReconcileOptions{}))
	}
}

// A hook that its TTL has deleted between two passes has run.
func TestReconcileFindsThatAHookHasEnded(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "job.yaml": `apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}
spec: {ttlSecondsAfterFinished: 0, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}
`})
	p, err := f.newEngine(f.config).Reconcile(f.ctx, f.release(c), engine.ReconcileOptions{})
	if err != nil || p.Phase != engine.PhaseProgressing {
		t.Fatalf("%+v, %v", p, err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := f.client.BatchV1().Jobs(f.namespace).Get(ctx, "migrate", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("the Job is there, or: %w", err)
	})
	f.until(engine.PhaseDeployed, f.reconciles(f.release(c), engine.ReconcileOptions{}))
	created := 0
	for _, w := range f.writes() {
		if strings.HasPrefix(w, "POST") && strings.Contains(w, "/jobs") {
			created++
		}
	}
	if created != 1 {
		t.Errorf("created %d times", created)
	}
}
