package engine_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

const secondConfig = `
apiVersion: v1
kind: ConfigMap
metadata: {name: second}
data: {a: b}
`

func (f *fixture) wantConfigMaps(want ...string) {
	f.Helper()
	list, err := f.client.CoreV1().ConfigMaps(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil {
		f.Fatal(err)
	}
	var got []string
	for _, cm := range list.Items {
		if cm.Name != "kube-root-ca.crt" {
			got = append(got, cm.Name)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		f.Errorf("there are ConfigMaps %v, want %v", got, want)
	}
}

// dies returns an engine whose connection to the API server breaks with the
// request that match selects, as if its process had been killed.
func (f *fixture) dies(match func(*http.Request) bool) (*engine.Engine, context.Context) {
	f.Helper()
	ctx, kill := context.WithCancel(f.ctx)
	dead := false
	cfg := testcluster.Inject(f.cluster.Config(), func(r *http.Request) (*http.Response, error) {
		if !dead && match(r) {
			dead = true
			kill()
		}
		if dead {
			return nil, x509.UnknownAuthorityError{} // which is not retried
		}
		return nil, nil
	})
	e, err := engine.New(cfg, engine.Options{OnEvent: f.events.add, LeaseDuration: time.Second})
	if err != nil {
		f.Fatal(err)
	}
	return e, ctx
}

func write(method, path string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == method && strings.Contains(r.URL.Path, path) && !r.URL.Query().Has("dryRun")
	}
}

// Wherever a deploy is killed, the next call continues, and removes objects that
// only the killed one created.
func TestKilledDeployIsPickedUp(t *testing.T) {
	for name, match := range map[string]func(*http.Request) bool{
		"before the record":       write("POST", "/secrets"),
		"before the first object": write("PATCH", "/configmaps"),
		"in the middle":           write("PATCH", "/services/"),
		"before the outcome":      write("PUT", "/secrets/"),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			service := "apiVersion: v1\nkind: Service\nmetadata: {name: svc}\nspec: {ports: [{port: 80}]}\n"
			one := f.chart(map[string]string{"config.yaml": configMap})
			attempted := f.chart(map[string]string{"config.yaml": configMap, "second.yaml": secondConfig, "svc.yaml": service})
			f.deploy(f.release(one))

			e, ctx := f.dies(match)
			if _, err := e.Deploy(ctx, f.release(attempted, "colour=red"), engine.ApplyOptions{}); err == nil {
				t.Fatal("the dead finished")
			}
			history, err := f.engine.History(f.ctx, f.key)
			if err != nil {
				t.Fatal(err)
			}
			recorded := len(history) == 2
			if recorded && history[1].Status != engine.StatusPendingUpgrade {
				t.Errorf("the dead left revision 2 as %s", history[1].Status)
			}

			// The next chart has neither the second one nor the service.
			third := f.chart(map[string]string{"config.yaml": configMap, "third.yaml": strings.Replace(secondConfig, "second", "third", 1)})
			f.deploy(f.release(third, "colour=blue"))
			f.wantConfigMaps("shop-config", "third")
			if _, err := f.client.CoreV1().Services(f.namespace).Get(f.ctx, "svc", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				t.Errorf("the service: %v", err)
			}
			if recorded {
				// It never was healthy, so it is no default target of a rollback.
				f.wantHistory("1 superseded", "2 failed", "3 deployed")
				rev, err := f.engine.Rollback(f.ctx, f.key, 0, engine.ApplyOptions{})
				if err != nil || rev.Cause != "rollback to 1" {
					t.Errorf("rolled back: %+v, %v", rev, err)
				}
				f.wantConfigMaps("shop-config")
			}
		})
	}
}

func TestRollbackAndUninstallAfterAKill(t *testing.T) {
	for _, verb := range []string{"rollback", "uninstall"} {
		t.Run(verb, func(t *testing.T) {
			f := newFixture(t)
			one := f.chart(map[string]string{"config.yaml": configMap})
			two := f.chart(map[string]string{"config.yaml": configMap, "second.yaml": secondConfig})
			f.deploy(f.release(one))
			f.deploy(f.release(two, "colour=red"))
			f.interrupt(2, "pending-upgrade")
			f.interrupt(1, "deployed")
			switch verb {
			case "rollback":
				if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
					t.Fatal(err)
				}
				f.wantConfigMaps("shop-config")
				f.wantHistory("1 superseded", "2 failed", "3 deployed")
			case "uninstall":
				if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
					t.Fatal(err)
				}
				f.wantConfigMaps()
			}
		})
	}
}

