package engine_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/engine"
)

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// A hook replaces nothing but hooks of its own release, and the plan foresees
// what is in its way.
func TestHooksTakeNothingOfOthers(t *testing.T) {
	for name, c := range map[string]struct {
		policy   string
		there    string // metadata beside the name of what is there
		kind     engine.ProblemKind
		says     string
		replaces bool
	}{
		"another release's object": {there: "labels: {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: other, meta.helm.sh/release-namespace: there}", kind: engine.ProblemOwned, says: "it belongs to release there/other"},
		"another release's hook":   {there: "annotations: {helm.sh/hook: pre-upgrade, meta.helm.sh/release-name: other, meta.helm.sh/release-namespace: there}", kind: engine.ProblemOwned, says: "it belongs to release there/other"},
		"an object of no release":  {there: "labels: {a: b}", kind: engine.ProblemUnowned, says: "no hook of a release"},
		"an unmarked hook":         {there: "annotations: {helm.sh/hook: pre-upgrade}", replaces: true},
		"a hook that stays":        {policy: "hook-succeeded", there: "annotations: {helm.sh/hook: pre-upgrade}", kind: engine.ProblemHook, says: "an earlier run left it"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			text := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: \"pre-upgrade\", helm.sh/hook-delete-policy: \"" + c.policy + "\"}\ndata: {new: hook}\n"
			if c.policy == "" {
				text = strings.Replace(text, ", helm.sh/hook-delete-policy: \"\"", "", 1)
			}
			chart := f.chart(map[string]string{"config.yaml": configMap, "hook.yaml": text})
			f.deploy(f.release(chart))
			f.make(configMaps, f.namespace, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, "+c.there+"}\ndata: {old: one}\n")
			r := f.release(chart, "colour=red")
			p := f.plan(r)
			if len(p.Hooks) != 1 || p.Hooks[0].Replaces != c.replaces || c.replaces != strings.Contains(strings.Join(p.Report.Notes, "\n"), "replaces the one") {
				t.Errorf("planned %+v, %v", p.Hooks, p.Report.Notes)
			}
			f.requests.Reset()
			_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
			if c.kind != "" {
				if len(p.Problems) != 1 || p.Problems[0].Kind != c.kind || !p.Problems[0].Hook {
					t.Errorf("problems are %+v", p.Problems)
				}
				f.refused(err, nil, c.says, "NoHooks")
			} else if err != nil {
				t.Fatal(err)
			}
			live, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "hook", metav1.GetOptions{})
			if err != nil || (live.Data["old"] == "one") != (c.kind != "") {
				t.Errorf("live is %v, %v", live.Data, err)
			}
			if c.kind == "" {
				if live.Annotations["meta.helm.sh/release-name"] != "shop" {
					t.Errorf("the hook is not marked: %v", live.Annotations)
				}
				f.wantSettled(r)
			}
		})
	}
}

// A test hook does not take an object of others either.
func TestTestHooksTakeNothingOfOthers(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "test.yaml": hookOf("check", "test", "0", "before-hook-creation")})))
	f.make(configMaps, f.namespace, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: check}\ndata: {old: one}\n")
	_, err := f.engine.Test(f.ctx, f.key, engine.TestOptions{})
	if err == nil || !strings.Contains(err.Error(), "no hook of a release") {
		t.Errorf("it returned %v", err)
	}
	if live, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "check", metav1.GetOptions{}); err != nil || live.Data["old"] != "one" {
		t.Errorf("live is %v, %v", live, err)
	}
}

// A hook and an object of the manifest cannot have one name.
func TestHookOfAnObjectsName(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"config.yaml": configMap, "hook.yaml": hookOf("shop-config", "post-install", "0", "before-hook-creation")}))
	p := f.plan(r)
	if len(p.Problems) != 1 || p.Problems[0].Kind != engine.ProblemHook || p.Problems[0].Object.Name != "shop-config" {
		t.Errorf("problems are %+v", p.Problems)
	}
	_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
	f.refused(err, nil, "the same name")
	f.wantConfigMaps()
}

// What a deploy calls ready, Status calls ready.
func TestReadyIsOneJudgement(t *testing.T) {
	for name, c := range map[string]struct {
		template string
		gone     bool // the object is deleted after the deploy
	}{
		"a claim that waits for its consumer": {template: "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {storageClassName: CLASS, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"},
		"a job that its TTL removes":          {template: "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\nspec: {ttlSecondsAfterFinished: 3600, template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: 'shop:1.0'}]}}}\n", gone: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := f.release(f.chart(map[string]string{"config.yaml": configMap, "a.yaml": strings.Replace(c.template, "CLASS", f.class(true), 1)}))
			f.deploy(r)
			if c.gone {
				background := metav1.DeletePropagationBackground
				if err := f.client.BatchV1().Jobs(f.namespace).Delete(f.ctx, "migrate", metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
					t.Fatal(err)
				}
			}
			s, err := f.engine.Status(f.ctx, f.key)
			if err != nil || !s.Ready {
				t.Errorf("%v, %+v", err, s)
			}
			if !c.gone {
				claim, err := f.client.CoreV1().PersistentVolumeClaims(f.namespace).Get(f.ctx, "data", metav1.GetOptions{})
				if err != nil || claim.Status.Phase != corev1.ClaimPending {
					t.Errorf("the claim is %v, %v", claim.Status.Phase, err)
				}
			}
			f.wantSettled(r)
		})
	}
}
