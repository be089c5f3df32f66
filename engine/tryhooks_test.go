package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// hookJobOf is a hook that completes at once, in YAML: its name or
// generateName, its annotations, and fields of its spec, each ended by a comma.
func hookJobOf(name, annotations, spec, restart string) string {
	return fmt.Sprintf("apiVersion: batch/v1\nkind: Job\nmetadata: {%s, annotations: {%s}}\n"+
		"spec: {%stemplate: {spec: {restartPolicy: %s, containers: [{name: a, image: a}]}}}\n", name, annotations, spec, restart)
}

// refusesHook checks that the plan names the hook as its only problem, in
// JSON too, and that it is none without hooks; nothing is written meanwhile.
func (f *fixture) refusesHook(r engine.Release, source string, says ...string) {
	f.Helper()
	f.requests.Reset()
	p := f.plan(r)
	if len(p.Problems) != 1 {
		f.Fatalf("problems are %+v", p.Problems)
	}
	pr := p.Problems[0]
	if !pr.Hook || pr.Kind != engine.ProblemInvalid || !strings.Contains(pr.Source, source) || pr.Object.Kind != "Job" {
		f.Errorf("problem is %+v", pr)
	}
	for _, s := range append(says, "NoHooks") {
		if !strings.Contains(pr.Error(), s) {
			f.Errorf("%q is not in: %v", s, pr)
		}
	}
	var problems *engine.ProblemsError
	if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{}); !errors.As(err, &problems) {
		f.Errorf("deployed: %v", err)
	}
	if w := f.writes(); len(w) > 0 {
		f.Errorf("wrote %v", w)
	}
	stored, text := f.store(p)
	validPlan(f.T, text)
	if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r}); !errors.As(err, &problems) {
		f.Errorf("applied: %v", err)
	}
	if _, err := f.engine.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r, NoHooks: true}); err != nil {
		f.Errorf("without hooks: %v", err)
	}
}

// Hooks that the API server would reject are problems of the plan.
func TestInvalidHooksAreInThePlan(t *testing.T) {
	for name, c := range map[string]struct {
		hook string
		says []string
	}{
		"value":         {hookJobOf("name: x", "helm.sh/hook: pre-install", "", "Always"), []string{`Job.batch "x" is invalid`, "restartPolicy"}},
		"both events":   {hookJobOf("name: x", `helm.sh/hook: "pre-install,post-install"`, "", "Always"), []string{"restartPolicy"}},
		"type":          {hookJobOf("name: x", "helm.sh/hook: pre-install", "backoffLimit: two, ", "Never"), []string{"backoffLimit"}},
		"unknown field": {hookJobOf("name: x", "helm.sh/hook: post-install", "backoffLimitt: 0, ", "Never"), []string{`unknown field "spec.backoffLimitt"`}},
		"no name yet":   {hookJobOf("generateName: x-", "helm.sh/hook: pre-install", "", "Always"), []string{"restartPolicy"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.refusesHook(f.release(f.chart(map[string]string{"config.yaml": configMap, "hook.yaml": c.hook})), "templates/hook.yaml", c.says...)
			f.wantConfigMaps("shop-config")
		})
	}
}

// Without dry-run hooks are not checked; with it each hook costs one request.
func TestEachHookCostsOneDryRun(t *testing.T) {
	f := newFixture(t)
	both := hookJobOf("name: x", `helm.sh/hook: "pre-install,post-install"`, "", "Never")
	r := f.release(f.chart(map[string]string{"config.yaml": configMap, "hook.yaml": both}))
	tries := func(dryRun engine.DryRun) int {
		f.requests.Reset()
		if _, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{DryRun: dryRun}); err != nil {
			t.Fatal(err)
		}
		return f.requests.Count(func(r testcluster.Request) bool { return r.DryRun() && strings.HasSuffix(r.Path, "/jobs") })
	}
	if n := tries(engine.DryRunChanged); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if n := tries(engine.DryRunNone); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

