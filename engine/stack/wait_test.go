package stack_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// secretOutput is a value of a Secret that some controller makes for base.
func secretOutput(name string) stack.Output {
	return stack.Field("base", diff.Object{Version: "v1", Kind: "Secret", Name: name}, "data.value")
}

func (f *fixture) createSecret(name string) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"value": "of-" + name}}
	if _, err := f.client.CoreV1().Secrets(f.namespace).Create(f.ctx, secret, metav1.CreateOptions{}); err != nil {
		f.Error(err)
	}
}

// An output that is not there when its member is ready is waited for. All inputs of
// a member share one Timeout: the last one does not begin another.
func TestOutputsAreWaitedFor(t *testing.T) {
	f := newFixture(t)
	var reads, first atomic.Int64
	cfg := rest.CopyConfig(f.cluster.Config())
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet && strings.Contains(req.URL.Path, f.namespace+"/secrets/late-") {
				reads.Add(1)
				if strings.HasSuffix(req.URL.Path, "/late-a") && first.Add(1) == 9 { // 8 polls later
					f.createSecret("late-a")
				}
			}
			return next.RoundTrip(req)
		})
	})
	user := f.member("user", map[string]string{"a.yaml": configMap("user", "  a: {{ .Values.a }}\n  b: {{ .Values.b }}\n")})
	user.Inputs = stack.Inputs{"a": secretOutput("late-a"), "b": secretOutput("late-b")}
	s, err := stack.New(f.namespace, newEngine(t, cfg), f.member("base", map[string]string{"a.yaml": configMap("base", "  a: b\n")}), user)
	if err != nil {
		t.Fatal(err)
	}
	plan := f.plan(s)
	wantUnknown(t, plan, "user", "ConfigMap data.a", "ConfigMap data.b")
	reads.Store(0)
	first.Store(0)
	const timeout = 3 * time.Second
	_, err = s.Apply(f.ctx, plan, stack.ApplyOptions{Timeout: timeout})
	if !errors.Is(err, stack.ErrOutputMissing) || f.data("user") != nil {
		t.Errorf("%v", err)
	}
	// A read every 250 ms at most, the last one after the end, and the one that found a.
	if n := reads.Load(); n > int64(timeout/(250*time.Millisecond))+3 {
		t.Errorf("outputs were read %d times within one timeout of %v", n, timeout)
	}
	f.createSecret("late-b")
	f.apply(s, plan)
	if got := f.data("user"); got["a"] != "of-late-a" || got["b"] != "of-late-b" {
		t.Errorf("applied is %v", got)
	}
}
