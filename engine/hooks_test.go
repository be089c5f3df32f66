package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
)

// hookOf returns a ConfigMap template with hook annotations.
func hookOf(name, event, weight, policy string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  annotations: {helm.sh/hook: %q, helm.sh/hook-weight: %q, helm.sh/hook-delete-policy: %q}\n", name, event, weight, policy)
}

func (f *fixture) hookOrder() string {
	var order []string
	for _, e := range f.events.take() {
		if e, ok := e.(engine.HookEnded); ok {
			order = append(order, e.Event+":"+e.Object.Name)
		}
	}
	return strings.Join(order, " ")
}

// Hooks run by weight, then by name, as with Helm.
func TestHooksRunInHelmsOrder(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"config.yaml": configMap,
		"a.yaml":      hookOf("zeta", "pre-install,pre-upgrade", "0", "hook-succeeded"),
		"b.yaml":      hookOf("alpha", "pre-install", "0", "hook-succeeded"),
		"c.yaml":      hookOf("late", "pre-install,post-rollback", "10", "hook-succeeded"),
		"d.yaml":      hookOf("early", "pre-install", "-5", "hook-succeeded"),
		"e.yaml":      hookOf("bye", "post-delete", "0", "hook-succeeded"),
		"f.yaml":      hookOf("check", "test", "0", "hook-succeeded"),
	})
	f.deploy(f.release(c))
	if got := f.hookOrder(); got != "pre-install:early pre-install:alpha pre-install:zeta pre-install:late" {
		t.Errorf("install ran %s", got)
	}
	f.deploy(f.release(c, "colour=red"))
	if got := f.hookOrder(); got != "pre-upgrade:zeta" {
		t.Errorf("upgrade ran %s", got)
	}
	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := f.hookOrder(); got != "post-rollback:late" {
		t.Errorf("rollback ran %s", got)
	}
	f.wantConfigMaps("shop-config")
	f.deploy(f.release(c, "colour=red"))
	f.events.take()
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := f.hookOrder(); got != "post-delete:bye" {
		t.Errorf("uninstall ran %s", got)
	}
	f.wantConfigMaps()
}

// The error names a failed hook and the reason of its pod; hooks before it with
// hook-succeeded are deleted.
func TestFailingHookSaysWhy(t *testing.T) {
	f := newFixture(t)
	failing := strings.Replace(fmt.Sprintf(job, "pre-install", 5, "before-hook-creation"), "{annotations: {{ .Values.jobAnnotations | default dict | toJson }}}", "{annotations: {fairlead.dev/pod: crash-loop}}", 1)
	c := f.chart(map[string]string{
		"config.yaml": configMap,
		"first.yaml":  hookOf("first", "pre-install", "0", "hook-succeeded"),
		"job.yaml":    failing,
	})
	rev, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{})
	var failed *engine.Error
	var notReady *engine.NotReadyError
	if !errors.As(err, &failed) || failed.Object.Name != "shop-pre-install" || !errors.As(err, &notReady) {
		t.Fatalf("%v", err)
	}
	if len(notReady.Objects) == 0 || notReady.Objects[0].Object.Kind != "Job" || notReady.Objects[0].Cause == "" || len(notReady.Objects[0].Pods) == 0 {
		t.Errorf("diagnosis is %+v", notReady.Objects)
	}
	if rev == nil || rev.Status != engine.StatusFailed || !strings.Contains(rev.Description, "shop-pre-install") {
		t.Errorf("recorded %+v", rev)
	}
	f.wantConfigMaps()
	f.wantJob("pre-install", true)

	// The Job stays for inspection, and is replaced by the next run.
	fixed := f.chart(map[string]string{"config.yaml": configMap, "job.yaml": strings.Replace(fmt.Sprintf(job, "pre-install", 5, "before-hook-creation"), "hook: pre-install", "hook: pre-install,pre-upgrade", 1)})
	f.deploy(f.release(fixed))
	f.wantConfigMaps("shop-config")
	f.wantJob("pre-install", true)
}

// An install that was interrupted is repeated, hooks included.
func TestInterruptedInstallIsRepeated(t *testing.T) {
	f := newFixture(t)
	hooks := map[string]string{
		"config.yaml": configMap,
		"first.yaml":  hookOf("first", "pre-install", "0", "hook-succeeded"),
		"last.yaml":   hookOf("last", "post-install", "0", "hook-succeeded"),
		"never.yaml":  hookOf("never", "pre-upgrade", "0", "hook-succeeded"),
		"kind.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kind}\ndata: {install: {{ .Release.IsInstall | quote }}}\n",
	}
	c := f.chart(hooks)
	hooks["job.yaml"] = strings.Replace(fmt.Sprintf(job, "pre-install", 5, "before-hook-creation"), "{annotations: {{ .Values.jobAnnotations | default dict | toJson }}}", "{annotations: {fairlead.dev/pod: crash-loop}}", 1)
	if _, err := f.engine.Deploy(f.ctx, f.release(f.chart(hooks)), engine.ApplyOptions{}); err == nil {
		t.Fatal("the hook did not fail")
	}
	f.events.take()
	if rev := f.deploy(f.release(c)); rev.Revision != 2 {
		t.Errorf("recorded %+v", rev)
	}
	if got := f.hookOrder(); got != "pre-install:first post-install:last" {
		t.Errorf("ran %s", got)
	}
	cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "kind", metav1.GetOptions{})
	if err != nil || cm.Data["install"] != "true" {
		t.Errorf("rendered as %v, %v", cm.Data, err)
	}
}

