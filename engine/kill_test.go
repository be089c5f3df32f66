package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

// killAll makes TestKilledAtEveryRequest kill at every request instead of some.
const killAll = "FAIRLEAD_KILL_ALL"

// killChild is the environment variable with the step of a child process, and
// when it is killed.
const killChild = "FAIRLEAD_KILL_CHILD"

// killClass is the StorageClass of the release's claims.
const killClass = "killed"

// killCharts are the two states of a release of twelve objects: the second one
// adds a CRD and an object of it, changes some, makes the claims of a database
// larger, and drops two. The first one again, reverted, leaves the claims as
// large as they are, because claims do not shrink.
func killCharts(namespace string) (first, second, reverted map[string]string) {
	common := func(version, size string) map[string]string {
		return map[string]string{
			"values.yaml":  "replicas: 1\nclass: " + killClass + "\nsize: " + size + "\n",
			"db.yaml":      database,
			"account.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: shop}\n",
			"role.yaml":    "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: shop}\nrules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]\n",
			"binding.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: shop}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: shop}\nsubjects: [{kind: ServiceAccount, name: shop}]\n",
			"config.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {version: '" + version + "'}\n",
			"secret.yaml":  "apiVersion: v1\nkind: Secret\nmetadata: {name: shop}\nstringData: {password: '" + version + "'}\n",
			"service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {selector: {app: shop}, ports: [{port: 80}]}\n",
			"policy.yaml":  "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: shop}\nspec: {podSelector: {}}\n",
			"budget.yaml":  "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: shop}\nspec: {minAvailable: 1, selector: {matchLabels: {app: shop}}}\n",
			"web.yaml":     strings.Replace(deployment, "| default \"1.0\"", "| default \""+version+"\"", 1),
			"hook.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: 'pre-install,pre-upgrade,pre-rollback,post-delete', helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded'}\n",
		}
	}
	first, second, reverted = common("1", "1Gi"), common("2", "2Gi"), common("1", "2Gi")
	for _, c := range []map[string]string{first, reverted} {
		c["old.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\n"
		c["old-service.yaml"] = "apiVersion: v1\nkind: Service\nmetadata: {name: old}\nspec: {selector: {app: old}, ports: [{port: 80}]}\n"
	}
	group := namespace + ".example.com"
	second["crd.yaml"] = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.` + group + `}
spec:
  group: ` + group + `
  names: {kind: Thing, plural: things}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}]