// A hook is not invalid because something is missing that will exist when it runs:
// its namespace, a ServiceAccount, or quota that its earlier run still uses.
func TestHooksThatBecomeValid(t *testing.T) {
	f := newFixture(t)
	account := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: runner, annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: \"-1\"}}\n"
	role := "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: bound, annotations: {helm.sh/hook: pre-install}}\n" +
		"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: later}\n"
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: as-runner, annotations: {helm.sh/hook: post-install}}\nspec: {serviceAccountName: runner, restartPolicy: Never, containers: [{name: a, image: a}]}\n"
	again := hookJobOf("name: again", `helm.sh/hook: "pre-install,pre-upgrade"`, "", "Never")
	port := "apiVersion: v1\nkind: Service\nmetadata: {name: door, annotations: {helm.sh/hook: \"pre-install,pre-upgrade\"}}\nspec: {type: NodePort, ports: [{port: 80, nodePort: %d}]}\n"
	port = fmt.Sprintf(port, 32767)
	named := hookJobOf("generateName: named-", `helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"`, "", "Never")
	r := f.release(f.chart(map[string]string{"config.yaml": configMap, "a.yaml": account, "b.yaml": role, "c.yaml": pod, "d.yaml": again, "e.yaml": port, "f.yaml": named}))
	r.Namespace += "-new"
	r.CreateNamespace = true
	f.Cleanup(func() { _ = f.client.CoreV1().Namespaces().Delete(f.ctx, r.Namespace, metav1.DeleteOptions{}) })
	if p := f.plan(r); p.Err() != nil {
		t.Errorf("into a new namespace: %v", p.Err())
	}
	r.Namespace, r.CreateNamespace = f.namespace, false
	if p := f.plan(r); p.Err() != nil {
		t.Errorf("before the first hook: %v", p.Err())
	}
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "d.yaml": again, "e.yaml": port, "f.yaml": named})))
	jobs, err := f.client.BatchV1().Jobs(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil || len(jobs.Items) != 1 || jobs.Items[0].Name != "again" {
		t.Errorf("%v, jobs left: %+v", err, jobs.Items)
	}

	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "one"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/jobs.batch": resource.MustParse("1")}}}
	if _, err := f.client.CoreV1().ResourceQuotas(f.namespace).Create(f.ctx, quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		q, err := f.client.CoreV1().ResourceQuotas(f.namespace).Get(ctx, "one", metav1.GetOptions{})
		if used := q.Status.Used["count/jobs.batch"]; err == nil && used.Value() != 1 {
			err = fmt.Errorf("it counts %s", used.String())
		}
		return err
	})
	r = f.release(f.chart(map[string]string{"config.yaml": configMap, "d.yaml": again, "e.yaml": port}), "colour=red")
	p := f.plan(r)
	if p.Err() != nil || !strings.Contains(strings.Join(p.Report.Warnings, "\n"), "exceeded quota") {
		t.Errorf("%v, warnings %q", p.Err(), p.Report.Warnings)
	}
	more := hookJobOf("name: another", "helm.sh/hook: pre-upgrade", "", "Never")
	r = f.release(f.chart(map[string]string{"config.yaml": configMap, "hook.yaml": more}), "colour=red")
	f.refusesHook(r, "templates/hook.yaml", "exceeded quota")
}

// A stored hook is checked as it will run: unknown fields are ignored then.
func TestStoredHooksAreChecked(t *testing.T) {
	f := newFixture(t)
	bad := hookJobOf("name: bad", `helm.sh/hook: "pre-delete,pre-rollback"`, "", "Always")
	odd := hookJobOf("name: odd", `helm.sh/hook: "pre-delete,pre-rollback"`, "backoffLimitt: 0, ", "Never")
	config := map[string]string{"config.yaml": configMap, "odd.yaml": odd}
	f.deploy(f.release(f.chart(config)))
	config["bad.yaml"] = bad
	f.deploy(f.release(f.chart(config)))
	f.deploy(f.release(f.chart(config), "colour=red"))

	only := func(p *engine.Plan, err error) {
		t.Helper()
		if err != nil || len(p.Problems) != 1 || !p.Problems[0].Hook || p.Problems[0].Object.Name != "bad" || !strings.HasSuffix(p.Problems[0].Source, "bad.yaml") {
			t.Fatalf("%v, problems %+v", err, p)
		}
		if !strings.Contains(strings.Join(p.Report.Warnings, "\n"), `unknown field "spec.backoffLimitt"`) {
			t.Errorf("warnings %q", p.Report.Warnings)
		}
	}
	only(f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{}))
	only(f.engine.PlanRollback(f.ctx, f.key, 2, engine.PlanOptions{}))
	var problems *engine.ProblemsError
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); !errors.As(err, &problems) {
		t.Errorf("uninstalled: %v", err)
	}
	f.wantConfigMaps("shop-config")
	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
}

// A hook of a kind whose CRD the release changes first is checked after that
// change.
func TestHookOfAChangedDefinition(t *testing.T) {
	g := newGadgets(t)
	hooked := strings.Replace(g.gadget("v1", "size: 1, colour: red"), "{name: g}", `{name: g, annotations: {helm.sh/hook: "post-install,post-upgrade"}}`, 1)
	g.deploy(g.release(g.chart(map[string]string{"crds/g.yaml": g.definition([]string{"v1"}, "size: {type: integer}")})))
	r := g.release(g.chart(map[string]string{"crds/g.yaml": g.definition([]string{"v1"}, "size: {type: integer}", "colour: {type: string}"), "hook.yaml": hooked}))
	if p := g.plan(r); p.Err() != nil {
		t.Error(p.Err())
	}
	g.deploy(r)
	r = g.release(g.chart(map[string]string{"hook.yaml": strings.Replace(hooked, "colour", "smell", 1)}))
	if p := g.plan(r); p.Err() == nil || !strings.Contains(p.Err().Error(), "spec.smell") {
		t.Errorf("an unknown field: %v", p.Err())
	}
}