// A hook of a kind that is not served is found before anything is written.
func TestHookOfUnknownKind(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{
		"config.yaml": configMap,
		"hook.yaml":   "apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: g, annotations: {helm.sh/hook: post-install}}\n",
	})
	_, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{})
	f.refused(err, engine.ErrUnknownKind, "Gadget", "templates/hook.yaml")
	p := f.plan(f.release(c))
	if len(p.Problems) != 1 || p.Problems[0].Kind != engine.ProblemUnknownKind || !p.Problems[0].Hook || len(p.Hooks) != 1 {
		t.Errorf("planned with %+v, hooks %+v", p.Problems, p.Hooks)
	}
	if err := p.Err(); !errors.Is(err, engine.ErrUnknownKind) {
		t.Errorf("the plan's error is %v", err)
	}
	// Without hooks its kind is not needed.
	if _, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{NoHooks: true}); err != nil {
		t.Error(err)
	}
}

// An earlier run of a hook that is not deleted does not block the call forever.
func TestHookThatIsNotDeleted(t *testing.T) {
	f := newFixture(t)
	stuck := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: stuck\n  finalizers: [example.com/hold]\n  annotations: {helm.sh/hook: post-install, helm.sh/hook-delete-policy: hook-succeeded}\n"
	c := f.chart(map[string]string{"config.yaml": configMap, "hook.yaml": stuck})
	t.Cleanup(func() {
		patch := []byte(`{"metadata":{"finalizers":null}}`)
		_, _ = f.client.CoreV1().ConfigMaps(f.namespace).Patch(f.ctx, "stuck", "application/merge-patch+json", patch, metav1.PatchOptions{})
	})
	begun := time.Now()
	rev, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{Timeout: 2 * time.Second})
	if err == nil || time.Since(begun) > 30*time.Second || !strings.Contains(err.Error(), "stuck") {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
	var typed *engine.Error
	var notReady *engine.NotReadyError
	if !errors.As(err, &typed) && !errors.As(err, &notReady) {
		t.Errorf("%T: %v", err, err)
	}
	if rev == nil || rev.Status != engine.StatusFailed {
		t.Errorf("recorded %+v", rev)
	}
}

// The values of a hook's Secret are hidden everywhere, even if the hook's Job
// repeats them.
func TestSecretOfAHookNeverShows(t *testing.T) {
	f := newFixture(t)
	const canary = "canary-Hook-77"
	bad := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: bad\n  labels: {a: \"no label: {{ .Values.password }}\"}\n  annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: \"2\"}\n"
	hookSecret := strings.Replace(secret, "-secret}", "-secret, annotations: {helm.sh/hook: pre-install}}", 1)
	c := f.chart(map[string]string{"config.yaml": configMap, "secret.yaml": hookSecret, "bad.yaml": bad})
	rev, err := f.engine.Deploy(f.ctx, f.release(c, "password="+canary), engine.ApplyOptions{})
	if err == nil {
		t.Fatal("the bad hook was not refused")
	}
	out := fmt.Sprint(err)
	if rev != nil {
		out += rev.Description
	}
	for _, e := range f.events.take() {
		out += "\n" + e.String()
	}
	if strings.Contains(out, canary) {
		t.Errorf("the secret shows: %s", out)
	}
}

// However many hooks a chart has, all together end in time.
func TestAttackManyHooks(t *testing.T) {
	f := newFixture(t)
	const forever = "{{ range until 20 }}\napiVersion: v1\nkind: Pod\nmetadata: {name: h{{ . }}, annotations: {helm.sh/hook: %s, helm.sh/hook-delete-policy: 'before-hook-creation,hook-failed', fairlead.dev/pod: never-ready}}\nspec: {restartPolicy: Never, containers: [{name: a, image: a}]}\n---\n{{ end }}"
	c := f.chart(map[string]string{"config.yaml": configMap, "hooks.yaml": fmt.Sprintf(forever, "pre-install")})
	rev, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{Timeout: time.Minute, HooksTimeout: 2 * time.Second})
	if err == nil || !strings.Contains(err.Error(), "all hooks together took longer than 2s") || !strings.Contains(err.Error(), "HooksTimeout") || rev == nil || rev.Status != engine.StatusFailed {
		t.Errorf("%v, recorded %+v", err, rev)
	}
	tests := f.chart(map[string]string{"config.yaml": configMap, "hooks.yaml": fmt.Sprintf(forever, "test")})
	f.deploy(f.release(tests))
	results, err := f.engine.Test(f.ctx, f.key, engine.TestOptions{Timeout: time.Minute, HooksTimeout: 2 * time.Second, LogLines: -1})
	if err == nil || len(results) != 20 || !strings.Contains(results[0].Reason, "together took longer") || !strings.Contains(results[19].Reason, "not run") {
		t.Errorf("%v, %d results, %+v", err, len(results), results[0])
	}
	if _, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{HooksTimeout: -time.Second}); !errors.Is(err, engine.ErrInvalidOptions) {
		t.Errorf("a negative timeout: %v", err)
	}
}