// An uninstall that was killed is continued, also with objects that only an
// earlier revision had.
func TestKilledUninstallIsPickedUp(t *testing.T) {
	f := newFixture(t)
	one := f.chart(map[string]string{"config.yaml": configMap, "second.yaml": secondConfig})
	f.deploy(f.release(one))
	bad := f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment})
	if _, err := f.engine.Deploy(f.ctx, f.release(bad, `podAnnotations.fairlead\.dev/pod=image-pull-error`), engine.ApplyOptions{}); err == nil {
		t.Fatal("it became ready")
	}
	f.rewriteManifest(2, "web", "web") // as it is
	// The second one should be removed, and is not yet.
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "second", metav1.GetOptions{}); err != nil {
		f.recreateSecond()
	}
	e, ctx := f.dies(write("DELETE", "/deployments/"))
	if err := e.Uninstall(ctx, f.key, engine.ApplyOptions{}); err == nil {
		t.Fatal("the dead finished")
	}
	f.wantHistory("1 deployed", "2 uninstalling")
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantConfigMaps()
	if _, err := f.engine.History(f.ctx, f.key); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Error(err)
	}
}

// recreateSecond creates the ConfigMap "second" again, with the release's
// ownership annotations.
func (f *fixture) recreateSecond() {
	f.Helper()
	cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
	if err != nil {
		f.Fatal(err)
	}
	cm.ObjectMeta = metav1.ObjectMeta{Name: "second", Labels: cm.Labels, Annotations: cm.Annotations}
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Create(f.ctx, cm, metav1.CreateOptions{}); err != nil {
		f.Fatal(err)
	}
}

// Wherever a context ends: the revision is recorded correctly, no goroutine is
// left, and the next call works.
func TestCancelledAnywhere(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "second.yaml": secondConfig, "web.yaml": deployment})
	f.deploy(f.release(c))
	for i, match := range []func(*http.Request) bool{
		func(r *http.Request) bool { return r.Method == "GET" && strings.Contains(r.URL.Path, "/configmaps") },
		write("POST", "/secrets"),
		write("PATCH", "/configmaps/"),
		write("PATCH", "/deployments/"),
		func(r *http.Request) bool { return r.URL.Query().Get("watch") != "" },
	} {
		ctx, cancel := context.WithCancel(f.ctx)
		cfg := testcluster.Inject(f.cluster.Config(), func(r *http.Request) (*http.Response, error) {
			if match(r) {
				cancel()
			}
			return nil, nil
		})
		f.events.take()
		rev, err := f.newEngine(cfg).Deploy(ctx, f.release(c, fmt.Sprintf("colour=c%d", i), fmt.Sprintf("tag=%d.0", i+2)), engine.ApplyOptions{})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d: %v", i, err)
		}
		if rev != nil && (rev.Status != engine.StatusPendingUpgrade || !strings.Contains(rev.Description, "cancel")) {
			t.Errorf("%d: recorded as %s: %s", i, rev.Status, rev.Description)
		}
		if rev != nil {
			f.wantOneEnd(3)
		}
		history, err := f.engine.History(f.ctx, f.key)
		if err != nil {
			t.Fatal(err)
		}
		if last := history[len(history)-1]; last.Status != engine.StatusPendingUpgrade && last.Status != engine.StatusDeployed {
			t.Errorf("%d: left as %s %q", i, last.Status, last.Description)
		}
	}
	f.deploy(f.release(c, "colour=last"))
	cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shop-config", metav1.GetOptions{})
	if err != nil || cm.Data["colour"] != "last" {
		t.Errorf("%v %v", cm.Data, err)
	}
}

// wantOneEnd checks that n objects have one terminal event each.
func (f *fixture) wantOneEnd(n int) {
	f.Helper()
	ends := map[string]int{}
	for _, e := range f.events.take() {
		switch e := e.(type) {
		case engine.Applied:
			ends[e.Object.String()]++
		case engine.Kept:
			ends[e.Object.String()]++
		case engine.Failed:
			ends[e.Object.String()]++
		case engine.Skipped:
			ends[e.Object.String()]++
		}
	}
	if len(ends) != n {
		f.Errorf("terminal events of %v, want %d", ends, n)
	}
	for o, n := range ends {
		if n != 1 {
			f.Errorf("%d terminal events of %s", n, o)
		}
	}
}

// No goroutine outlives the call that began it.
func TestNothingIsLeftRunning(t *testing.T) {
	f := newFixtureAlone(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "web.yaml": deployment})
	ctx, cancel := context.WithTimeout(f.ctx, 2*time.Second)
	defer cancel()
	_, err := f.engine.Deploy(ctx, f.release(c, `podAnnotations.fairlead\.dev/pod=never-ready`), engine.ApplyOptions{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	buf := make([]byte, 4<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "fairlead/engine.(") || strings.Contains(g, "fairlead/internal/readiness") {
			t.Errorf("left running: %s", g)
		}
	}
}
