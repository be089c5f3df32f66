package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

const (
	canaryOne   = "canary-One-81"
	canaryTwo   = "canary-Two-82"
	canaryThree = "canary-Three-83"
)

// envWeb is a Deployment with a Secret's value in a connection string.
var envWeb = strings.Replace(deployment, "        image:", "        env: [{name: URL, value: \"postgres://app:{{ .Values.password }}@db/app\"}]\n        image:", 1)

func (f *fixture) hidesAll(out string) {
	f.Helper()
	for _, canary := range []string{canaryOne, canaryTwo, canaryThree} {
		f.hides(canary, out)
	}
}

// A workload that is undone gets what the Secret of an earlier revision was then,
// and keeps it until the chart changes it.
func TestAttackSecretOfAnUndoneRevision(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"secret.yaml": secret, "web.yaml": envWeb, "NOTES.txt": "{{ .Values.password }}"})
	f.deploy(f.release(c, "password="+canaryOne))
	f.deploy(f.release(c, "password="+canaryTwo))
	p, err := f.engine.PlanRollout(f.ctx, f.key, engine.Rollout{Verb: engine.Undo}, engine.PlanOptions{})
	out := f.tell(p, err)
	f.hidesAll(out)
	if !strings.Contains(out, `env[name=\"URL\"].value`) {
		t.Fatalf("the plan does not show the variable: %s", out)
	}
	rev, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{})
	f.hidesAll(f.tell(nil, err) + fmt.Sprint(rev))
	p, err = f.engine.Plan(f.ctx, f.release(c, "password="+canaryThree), engine.PlanOptions{})
	if out = f.tell(p, err); !strings.Contains(out, `env[name=\"URL\"].value`) {
		t.Fatalf("the next plan does not show the variable: %s", out)
	}
	f.hidesAll(out)
	report, err := f.engine.Drift(f.ctx, f.key)
	f.hidesAll(fmt.Sprintf("%+v %v", report, err))
	f.scale("shop", "kubectl", 1)
	p, err = f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})
	f.hidesAll(f.tell(p, err))
}

// The pods of a workload that was undone repeat what the Secret was then, and
// Status shows that.
func TestAttackUndoneSecretInStatus(t *testing.T) {
	f := newFixture(t)
	text := strings.Replace(behaving("config-error"), "{fairlead.dev/pod", `{fairlead.dev/message: 'cannot log in with {{ .Values.password }}', fairlead.dev/pod`, 1)
	c := f.chart(map[string]string{"secret.yaml": secret, "web.yaml": text})
	hidesIn := func(sets int) {
		t.Helper()
		testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
			list, err := f.client.AppsV1().ReplicaSets(f.namespace).List(ctx, metav1.ListOptions{})
			if err != nil || len(list.Items) != sets {
				return fmt.Errorf("%d ReplicaSets, %v", len(list.Items), err)
			}
			status, err := f.engine.Status(ctx, f.key)
			if err != nil {
				return err
			}
			data, err := json.Marshal(status)
			f.hidesAll(string(data))
			if !strings.Contains(string(data), "cannot log in with [secret") {
				return fmt.Errorf("status %s, %v", data, err)
			}
			return nil
		})
	}
	for i, password := range []string{canaryOne, canaryTwo} {
		if _, err := f.engine.Deploy(f.ctx, f.release(c, "password="+password), engine.ApplyOptions{NoWait: true}); err != nil {
			t.Fatal(err)
		}
		hidesIn(i + 1)
	}
	if _, err := f.engine.Rollout(f.ctx, f.key, engine.Rollout{Verb: engine.Undo}, engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	hidesIn(2)
}

// A live object has what the Secret of a hook of the last revision was.
func TestAttackSecretOfAnEarlierHook(t *testing.T) {
	f := newFixture(t)
	hook := strings.Replace(secret, "-secret}", "-secret, annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}}", 1)
	c := f.chart(map[string]string{"secret.yaml": hook, "user.yaml": user})
	f.deploy(f.release(c, "password="+canaryOne))
	p, err := f.engine.Plan(f.ctx, f.release(c, "password="+canaryTwo), engine.PlanOptions{})
	f.hidesAll(f.tell(p, err))
	f.deploy(f.release(c, "password="+canaryTwo))
	p, err = f.engine.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{})
	if out := f.tell(p, err); !strings.Contains(out, "data.url") {
		t.Fatalf("the plan does not show the value: %s", out)
	} else {
		f.hidesAll(out)
	}
}

// After a deploy that failed the pods repeat what the Secret of the revision
// before it was, and Status shows that.
func TestAttackEarlierSecretInStatus(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"secret.yaml": secret, "web.yaml": deployment}), "password="+canaryOne))
	text := strings.Replace(behaving("config-error"), "{fairlead.dev/pod", `{fairlead.dev/message: 'cannot log in with `+canaryOne+`', fairlead.dev/pod`, 1)
	_, err := f.engine.Deploy(f.ctx, f.release(f.chart(map[string]string{"secret.yaml": secret, "web.yaml": text}), "password="+canaryTwo),
		engine.ApplyOptions{Timeout: time.Minute, FailurePolicy: engine.FailurePolicy{Config: time.Second}})
	if err == nil {
		t.Fatal("the pods are ready")
	}
	f.hidesAll(f.tell(nil, err))
	status, err := f.engine.Status(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(status)
	if err != nil || !strings.Contains(string(data), "cannot log in with [secret") {
		t.Errorf("status %s, %v", data, err)
	}
	f.hidesAll(string(data))
}

// Problems and warnings of a plan repeat annotations and fields of objects.
func TestAttackSecretsInProblems(t *testing.T) {
	f := newFixture(t)
	config := func(annotation string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {" + annotation + "}}\ndata: {a: b}\n"
	}
	for name, text := range map[string]string{
		"a wave":            config("fairlead.dev/wave: '" + canaryOne + "'"),
		"a dependency":      config("fairlead.dev/depends-on: '" + canaryOne + "'"),
		"another's":         config("config.kubernetes.io/depends-on: '" + canaryOne + "'"),
		"an unknown object": config("config.kubernetes.io/depends-on: apps/namespaces/x/Deployment/" + canaryOne),
		"a replace policy":  config("fairlead.dev/replace: '" + canaryOne + "'"),
		"a resource policy": config("helm.sh/resource-policy: '" + canaryOne + "'"),
		"a weight":          config("helm.sh/hook: pre-install, helm.sh/hook-weight: '" + canaryOne + "'"),
		"a delete policy":   config("helm.sh/hook: pre-install, helm.sh/hook-delete-policy: '" + canaryOne + "'"),
		"a quantity":        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: " + canaryOne + "}}}\n",
		"an enumeration":    "apiVersion: v1\nkind: Service\nmetadata: {name: c}\nspec: {type: " + canaryOne + ", ports: [{port: 80}]}\n",
		"a selector":        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: c}\nspec: {selector: {matchLabels: {a: " + canaryOne + "}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}}\n",
		"a document":        "the password is " + canaryOne + "\n",
	} {
		p, err := f.engine.Plan(f.ctx, f.release(f.chart(map[string]string{"secret.yaml": secret, "c.yaml": text}), "password="+canaryOne), engine.PlanOptions{})
		if out := f.tell(p, err); strings.Contains(out, canaryOne) {
			t.Errorf("%s: %s", name, out)
		}
	}
}
