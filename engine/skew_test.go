package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// newFixtureOf is a fixture on a cluster of its own, whose control plane can be
// upgraded, and the program of the next version. Its engine has the config that
// of returns.
func newFixtureOf(t *testing.T, of func(*testcluster.Cluster, string) *rest.Config) (f *fixture, next string) {
	t.Helper()
	testcluster.Need(t)
	if next = os.Getenv("FAIRLEAD_TEST_NEXT_CONTROL_PLANE"); next == "" {
		t.Skip("needs the control plane of a second version of Kubernetes: make test-versions has them")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	t.Cleanup(cancel)
	cluster, err := testcluster.Start(ctx, testcluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	f = &fixture{T: t, ctx: ctx, cluster: cluster, namespace: "shop", key: engine.Key{Namespace: "shop", Name: "shop"}, events: &eventList{}}
	f.client = kubernetes.NewForConfigOrDie(cluster.Config())
	f.config, f.requests = testcluster.Record(of(cluster, next))
	f.engine = f.newEngine(f.config)
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := f.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace}}, metav1.CreateOptions{})
		return err
	})
	return f, next
}

// skewed are the templates of a release of kinds of many groups: what comes after
// the Deployment is written only when that is ready, which it is not as long as
// its pods are gated.
func skewed() map[string]string {
	const after = ", annotations: {config.kubernetes.io/depends-on: apps/namespaces/shop/Deployment/shop}"
	return map[string]string{
		"crds/c.yaml":  strings.ReplaceAll(typedCRD, "GROUP", "skew.example.com"),
		"web.yaml":     strings.Replace(deployment, "      containers:\n", "      schedulingGates: {{ if .Values.gated }}[{name: example.com/upgraded}]{{ else }}[]{{ end }}\n      containers:\n", 1),
		"a.yaml":       configMap,
		"many.yaml":    manyConfigMaps(10)["many.yaml"],
		"hpa.yaml":     strings.Replace(scalerV2, "metadata: {name: {{ .Release.Name }}", "metadata: {name: {{ .Release.Name }}"+after, 1),
		"service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: shop, labels: {colour: {{ .Values.colour }}}" + after + "}\nspec: {selector: {app: shop}, ports: [{port: 80}]}\n",
		"late.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late" + after + "}\ndata: {colour: {{ .Values.colour }}}\n",
		"ray.yaml":     "apiVersion: skew.example.com/v1\nkind: Ray\nmetadata: {name: r" + after + "}\nspec: {version: {{ .Values.colour }}}\n",
		"job.yaml":     "apiVersion: batch/v1\nkind: Job\nmetadata: {name: before, annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: before-hook-creation}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}\n",
		"set.yaml":     "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: set" + after + "}\nspec: {serviceName: shop, selector: {matchLabels: {app: set}}, template: {metadata: {labels: {app: set, colour: {{ .Values.colour }}}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: a, image: a}]}}}\n",
		"policy.yaml":  "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: shop" + after + "}\nspec: {minAvailable: 1, selector: {matchLabels: {app: shop, colour: {{ .Values.colour }}}}}\n",
	}
}

// wantDeployed checks that every object of skewed is as deployed with a colour, and
// that nothing else is to do.
func (f *fixture) wantDeployed(r engine.Release, colour string) {
	f.Helper()
	for path, field := range map[string]string{
		"v1/configmaps/shop-config": "data.colour", "v1/configmaps/late": "data.colour", "v1/services/shop": "metadata.labels.colour",
		"skew.example.com/v1/rays/r": "spec.version", "apps/v1/statefulsets/set": "spec.template.metadata.labels.colour",
		"policy/v1/poddisruptionbudgets/shop": "spec.selector.matchLabels.colour",
	} {
		if got := at(f.object(path), strings.Split(field, ".")...); got != colour {
			f.Errorf("%s has %s %v, want %s", path, field, got, colour)
		}
	}
	f.object("autoscaling/v2/horizontalpodautoscalers/shop")
	f.settled(r)
}

func administrator(cluster *testcluster.Cluster, _ string) *rest.Config { return cluster.Config() }

