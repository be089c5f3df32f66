package stack_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// One of two clusters stops in the middle: what depends on it is skipped and said
// so, and the same call ends it when the cluster is back.
func TestClusterStopsInTheMiddle(t *testing.T) {
	f := newFixture(t)
	start, cancel := context.WithTimeout(f.ctx, 2*time.Minute)
	defer cancel()
	second, err := testcluster.Start(start, testcluster.Options{Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := second.Stop(); err != nil {
			t.Error(err)
		}
	})
	client := kubernetes.NewForConfigOrDie(second.Config())
	if _, err := client.CoreV1().Namespaces().Create(f.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	far := newEngine(t, second.Config())
	own := map[string]string{"a.yaml": service, "b.yaml": configMap("{{ .Release.Name }}", "  a: b\n")}
	uses := map[string]string{"b.yaml": configMap("{{ .Release.Name }}", "  host: {{ .Values.host }}\n")}
	remote := f.member("remote", uses)
	remote.Engine, remote.Inputs = far, stack.Inputs{"host": clusterIP("near")}
	dependant := f.member("dependant", own)
	dependant.Needs = []string{"remote"}
	beside := f.member("beside", own)
	beside.Needs = []string{"near"}
	s := f.stack(f.member("near", own), remote, dependant, beside)
	plan := f.plan(s)
	wantUnknown(t, plan, "remote", "ConfigMap data.host")

	var once sync.Once
	ctx, stop := context.WithTimeout(f.ctx, 3*time.Minute)
	defer stop()
	_, err = s.Apply(ctx, plan, stack.ApplyOptions{GoOn: true, OnEvent: func(e stack.Event) {
		if e.Member == "near" && e.State == stack.MemberDone {
			once.Do(func() {
				if err := second.Kill(testcluster.APIServer); err != nil {
					t.Error(err)
				}
			})
		}
	}})
	var failed *stack.ApplyError
	if !errors.As(err, &failed) || len(failed.Failed) != 1 || failed.Failed[0].Member != "remote" || !errors.Is(failed.Failed[0], engine.ErrUnreachable) {
		t.Fatalf("%v", err)
	}
	if len(failed.Skipped) != 1 || failed.Skipped[0].Member != "dependant" || failed.Skipped[0].Needs != "remote" {
		t.Errorf("skipped are %v", failed.Skipped)
	}
	if f.data("beside") == nil || f.data("dependant") != nil {
		t.Errorf("beside is %v, dependant %v", f.data("beside"), f.data("dependant"))
	}
	if err := second.Restart(testcluster.APIServer); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(f.ctx, plan, stack.ApplyOptions{GoOn: true}); err != nil {
		t.Fatal(err)
	}
	host, err := client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "remote", metav1.GetOptions{})
	if err != nil || host.Data["host"] == "" || f.data("dependant") == nil {
		t.Errorf("%v %v", host, err)
	}
	if again := f.plan(s); again.Changed() {
		t.Errorf("it changes again:\n%s", shown(t, again)["text"])
	}
}
