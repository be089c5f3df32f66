package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/action"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// testPod is a test as charts have them: a bare Pod. more goes into its
// annotations.
func testPod(name, event, more string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\n  annotations: {helm.sh/hook: %s%s}\nspec: {restartPolicy: Never, containers: [{name: check, image: 'check:1'}]}\n", name, event, more)
}

func TestTestsOfARelease(t *testing.T) {
	f := newFixture(t)
	const canary = "canary-Test-81"
	f.engine = f.newEngine(withLogs(f.config, "connecting as "+canary+"\nno response\n"))
	c := f.chart(map[string]string{
		"config.yaml": configMap, "secret.yaml": secret,
		"a.yaml":    testPod("good", "test-success", ", helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded'"),
		"b.yaml":    testPod("bad", "test", ", helm.sh/hook-weight: '-1', fairlead.dev/pod: crash-loop"),
		"c.yaml":    fmt.Sprintf(job, "test", 3, "before-hook-creation"),
		"d.yaml":    hookOf("input", "test", "-5", "hook-succeeded"),
		"early.yml": hookOf("early", "pre-install", "0", "hook-succeeded"),
	})
	f.deploy(f.release(c, "password="+canary))
	f.events.take()

	results, err := f.engine.Test(f.ctx, f.key, engine.TestOptions{})
	var failed *engine.TestError
	var not *engine.NotReadyError
	if !errors.As(err, &failed) || !errors.As(err, &not) {
		t.Fatalf("%v", err)
	}
	if len(failed.Failed) != 1 || failed.Failed[0].Object.Name != "bad" || failed.Run != 4 || failed.Revision != 1 {
		t.Errorf("failed: %+v", failed)
	}
	if text := err.Error(); !strings.Contains(text, "1 of 4 tests of revision 1 of "+f.key.String()) || !strings.Contains(text, "bad") || !strings.Contains(text, "| no response") {
		t.Errorf("the error says %s", text)
	}
	var got []string
	for _, r := range results {
		got = append(got, fmt.Sprintf("%s %s %s", r.Object.Kind, r.Object.Name, r.Phase))
		if r.Took <= 0 || r.Started.IsZero() || (r.Err == nil) != (r.Reason == "") {
			t.Errorf("%+v", r)
		}
		if r.Object.Kind == "ConfigMap" {
			continue
		}
		if len(r.Logs) != 1 || len(r.Logs[0].Lines) != 2 || r.Logs[0].Lines[1] != "no response" || r.Logs[0].Unread != "" {
			t.Errorf("logs of %s are %+v", r.Object.Name, r.Logs)
		}
	}
	if want := "[ConfigMap input Succeeded Pod bad Failed Pod good Succeeded Job shop-test Succeeded]"; fmt.Sprint(got) != want {
		t.Errorf("results are %s, want %s", got, want)
	}
	if order, want := f.hookOrder(), "test:input test:bad test:good test:shop-test"; order != want {
		t.Errorf("ran %s, want %s", order, want)
	}
	data, jsonErr := json.Marshal(results)
	if out := string(data) + fmt.Sprint(err, results, jsonErr); strings.Contains(out, canary) {
		t.Errorf("the secret shows: %s", out)
	}

	// Delete policies: the failed tests and the Job stay.
	f.wantConfigMaps("shop-config")
	f.wantPod("good", false)
	f.wantPod("bad", true)
	f.wantJob("test", true)
	f.wantHistory("1 deployed")

	// Helm shows the results.
	release, err := action.NewStatus(f.helm()).Run("shop")
	if err != nil {
		t.Fatal(err)
	}
	var phases []string
	for _, h := range release.Hooks {
		phases = append(phases, h.Name+":"+string(h.LastRun.Phase))
		if h.LastRun.Phase != "" && (h.LastRun.StartedAt.IsZero() || h.LastRun.CompletedAt.Before(h.LastRun.StartedAt)) {
			t.Errorf("%s ran from %v to %v", h.Name, h.LastRun.StartedAt, h.LastRun.CompletedAt)
		}
	}
	slices.Sort(phases)
	if want := "[bad:Failed early:Succeeded good:Succeeded input:Succeeded shop-test:Succeeded]"; fmt.Sprint(phases) != want {
		t.Errorf("helm status shows %s, want %s", phases, want)
	}

	// Only some of them; and what they need.
	results, err = f.engine.Test(f.ctx, f.key, engine.TestOptions{Filter: func(o diff.Object) bool { return o.Name == "good" }, LogLines: -1})
	if err != nil || len(results) != 2 || results[1].Object.Name != "good" || results[1].Logs != nil {
		t.Errorf("%+v, %v", results, err)
	}
}

func (f *fixture) wantPod(name string, there bool) {
	f.Helper()
	_, err := f.client.CoreV1().Pods(f.namespace).Get(f.ctx, name, metav1.GetOptions{})
	if there != (err == nil) || err != nil && !apierrors.IsNotFound(err) {
		f.Errorf("pod %s: %v, want it there: %v", name, err, there)
	}
}

func TestReleasesThatCannotBeTested(t *testing.T) {
	f := newFixture(t)
	if _, err := f.engine.Test(f.ctx, f.key, engine.TestOptions{}); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("not installed: %v", err)
	}
	if _, err := f.engine.Test(f.ctx, engine.Key{}, engine.TestOptions{}); !errors.Is(err, engine.ErrInvalidKey) {
		t.Errorf("no key: %v", err)
	}
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap})))
	if results, err := f.engine.Test(f.ctx, f.key, engine.TestOptions{}); err != nil || len(results) != 0 {
		t.Errorf("without tests: %v, %v", results, err)
	}

	// Options.Allow applies to tests too, before the first of them runs.
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "a.yaml": testPod("a", "test", ""), "b.yaml": strings.Replace(testPod("b", "test", ""), "name: b", "name: b\n  namespace: kube-system", 1)})))
	fenced, err := engine.New(f.config, engine.Options{Allow: engine.OwnNamespace})
	if err != nil {
		t.Fatal(err)
	}
	f.requests.Reset()
	if _, err := fenced.Test(f.ctx, f.key, engine.TestOptions{}); !errors.Is(err, engine.ErrNotAllowed) {
		t.Errorf("blocked by Options.Allow: %v", err)
	}
	f.wantPod("a", false)

	// A test that does not end has its timeout, and ends with the caller's context.
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "a.yaml": testPod("a", "test", ", fairlead.dev/pod: keeps-running")})))
	results, err := f.engine.Test(f.ctx, f.key, engine.TestOptions{Timeout: time.Second})
	var failed *engine.TestError
	if !errors.As(err, &failed) || !errors.Is(err, context.DeadlineExceeded) || len(results) != 1 || results[0].Phase != engine.TestFailed {
		t.Errorf("without an end: %+v, %v", results, err)
	}
	ctx, cancel := context.WithTimeout(f.ctx, 2*time.Second)
	defer cancel()
	if _, err := f.engine.Test(ctx, f.key, engine.TestOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("given up: %v", err)
	}
	history, err := action.NewGet(f.helm()).Run("shop")
	if err != nil || len(history.Hooks) != 1 || history.Hooks[0].LastRun.Phase != "Failed" {
		t.Errorf("what was given up is not recorded: %v", err)
	}
}