// The control plane is upgraded to the next version between the first and the
// last write of a deploy: it succeeds, and nothing is lost, nor what was deployed
// before.
func TestControlPlaneIsUpgradedDuringADeploy(t *testing.T) {
	f, next := newFixtureOf(t, administrator)
	c := f.chart(skewed())
	f.deploy(f.release(c, "colour=red"))
	before := f.serverMinor()
	only := f.kindsOnlyServed()

	var written, ended atomic.Bool
	upgraded := make(chan error, 1)
	e, err := engine.New(f.config, engine.Options{LeaseDuration: 3 * time.Second, OnEvent: func(event engine.Event) {
		f.events.add(event)
		if a, ok := event.(engine.Applied); ok && a.Object.Kind == "Deployment" && written.CompareAndSwap(false, true) {
			go func() {
				err := f.cluster.Upgrade(next)
				upgraded <- err
				for err == nil && f.ctx.Err() == nil && !ended.Load() { // a rollout has one pod after the other
					f.openGates()
					time.Sleep(50 * time.Millisecond)
				}
			}()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	blue := f.release(c, "colour=blue", "gated=true")
	rev, err := e.Deploy(f.ctx, blue, engine.ApplyOptions{})
	ended.Store(true)
	if err != nil || !written.Load() {
		t.Fatalf("the Deployment was written: %v; %v", written.Load(), err)
	}
	if err := <-upgraded; err != nil {
		t.Fatal(err)
	}
	after := f.serverMinor()
	if rev.Revision != 2 || rev.Status != engine.StatusDeployed || after <= before {
		t.Errorf("revision %d is %s, and the API server went from 1.%d to 1.%d", rev.Revision, rev.Status, before, after)
	}
	t.Logf("upgraded from Kubernetes 1.%d to 1.%d", before, after)
	f.engine = e // which knows the discovery and the schemas of the earlier version
	f.wantHistory("1 superseded", "2 deployed")
	f.wantDeployed(blue, "blue")
	f.deploy(f.release(c, "colour=green"))
	f.wantDeployed(f.release(c, "colour=green"), "green")
	if _, err := e.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantDeployed(f.release(c, "colour=red"), "red")
	f.wantNewKinds(c, only)
	if err := e.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
}

// openGates lets pods be scheduled.
func (f *fixture) openGates() {
	pods := f.client.CoreV1().Pods(f.namespace)
	list, err := pods.List(f.ctx, metav1.ListOptions{})
	if err != nil {
		return // tried again
	}
	for _, pod := range list.Items {
		if len(pod.Spec.SchedulingGates) > 0 {
			pod.Spec.SchedulingGates = nil
			pods.Update(f.ctx, &pod, metav1.UpdateOptions{}) // tried again if it fails
		}
	}
}

// newKinds are objects of kinds that one of the versions is the first to serve.
var newKinds = map[string]string{
	"admissionregistration.k8s.io/v1/MutatingAdmissionPolicy": "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicy\nmetadata: {name: skew}\nspec: {failurePolicy: Fail, reinvocationPolicy: Never, matchConstraints: {resourceRules: [{apiGroups: [example.com], apiVersions: [v1], operations: [CREATE], resources: [nothing]}]}, mutations: [{patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: \"remove\", path: \"/metadata/nothing/here\"}]'}}]}\n",
	"resource.k8s.io/v1/ResourceClaimTemplate":                "apiVersion: resource.k8s.io/v1\nkind: ResourceClaimTemplate\nmetadata: {name: skew}\nspec: {spec: {devices: {requests: [{name: a, exactly: {deviceClassName: a}}]}}}\n",
}

// kindsOnlyServed are those of newKinds that the API server does not serve yet:
// a plan says so.
func (f *fixture) kindsOnlyServed() (missing []string) {
	f.Helper()
	for name, text := range newKinds {
		i := strings.LastIndex(name, "/")
		if f.serves(name[:i], name[i+1:]) {
			continue
		}
		missing = append(missing, name)
		r := f.release(f.chart(map[string]string{"new.yaml": text}))
		r.Name = "new"
		if _, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{}); !errors.Is(err, engine.ErrUnknownKind) || !strings.Contains(err.Error(), name[i+1:]) {
			f.Errorf("a plan with %s, which is not served yet: %v", name, err)
		}
	}
	return missing
}

// wantNewKinds checks that the engine deploys what the API server serves since an
// upgrade.
func (f *fixture) wantNewKinds(c engine.Source, names []string) {
	f.Helper()
	for _, name := range names {
		i := strings.LastIndex(name, "/")
		if !f.serves(name[:i], name[i+1:]) {
			continue
		}
		f.Logf("%s is served since", name)
		r := f.release(f.chart(map[string]string{"new.yaml": newKinds[name]}))
		r.Name = "new"
		f.deploy(r)
		if err := f.engine.Uninstall(f.ctx, r.Key, engine.ApplyOptions{}); err != nil {
			f.Error(err)
		}
	}
}

// alternating sends every other request to a second API server.
type alternating struct {
	next   http.RoundTripper
	second *url.URL
	count  *atomic.Int64
}

func (a alternating) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.count.Add(1)%2 == 0 {
		req = req.Clone(req.Context())
		req.URL.Host, req.Host = a.second.Host, ""
	}
	return a.next.RoundTrip(req)
}

// Two API servers of different versions take turns behind one address, as while a
// control plane of several machines is upgraded: what is deployed through both is
// complete, and deploying it again writes nothing.
func TestTwoAPIServersOfDifferentVersions(t *testing.T) {
	var count atomic.Int64
	f, _ := newFixtureOf(t, func(cluster *testcluster.Cluster, next string) *rest.Config {
		second, err := cluster.AddServer(next)
		if err != nil {
			t.Fatal(err)
		}
		to, err := url.Parse(second.Host)
		if err != nil {
			t.Fatal(err)
		}
		config := cluster.Config()
		config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return alternating{rt, to, &count} })
		a, b := kubernetes.NewForConfigOrDie(cluster.Config()), kubernetes.NewForConfigOrDie(second)
		va, errA := a.Discovery().ServerVersion()
		vb, errB := b.Discovery().ServerVersion()
		if err := errors.Join(errA, errB); err != nil || va.Minor == vb.Minor {
			t.Fatalf("the API servers are %v and %v, %v", va, vb, err)
		}
		t.Logf("%s and %s", va, vb)
		return config
	})
	c := f.chart(skewed())
	for i, colour := range []string{"red", "blue", "green", "red", "blue"} {
		r := f.release(c, "colour="+colour)
		if rev := f.deploy(r); rev.Revision != i+1 {
			t.Errorf("deploy %d is revision %d", i+1, rev.Revision)
		}
		f.wantDeployed(r, colour)
	}
	if _, err := f.engine.Rollback(f.ctx, f.key, 3, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.wantDeployed(f.release(c, "colour=green"), "green")
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if left, err := f.client.CoreV1().ConfigMaps(f.namespace).List(f.ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=Helm"}); err != nil || len(left.Items) > 0 {
		t.Errorf("after the uninstall there are %d ConfigMaps, %v", len(left.Items), err)
	}
	fmt.Fprintln(t.Output(), count.Load(), "requests")
}
