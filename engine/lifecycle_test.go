package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
)

func TestUninstallAfterAFailedInstall(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment})
	if _, err := f.engine.Deploy(f.ctx, f.release(c, `podAnnotations.fairlead\.dev/pod=image-pull-error`), engine.ApplyOptions{}); err == nil {
		t.Fatal("it became ready")
	}
	f.wantHistory("1 failed")
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantConfigMaps()
	if rev := f.deploy(f.release(c)); rev.Revision != 1 {
		t.Errorf("installed again as revision %d", rev.Revision)
	}
}

// With its history kept, an uninstalled release can be installed again, and
// rolled back to what it was, as with Helm.
func TestAfterAnUninstallThatKeepsTheHistory(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	f.deploy(f.release(c))
	f.deploy(f.release(c, "colour=red"))
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{KeepHistory: true}); err != nil {
		t.Fatal(err)
	}
	f.wantHistory("1 superseded", "2 uninstalled")
	f.wantConfigMaps()
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{KeepHistory: true}); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("uninstalled twice: %v", err)
	}
	if _, err := f.engine.Rollback(f.ctx, f.key, 9, engine.ApplyOptions{}); !errors.Is(err, engine.ErrRevisionNotFound) {
		t.Errorf("rolled back to nowhere: %v", err)
	}
	rev, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{})
	if err != nil || rev.Revision != 3 {
		t.Fatalf("rolled back: %v, %v", rev, err)
	}
	f.wantColour("green")
	f.wantHistory("1 superseded", "2 uninstalled", "3 deployed")
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{KeepHistory: true}); err != nil {
		t.Fatal(err)
	}
	if rev := f.deploy(f.release(c, "colour=blue")); rev.Revision != 4 {
		t.Errorf("installed again as revision %d", rev.Revision)
	}
	f.wantColour("blue")
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{KeepHistory: true}); err != nil {
		t.Fatal(err)
	}
	// A second uninstall deletes the history, too.
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.engine.History(f.ctx, f.key); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("the history: %v", err)
	}
}

func (f *fixture) wantColour(want string) {
	f.Helper()
	cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
	if err != nil || cm.Data["colour"] != want {
		f.Errorf("colour is %q, want %s, %v", cm.Data["colour"], want, err)
	}
}

func TestUninstallOfAMissingRelease(t *testing.T) {
	f := newFixture(t)
	err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{})
	f.refused(err, engine.ErrReleaseNotFound, "List")
	_, err = f.engine.Drift(f.ctx, engine.Key{Namespace: f.namespace, Name: "a,owner!=helm"})
	f.refused(err, engine.ErrInvalidKey)
}

// An object that a finalizer keeps does not block the call forever, and the next
// call continues.
func TestUninstallWithAFinalizer(t *testing.T) {
	f := newFixture(t)
	finalized := strings.Replace(configMap, "-config}", "-finalized, finalizers: [example.com/hold]}", 1)
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "finalized.yaml": finalized})))
	err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{Timeout: 1e9})
	var notReady *engine.NotReadyError
	var typed *engine.Error
	if err == nil || !errors.As(err, &notReady) && !errors.As(err, &typed) || !strings.Contains(err.Error(), "example.com/hold") {
		t.Errorf("%T: %v", err, err)
	}
	f.wantHistory("1 uninstalling")
	patch := []byte(`{"metadata":{"finalizers":null}}`)
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Patch(f.ctx, "shop-finalized", "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantConfigMaps()
}

func TestRollbacks(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	bad := f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment})
	r := f.release(c)
	r.Cause = "the first"
	f.deploy(r)
	f.deploy(f.release(c, "colour=red"))
	for i := range 2 { // of different values: the same failure again is no revision of its own
		if _, err := f.engine.Deploy(f.ctx, f.release(bad, fmt.Sprint("colour=bad", i), `podAnnotations.fairlead\.dev/pod=image-pull-error`), engine.ApplyOptions{}); err == nil {
			t.Fatal("it became ready")
		}
	}
	f.wantHistory("1 superseded", "2 deployed", "3 failed", "4 failed")

	// Without a number it skips the failed ones.
	rev, err := f.engine.Rollback(f.ctx, f.key, 0, engine.ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if rev.Revision != 5 || rev.Description != "Rollback to 2" || rev.Cause != "rollback to 2" {
		t.Errorf("rolled back as %+v", *rev)
	}
	f.wantColour("red")
	if _, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what only the failed ones had: %v", err)
	}
	f.wantHistory("1 superseded", "2 superseded", "3 failed", "4 failed", "5 deployed")

	// A rollback to the current one changes nothing.
	f.requests.Reset()
	rev, err = f.engine.Rollback(f.ctx, f.key, 5, engine.ApplyOptions{})
	if err != nil || rev.Revision != 5 || len(f.writes()) > 0 {
		t.Errorf("to the present one: %v, %v, wrote %v", rev, err, f.writes())
	}
	rev, err = f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{})
	if err != nil || rev.Cause != "rollback to 1: the first" {
		t.Errorf("rolled back as %+v, %v", rev, err)
	}

	// A failed one can be chosen by its number; here it fails again.
	rev, err = f.engine.Rollback(f.ctx, f.key, 3, engine.ApplyOptions{})
	var notReady *engine.NotReadyError
	if !errors.As(err, &notReady) || rev.Status != engine.StatusFailed || !strings.HasPrefix(rev.Description, "Rollback to 3 failed") {
		t.Errorf("to a failed one: %+v, %v", rev, err)
	}
}

