package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// class creates a StorageClass of the cluster's provisioner.
func (f *fixture) class(expands bool) string {
	f.Helper()
	c, err := f.client.StorageV1().StorageClasses().Create(f.ctx, &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "grow-"}, Provisioner: "fairlead.dev/volume",
		AllowVolumeExpansion: &expands, VolumeBindingMode: ptr.To(storagev1.VolumeBindingWaitForFirstConsumer),
	}, metav1.CreateOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		f.client.StorageV1().StorageClasses().Delete(context.Background(), c.Name, metav1.DeleteOptions{})
	})
	return c.Name
}

// pods are the UIDs of the namespace's pods, by name.
func (f *fixture) pods() map[string]types.UID {
	f.Helper()
	list, err := f.client.CoreV1().Pods(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil {
		f.Fatal(err)
	}
	out := map[string]types.UID{}
	for _, p := range list.Items {
		out[p.Name] = p.UID
	}
	return out
}

// wantSamePods fails if a pod was replaced or restarted.
func (f *fixture) wantSamePods(before map[string]types.UID) {
	f.Helper()
	list, err := f.client.CoreV1().Pods(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil {
		f.Fatal(err)
	}
	if len(list.Items) != len(before) {
		f.Errorf("%d pods, want %d", len(list.Items), len(before))
	}
	set := f.set()
	for _, p := range list.Items {
		if p.UID != before[p.Name] || p.DeletionTimestamp != nil {
			f.Errorf("pod %s is %s, was %s", p.Name, p.UID, before[p.Name])
		}
		if c := metav1.GetControllerOf(&p); c == nil || c.UID != set.UID {
			f.Errorf("pod %s is not the StatefulSet's", p.Name)
		}
		for _, c := range p.Status.ContainerStatuses {
			if c.RestartCount > 0 {
				f.Errorf("pod %s was restarted", p.Name)
			}
		}
	}
}

func (f *fixture) set() *appsv1.StatefulSet {
	f.Helper()
	set, err := f.client.AppsV1().StatefulSets(f.namespace).Get(f.ctx, "db", metav1.GetOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return set
}

// claims are "name requested capacity" of the namespace's claims.
func (f *fixture) claims() []string {
	f.Helper()
	list, err := f.client.CoreV1().PersistentVolumeClaims(f.namespace).List(f.ctx, metav1.ListOptions{})
	if err != nil {
		f.Fatal(err)
	}
	var out []string
	for _, c := range list.Items {
		out = append(out, fmt.Sprintf("%s %s %s", c.Name, c.Spec.Resources.Requests.Storage(), c.Status.Capacity.Storage()))
	}
	return out
}

func (f *fixture) wantClaims(size string, n int) {
	f.Helper()
	var want []string
	for i := range n {
		want = append(want, fmt.Sprintf("data-db-%d %s %s", i, size, size))
	}
	if got := f.claims(); strings.Join(got, ", ") != strings.Join(want, ", ") {
		f.Errorf("claims are %v, want %v", got, want)
	}
}

func TestDatabaseGrows(t *testing.T) {
	f := newFixture(t)
	class := f.class(true)
	c := f.chart(map[string]string{"db.yaml": database})
	f.deploy(f.release(c, "class="+class, "replicas=3"))
	before, old := f.pods(), f.set().UID
	grown := f.release(c, "class="+class, "replicas=3", "size=2Gi")

	plan, err := f.engine.Plan(f.ctx, grown, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	plan.Report.WriteText(&text, diff.TextOptions{})
	t.Log(text.String())
	if plan.Err() != nil || len(plan.Report.Changes) != 4 || plan.Report.Changes[0].Action != diff.Replaced || plan.Report.Changes[0].Local {
		t.Fatalf("planned %s; %v", plan.Report.Summary(), plan.Err())
	}
	if fields := plan.Report.Changes[0].Fields; len(fields) != 1 || !fields[0].Immutable || fields[0].Live != "1Gi" || fields[0].Desired != "2Gi" {
		t.Errorf("fields %+v", fields)
	}
	f.events.take()
	f.requests.Reset()
	if _, err := f.engine.Apply(f.ctx, plan, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("writes: %s", strings.Join(f.writes(), "\n"))
	f.wantClaims("2Gi", 3)
	f.wantSamePods(before)
	f.wantHistory("1 superseded", "2 deployed")
	if f.set().UID == old {
		t.Error("the StatefulSet is the old one")
	}
	outcomes := map[string]int{}
	for _, e := range f.events.take() {
		if a, ok := e.(engine.Applied); ok {
			outcomes[string(a.Action)+" "+a.Object.Name]++
		}
	}
	if fmt.Sprint(outcomes) != "map[Replaced db:1 Updated data-db-0:1 Updated data-db-1:1 Updated data-db-2:1]" {
		t.Errorf("outcomes are %v", outcomes)
	}
	f.requests.Reset()
	f.deploy(grown)
	if w := f.writes(); len(w) > 0 {
		t.Errorf("once more writes %v", w)
	}
}

// Whichever of its writes a process is killed after, the next deploy continues,
// and pods and claims are the same in the end.
func TestGrowthSurvivesAKill(t *testing.T) {
	f := newFixture(t)
	class := f.class(true)
	c := f.chart(map[string]string{"db.yaml": database})
	f.deploy(f.release(c, "class="+class, "replicas=3"))
	before := f.pods()
	size := 1
	for after := int32(1); ; after++ {
		size++
		grown := f.release(c, "class="+class, "replicas=3", fmt.Sprintf("size=%dGi", size))
		var writes atomic.Int32
		ctx, die := context.WithCancel(f.ctx)
		eng, err := engine.New(testcluster.Inject(f.config, func(req *http.Request) (*http.Response, error) {
			if writes.Load() >= after { // a response that is not retried
				return &http.Response{StatusCode: http.StatusTeapot, Body: http.NoBody, Request: req}, nil
			}
			if strings.Contains(req.URL.Path, "/authorization.k8s.io/") {
				return nil, nil
			}
			if req.Method != http.MethodGet && !req.URL.Query().Has("dryRun") {
				if writes.Add(1) == after {
					time.AfterFunc(2*time.Second, die) // so that a wait ends
				}
			}
			return nil, nil
		}), engine.Options{LeaseDuration: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		_, err = eng.Deploy(ctx, grown, engine.ApplyOptions{})
		die()
		survived := err == nil
		state := f.claims()
		_, setErr := f.client.AppsV1().StatefulSets(f.namespace).Get(f.ctx, "db", metav1.GetOptions{})
		f.deploy(grown)
		t.Logf("dead after %d writes: claims %v, StatefulSet there: %v; gone on from", after, state, setErr == nil)
		f.wantClaims(fmt.Sprintf("%dGi", size), 3)
		f.wantSamePods(before)
		if t.Failed() || survived {
			if after < 6 {
				t.Errorf("it took only %d writes", after)
			}
			return
		}
	}
}

// Claims that cannot grow are a problem of the plan, whose hint names the way
// out.
func TestGrowthThatIsImpossible(t *testing.T) {
	f := newFixture(t)
	rigid, elastic := f.class(false), f.class(true)
	c := f.chart(map[string]string{"db.yaml": database})
	f.deploy(f.release(c, "class="+elastic, "replicas=1", "size=2Gi"))
	shrunk := f.release(c, "class="+elastic, "replicas=1", "size=1Gi")
	f.wantProblem(shrunk, "shrinks from 2Gi to 1Gi", "set it back to 2Gi", "fairlead.dev/replace: orphan")
	f.wantProblem(f.release(c, "class="+elastic, "replicas=1", "size=3Gi", "service=other"), "spec.serviceName cannot change", "fairlead.dev/replace: recreate")
	f.wantProblem(f.release(c, "class="+elastic, "replicas=1", "size=3Gi", `annotations.fairlead\.dev/replace=never`), "changes from 2Gi to 3Gi", "the policy is never")
	f.wantProblem(f.release(c, "class="+rigid, "replicas=1", "size=3Gi"), "spec.volumeClaimTemplates[0].spec.storageClassName cannot change", "set it back")

	// The way out: only new claims are smaller.
	pods := f.pods()
	f.deploy(f.release(c, "class="+elastic, "replicas=2", "size=1Gi", `annotations.fairlead\.dev/replace=orphan`))
	if got := strings.Join(f.claims(), ", "); got != "data-db-0 2Gi 2Gi, data-db-1 1Gi 1Gi" {
		t.Errorf("claims are %s", got)
	}
	if now := f.pods(); now["db-0"] != pods["db-0"] {
		t.Error("pod db-0 was recreated")
	}

	other := anotherFixture(f)
	other.deploy(other.release(c, "class="+rigid, "replicas=1"))
	other.wantProblem(other.release(c, "class="+rigid, "replicas=1", "size=2Gi"), "StorageClass "+rigid+" does not allow expansion", "allowVolumeExpansion: true")
}

func (f *fixture) wantProblem(r engine.Release, says ...string) {
	f.Helper()
	f.requests.Reset()
	r.Key = f.key
	_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
	var problems *engine.ProblemsError
	if !errors.As(err, &problems) || problems.Problems[0].Kind != engine.ProblemImmutable {
		f.Fatalf("deploying: %v, want a ProblemImmutable", err)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			f.Errorf("the problem does not say %q: %v", s, err)
		}
	}
	if w := f.writes(); len(w) > 0 {
		f.Errorf("the refused deploy writes %v", w)
	}
}

// anotherFixture returns f with another namespace.
func anotherFixture(f *fixture) *fixture {
	other := *f
	other.namespace = f.cluster.Namespace(f.T)
	other.key.Namespace = other.namespace
	return &other
}

// A rollback to smaller claims keeps their size and restores everything else.
func TestRollbackKeepsSizes(t *testing.T) {
	f := newFixture(t)
	class := f.class(true)
	c := f.chart(map[string]string{"db.yaml": database})
	f.deploy(f.release(c, "class="+class, "replicas=2"))
	f.deploy(f.release(c, "class="+class, "replicas=2", "size=2Gi", "tag=2.0"))
	plan, err := f.engine.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if w := strings.Join(plan.Report.Changes[0].Warnings, "\n"); !strings.Contains(w, "stays 2Gi, because claims cannot shrink") {
		t.Errorf("warnings %q", w)
	}
	if _, err := f.engine.Apply(f.ctx, plan, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantClaims("2Gi", 2)
	if image := f.set().Spec.Template.Spec.Containers[0].Image; image != "db:1.0" {
		t.Errorf("image is %s", image)
	}
}

// A new version and more storage at once: each pod is replaced once, for the
// version.
func TestGrowthWithANewVersion(t *testing.T) {
	f := newFixture(t)
	class := f.class(true)
	c := f.chart(map[string]string{"db.yaml": database})
	f.deploy(f.release(c, "class="+class, "replicas=2"))
	before := f.pods()
	f.deploy(f.release(c, "class="+class, "replicas=2", "size=2Gi", "tag=2.0", "service=other", `annotations.fairlead\.dev/replace=orphan`))
	f.wantClaims("2Gi", 2)
	for name, uid := range f.pods() {
		if before[name] == uid {
			t.Errorf("pod %s is of the old version", name)
		}
	}
	if set := f.set(); set.Spec.ServiceName != "other" || set.Status.UpdatedReplicas != 2 {
		t.Errorf("service %s, %d updated", set.Spec.ServiceName, set.Status.UpdatedReplicas)
	}
	f.wantHistory("1 superseded", "2 deployed")
}

// Pods from the partition on are replaced, and ordinals start where the chart
// says; scaling down names the claims that stay.
func TestPartitionAndOrdinals(t *testing.T) {
	f := newFixture(t)
	class := f.class(true)
	c := f.chart(map[string]string{"db.yaml": database})
	spec := func(more ...string) engine.Release {
		return f.release(c, append([]string{"class=" + class, "replicas=3", "spec.ordinals.start=5", "spec.updateStrategy.rollingUpdate.partition=2"}, more...)...)
	}
	f.deploy(spec())
	before := f.pods()
	f.deploy(spec("tag=2.0"))
	now := f.pods()
	if now["db-5"] != before["db-5"] || now["db-6"] != before["db-6"] || now["db-7"] == before["db-7"] {
		t.Errorf("pods were %v, are %v: want db-7 renewed alone", before, now)
	}

	grown, err := f.engine.Plan(f.ctx, spec("tag=2.0", "size=2Gi"), engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if w := strings.Join(grown.Report.Changes[0].Warnings, "\n"); !strings.Contains(w, "below partition 2") {
		t.Errorf("warnings %q", w)
	}
	if _, err := f.engine.Apply(f.ctx, grown, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantSamePods(now)

	plan, err := f.engine.Plan(f.ctx, spec("tag=2.0", "size=2Gi", "replicas=1"), engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, change := range plan.Report.Changes {
		if change.Action == diff.Kept {
			kept = append(kept, change.Object.Name+": "+change.Reason)
		}
	}
	want := "data-db-6: its data (2Gi) outlives its pod; delete the claim to delete the data, data-db-7: its data (2Gi) outlives its pod; delete the claim to delete the data"
	if strings.Join(kept, ", ") != want {
		t.Errorf("kept %q, want %q", kept, want)
	}
}

// A StatefulSet whose deletion would delete its data is not replaced.
func TestDataIsNotDeletedByReplacing(t *testing.T) {
	f := newFixture(t)
	class := f.class(true)
	c := f.chart(map[string]string{"db.yaml": database})
	set := []string{"class=" + class, "replicas=1", "spec.persistentVolumeClaimRetentionPolicy.whenDeleted=Delete"}
	f.deploy(f.release(c, set...))
	set = append(set, "service=other")
	f.wantProblem(f.release(c, append(set, `annotations.fairlead\.dev/replace=recreate`)...), "its data would be deleted with it", "Retain first")
	before := f.pods()
	f.deploy(f.release(c, append(set, `annotations.fairlead\.dev/replace=orphan`)...))
	f.wantSamePods(before)
	f.wantClaims("1Gi", 1)
}

// Replicas that the chart does not set survive the replacement.
func TestGrowthKeepsReplicasOfOthers(t *testing.T) {
	f := newFixture(t)
	class := f.class(true)
	c := f.chart(map[string]string{"db.yaml": database})
	f.deploy(f.release(c, "class="+class))
	if _, err := f.client.AppsV1().StatefulSets(f.namespace).Patch(f.ctx, "db", types.MergePatchType, []byte(`{"spec":{"replicas":3}}`), metav1.PatchOptions{FieldManager: "operator"}); err != nil {
		t.Fatal(err)
	}
	f.deploy(f.release(c, "class="+class)) // waits for them
	before := f.pods()
	grown := f.release(c, "class="+class, "size=2Gi")
	f.deploy(grown)
	f.wantSamePods(before)
	f.wantClaims("2Gi", 3)
	f.requests.Reset()
	f.deploy(grown)
	f.wantSamePods(before)
	if w := f.writes(); len(w) > 0 {
		t.Errorf("once more writes %v", w)
	}
	// As if the process had been killed in between.
	if err := f.client.AppsV1().StatefulSets(f.namespace).Delete(f.ctx, "db", metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationOrphan)}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := f.client.AppsV1().StatefulSets(f.namespace).Get(ctx, "db", metav1.GetOptions{})
		if err == nil {
			return errors.New("the StatefulSet is still there")
		}
		return nil
	})
	f.deploy(grown)
	f.wantSamePods(before)
	f.deploy(grown)
	f.wantSamePods(before)
}