`
	second["thing.yaml"] = "apiVersion: " + group + "/v1\nkind: Thing\nmetadata: {name: shop}\nspec: {size: 3}\n"
	return first, second, reverted
}

// killChart is the chart that a step deploys.
func killChart(t testing.TB, namespace, step string) *render.Chart {
	first, second, reverted := killCharts(namespace)
	switch step {
	case "upgrade":
		return loadChart(t, "2.0.0", second)
	case "reverted":
		return loadChart(t, "1.0.0", reverted)
	}
	return loadChart(t, "1.0.0", first)
}

// killStep runs one step of a scenario; the last one is what dies.
func killStep(ctx context.Context, e *engine.Engine, t testing.TB, namespace, step string) error {
	key := engine.Key{Namespace: namespace, Name: "shop"}
	opts := engine.ApplyOptions{NoWait: true}
	var err error
	switch step {
	case "install", "upgrade", "reverted":
		_, err = e.Deploy(ctx, engine.Release{Key: key, Source: killChart(t, namespace, step)}, opts)
	case "rollback":
		_, err = e.Rollback(ctx, key, 1, opts)
	case "uninstall":
		err = e.Uninstall(ctx, key, opts)
	default:
		err = fmt.Errorf("no step %q", step)
	}
	return err
}

// killScenarios are the steps that are killed, the steps before, and the expected
// result.
var killScenarios = []struct {
	step, desired string
	before        []string
}{
	{step: "install", desired: "install"},
	{step: "upgrade", desired: "upgrade", before: []string{"install"}},
	{step: "rollback", desired: "reverted", before: []string{"install", "upgrade"}},
	{step: "uninstall", desired: "upgrade", before: []string{"install", "upgrade"}},
}

// killWorkers is how many processes are killed at once; most of the time of
// each is spent waiting for the mark of the killed one to expire.
const killWorkers = 8

// A process is killed right before or right after any of its requests; then a
// plain deploy repairs the release, without a manual step.
func TestKilledAtEveryRequest(t *testing.T) {
	f := newFixture(t)
	f.killClass()
	stride := 7
	if os.Getenv(killAll) != "" {
		stride = 1
	}
	var (
		queue = make(chan func(), 1)
		wg    sync.WaitGroup
		kills = make([]atomic.Int64, len(killScenarios))
		n     = make([]int, len(killScenarios))
	)
	for i, s := range killScenarios {
		wg.Go(func() { n[i] = f.killRun(t, s.step, f.killNamespace(t, s.step, s.before), 0) })
	}
	wg.Wait()
	for range killWorkers {
		wg.Go(func() {
			for work := range queue {
				work()
			}
		})
	}
	for i, s := range killScenarios {
		if n[i] < 15 {
			t.Errorf("%s makes %d requests only", s.step, n[i])
		}
		for point := 1; point <= 2*n[i] && !t.Failed(); point += stride {
			queue <- func() {
				namespace := f.killNamespace(t, s.step, s.before)
				if f.killRun(t, s.step, namespace, point) == 0 {
					kills[i].Add(1)
				}
				f.recovers(t, namespace, s.desired, fmt.Sprintf("%s killed at point %d of %d", s.step, point, 2*n[i]))
			}
		}
	}
	close(queue)
	wg.Wait()
	total := int64(0)
	for i, s := range killScenarios {
		t.Logf("%s: %d requests, %d kills", s.step, n[i], kills[i].Load())
		total += kills[i].Load()
	}
	t.Logf("%d kills", total)
}

// killClassUsers is how many tests use the StorageClass of the releases at present.
var killClassUsers struct {
	sync.Mutex
	n int
}

// killClass creates the StorageClass, which the last test that uses it deletes.
func (f *fixture) killClass() {
	f.Helper()
	users := &killClassUsers
	users.Lock()
	defer users.Unlock()
	classes := f.client.StorageV1().StorageClasses()
	if users.n == 0 {
		if _, err := classes.Create(f.ctx, &storagev1.StorageClass{
			ObjectMeta: metav1.ObjectMeta{Name: killClass}, Provisioner: "fairlead.dev/volume",
			AllowVolumeExpansion: ptr.To(true), VolumeBindingMode: ptr.To(storagev1.VolumeBindingImmediate),
		}, metav1.CreateOptions{}); err != nil {
			f.Fatal(err)
		}
	}
	users.n++
	f.Cleanup(func() {
		users.Lock()
		defer users.Unlock()
		if users.n--; users.n > 0 {
			return
		}
		if err := classes.Delete(context.Background(), killClass, metav1.DeleteOptions{}); err != nil {
			f.Error(err)
		}
	})
}

// killNamespace is a namespace in which the steps before have been done, and
// claims that are to grow are bound.
func (f *fixture) killNamespace(t testing.TB, step string, before []string) string {
	namespace := f.cluster.Namespace(t)
	e := f.quietEngine(t)
	for i, done := range before {
		if err := killStep(t.Context(), e, t, namespace, done); err != nil {
			t.Error(err)
			return namespace
		}
		if next := append(before[i+1:], step)[0]; next != "upgrade" {
			continue
		}
		if err := wait.PollUntilContextTimeout(t.Context(), 300*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			claim, err := f.client.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, "data-db-0", metav1.GetOptions{})
			return err == nil && claim.Status.Phase == corev1.ClaimBound, nil
		}); err != nil {
			t.Errorf("its claim is not bound: %v", err)
		}
	}
	return namespace
}

func (f *fixture) quietEngine(t testing.TB) *engine.Engine {
	e, err := engine.New(f.cluster.Config(), engine.Options{LeaseDuration: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// killRun runs a step in a process of its own, which dies at the point: before
// its k-th request at 2k-1, after it at 2k. It returns the number of requests of
// one that was not killed, because point is 0 or it had finished before.
func (f *fixture) killRun(t testing.TB, step, namespace string, point int) int {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), killChild+"="+strings.Join([]string{step, namespace, strconv.Itoa(point), f.cluster.Kubeconfig}, " "))
	out, err := cmd.CombinedOutput()
	if point == 0 || err == nil {
		n, atoi := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil || atoi != nil {
			t.Fatalf("%s: %v: %s", step, err, out)
		}
		return n
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("%s was not killed at point %d: %v: %s", step, point, err, out)
	}
	return 0
}

// killMain is the child process. It does not return.
func killMain(task string) {
	fail := func(err error) {
		fmt.Println(err)
		os.Exit(1)
	}
	part := strings.SplitN(task, " ", 4)
	point, err := strconv.Atoi(part[2])
	if err != nil {
		fail(err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", part[3])
	if err != nil {
		fail(err)
	}
	var sent atomic.Int64
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			k := int(sent.Add(1))
			if point == 2*k-1 {
				die()
			}
			res, err := next.RoundTrip(req)
			if point == 2*k {
				die()
			}
			return res, err
		})
	})
	e, err := engine.New(cfg, engine.Options{LeaseDuration: time.Second, Concurrency: 1}) // so that requests have a fixed order
	if err != nil {
		fail(err)
	}
	if part[0] == "rivals" {
		fmt.Println(rivals(e, part[1]))
		os.Exit(0)
	}
	if err := killStep(context.Background(), e, panics{}, part[1], part[0]); err != nil {
		fail(err)
	}
	fmt.Println(sent.Load())
	os.Exit(0)
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// panics is a testing.TB for the child process.
type panics struct{ testing.TB }

func (panics) Helper()           {}
func (panics) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// recovers deploys the expected state, and checks that everything is as if nothing
// had happened.
func (f *fixture) recovers(t testing.TB, namespace, desired, what string) {
	ctx, e := t.Context(), f.quietEngine(t)
	if err := killStep(ctx, e, t, namespace, desired); err != nil {
		t.Errorf("%s: the next deploy: %v", what, err)
		return
	}
	if left := f.left(t, namespace); slices.ContainsFunc(left, func(name string) bool { return strings.HasPrefix(name, "reserved ") }) {
		// Nothing was to be done, and the number that was reserved still was.
		time.Sleep(2 * time.Second)
		if err := killStep(ctx, e, t, namespace, desired); err != nil {
			t.Errorf("%s: the deploy after that: %v", what, err)
		}
	}
	key := engine.Key{Namespace: namespace, Name: "shop"}
	p, err := e.Plan(ctx, engine.Release{Key: key, Source: killChart(t, namespace, desired)}, engine.PlanOptions{DryRun: engine.DryRunAll})
	if err != nil {
		t.Errorf("%s: plan: %v", what, err)
		return
	}
	for _, c := range p.Report.Changes {
		if c.Action != diff.Unchanged {
			t.Errorf("%s: afterwards, %s is %s: %+v", what, c.Object, c.Action, c.Fields)
		}
	}
	if got, want := f.left(t, namespace), len(p.Report.Changes); len(got) != want {
		t.Errorf("%s: %d objects are left, want %d: %s", what, len(got), want, strings.Join(got, ", "))
	}
	revisions, err := e.History(ctx, key)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	for i, r := range revisions {
		if r.Revision != revisions[0].Revision+i {
			t.Errorf("%s: there is a gap before revision %d", what, r.Revision)
		}
		if last := i == len(revisions)-1; last != (r.Status == engine.StatusDeployed) || strings.HasPrefix(string(r.Status), "pending") {
			t.Errorf("%s: revision %d of %d is %s", what, r.Revision, len(revisions), r.Status)
		}
	}
	if err := f.client.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	crds := dynamic.NewForConfigOrDie(f.cluster.Config()).Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	if desired == "upgrade" {
		if err := crds.Delete(ctx, "things."+namespace+".example.com", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	}
}

// left names the objects with a release's ownership annotations, and reserved
// revisions.
func (f *fixture) left(t testing.TB, namespace string) []string {
	client := dynamic.NewForConfigOrDie(f.cluster.Config())
	var names []string
	for _, r := range []schema.GroupVersionResource{
		{Version: "v1", Resource: "configmaps"}, {Version: "v1", Resource: "services"}, {Version: "v1", Resource: "serviceaccounts"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
		{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}, {Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
		{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "statefulsets"}, {Version: "v1", Resource: "secrets"},
		{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
		{Group: namespace + ".example.com", Version: "v1", Resource: "things"},
	} {
		in := namespace
		if r.Resource == "customresourcedefinitions" {
			in = ""
		}
		items, err := client.Resource(r).Namespace(in).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=Helm"})
		if err != nil {
			continue // the kind is no longer served
		}
		for _, u := range items.Items {
			if u.GetAnnotations()["meta.helm.sh/release-namespace"] == namespace {
				names = append(names, r.Resource+"/"+u.GetName())
			}
		}
	}
	reserved, err := f.client.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "owner=fairlead.dev-reserved"})
	if err != nil {
		t.Error(err)
		return names
	}
	for _, s := range reserved.Items {
		names = append(names, "reserved "+s.Name)
	}
	hooks, err := f.client.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=hook"})
	if err != nil {
		t.Error(err)
		return names
	}
	for _, h := range hooks.Items {
		names = append(names, "hook "+h.Name)
	}
	return names
}