// One revision that cannot be read does not block the release.
func TestBrokenRevision(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	f.deploy(f.release(c))
	f.deploy(f.release(c, "colour=red"))
	s := f.revisionSecret(1)
	s.Data["release"] = []byte("rubbish")
	delete(s.Annotations, "fairlead.dev/deployed")
	if _, err := f.client.CoreV1().Secrets(f.namespace).Update(f.ctx, s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	var typed *engine.Error
	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); !errors.As(err, &typed) || typed.Hint == "" || !strings.Contains(err.Error(), s.Name) {
		t.Errorf("to a broken one: %v", err)
	}
	f.deploy(f.release(c, "colour=blue"))

	// The newest one is broken: the one before it takes its place.
	s = f.revisionSecret(3)
	s.Data["release"] = []byte("rubbish")
	if _, err := f.client.CoreV1().Secrets(f.namespace).Update(f.ctx, s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if rev, err := f.engine.Deploy(f.ctx, f.release(c, "colour=black"), engine.ApplyOptions{}); err != nil || rev.Revision != 4 {
		t.Errorf("over a broken one: %+v, %v", rev, err)
	}
	if events := fmt.Sprint(f.events.take()); !strings.Contains(events, "passed over") || !strings.Contains(events, s.Name) {
		t.Errorf("the broken revision is not reported: %s", events)
	}
	f.deploy(f.release(c, "colour=white"))
}

// Without any revision that can be read, it is not known what is in the cluster.
func TestOnlyRevisionBroken(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	f.deploy(f.release(c))
	s := f.revisionSecret(1)
	s.Data["release"] = []byte("rubbish")
	if _, err := f.client.CoreV1().Secrets(f.namespace).Update(f.ctx, s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.requests.Reset()
	_, err := f.engine.Deploy(f.ctx, f.release(c, "colour=black"), engine.ApplyOptions{})
	f.refused(err, nil, s.Name, "backup")
	var typed *engine.Error
	if !errors.As(err, &typed) || typed.Hint == "" {
		t.Errorf("%v", err)
	}
}

// Failed revisions are trimmed, except those with objects that no other revision
// has.
func TestFailedRevisionsAreTrimmed(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	f.deploy(f.release(c))
	hook := strings.Replace(brokenHook, "pre-upgrade", "post-upgrade", 1)
	bad := f.chart(map[string]string{"config.yaml": configMap, "post.yaml": hook})
	odd := f.chart(map[string]string{"config.yaml": configMap, "second.yaml": secondConfig, "post.yaml": hook})
	for i := range 8 {
		source := bad
		if i == 1 {
			source = odd
		}
		if _, err := f.engine.Deploy(f.ctx, f.release(source, fmt.Sprintf("colour=red-%d", i)), engine.ApplyOptions{History: 3}); err == nil {
			t.Fatal("it was not refused")
		}
	}
	history, err := f.engine.History(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	if len(history) > 5 || history[0].Revision != 1 || history[len(history)-1].Revision != 9 {
		t.Errorf("history is %v", history)
	}
	f.deploy(f.release(c, "colour=blue"))
	f.wantConfigMaps("shop-config")
}

// The resource policy keep is parsed as Helm does.
func TestKeepPolicyAsHelmReadsIt(t *testing.T) {
	f := newFixture(t)
	kept := strings.Replace(configMap, "-config}", `-kept, annotations: {helm.sh/resource-policy: " Keep "}}`, 1)
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap, "kept.yaml": kept})))
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantConfigMaps("shop-kept")
	f.deploy(f.release(f.chart(map[string]string{"kept.yaml": kept})))
}
