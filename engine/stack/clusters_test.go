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

// wantNoReplay fails if the plan of a stack is applied on another cluster, also what is
// planned again there, in a namespace that was not there when the plan was made.
func (f *fixture) wantNoReplay(far *engine.Engine) {
	f.Helper()
	reviewer := signer(f)
	near := *f
	near.engine, near.namespace = f.signedEngine(f.engine, reviewer.Public()), f.namespace+"-replay"
	there := near
	there.engine = f.signedEngine(far, reviewer.Public())
	build := func(g fixture, namespace bool) *stack.Stack {
		user := g.member("user", map[string]string{"a.yaml": configMap("user", "  host: {{ .Values.host }}\n")})
		base := g.member("base", map[string]string{"a.yaml": service})
		user.Release.CreateNamespace, base.Release.CreateNamespace = namespace, namespace
		user.Inputs = stack.Inputs{"host": clusterIP("base")}
		return g.stack(base, user)
	}
	plan := signed(f.T, near.plan(build(near, true)), reviewer, engine.SignOptions{})
	target := build(there, true)
	there.apply(target, signed(f.T, there.plan(target), reviewer, engine.SignOptions{}))
	before, err := target.History(f.ctx)
	if err != nil || len(before) != 2 {
		f.Fatal(before, err)
	}
	// The member that is complete is replaced by one of the target's own plan, so that
	// only the other one, which is planned again, is of the other cluster.
	mixed := there.plan(target)
	if mixed.Members[1] = plan.Members[1]; !plan.Members[1].Later() {
		f.Error("nothing is planned again")
	}
	mixed.Members[1].Assumed = nil // which the target's own plan does not bring
	open := there
	if open.engine, err = far.With(func(o *engine.Options) { o.PlanKey = planKey }); err != nil {
		f.Fatal(err)
	}
	for name, c := range map[string]struct {
		stack *stack.Stack
		plan  *stack.Plan
	}{"as it was signed": {target, plan}, "in part, without a signature": {build(open, true), read(f.T, stored(f.T, mixed))}} {
		if _, err := c.stack.Apply(f.ctx, c.plan, stack.ApplyOptions{GoOn: true}); !errors.Is(err, engine.ErrPlanCluster) {
			f.Errorf("%s: %v", name, err)
		}
	}
	if after, err := target.History(f.ctx); err != nil || len(after) != len(before) {
		f.Errorf("it was applied on another cluster: %v %v", after, err)
	}
}

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
	f.wantNoReplay(far)

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
