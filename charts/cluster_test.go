package charts

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"helm.sh/helm/v3/pkg/releaseutil"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// What a scenario's namespace enforces where it cannot be restricted.
var standardOf = map[string]string{
	"database-permissions": "baseline", // its one root container is what the option is for
}

// Every scenario is applied as it is, with strict field validation, to a namespace that enforces the restricted Pod
// Security Standard, without a warning, until its workloads are ready and a run of each CronJob has succeeded. The cluster is the test's own: scenarios name
// node ports and default classes, of which a cluster has one each.
func TestScenariosRunUnderTheRestrictedStandard(t *testing.T) {
	cluster := ownCluster(t)
	installCRDs(t, cluster)
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			ground := newGround(t, cluster, cmp.Or(standardOf[s.name], "restricted"))
			manifest, err := renderRelease(t, s.chart, s.release, ground.namespace, s.values)
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range manifest.Objects {
				ground.apply(t, object.Unstructured)
			}
			for _, hook := range manifest.Hooks {
				ground.apply(t, hook.Unstructured)
			}
			ground.runCronJobs(t)
			if len(ground.warnings.all) > 0 {
				t.Errorf("the API server warned:\n%s", strings.Join(ground.warnings.all, "\n"))
			}
			ground.awaitReady(t, 90*time.Second)
		})
	}
}

// installCRDs installs what a bare cluster lacks, and waits until it is served.
func installCRDs(t *testing.T, cluster *testcluster.Cluster) {
	t.Helper()
	client, err := dynamic.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	crds := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	var crd unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(read(t, "testdata/crds/httproutes.yaml")), &crd.Object); err != nil {
		t.Fatal(err)
	}
	if _, err := crds.Create(t.Context(), &crd, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	routes := client.Resource(schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"})
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := routes.List(ctx, metav1.ListOptions{})
		return err
	})
}

// objectsOf returns the objects of a rendering in Helm's install order, hooks among them.
func objectsOf(t *testing.T, files map[string]string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for path, file := range files {
		if strings.HasSuffix(path, "NOTES.txt") {
			continue
		}
		for _, document := range releaseutil.SplitManifests(file) {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if object.Object != nil {
				objects = append(objects, object)
			}
		}
	}
	place := func(object *unstructured.Unstructured) int {
		return slices.Index(releaseutil.InstallOrder, object.GetKind())
	}
	slices.SortFunc(objects, func(a, b *unstructured.Unstructured) int { return place(a) - place(b) })
	return objects
}

type ground struct {
	namespace string
	client    *kubernetes.Clientset
	dynamic   *dynamic.DynamicClient
	mapper    meta.RESTMapper
	warnings  *warnings
}

type warnings struct {
	sync.Mutex
	all []string
}

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) {
	w.Lock()
	defer w.Unlock()
	w.all = append(w.all, text)
}

func newGround(t *testing.T, cluster *testcluster.Cluster, standard string) *ground {
	t.Helper()
	g := &ground{namespace: cluster.Namespace(t), warnings: &warnings{}}
	config := cluster.Config()
	config.WarningHandler = g.warnings
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	g.client, err = kubernetes.NewForConfig(config)
	must(err)
	g.dynamic, err = dynamic.NewForConfig(config)
	must(err)
	discover, err := discovery.NewDiscoveryClientForConfig(rest.CopyConfig(config))
	must(err)
	g.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discover))
	labels := fmt.Sprintf(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":%[1]q,"pod-security.kubernetes.io/warn":%[1]q}}}`, standard)
	_, err = g.client.CoreV1().Namespaces().Patch(t.Context(), g.namespace, types.MergePatchType, []byte(labels), metav1.PatchOptions{})
	must(err)
	_, err = g.client.CoreV1().Secrets(g.namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "orders-credentials"}, StringData: map[string]string{"pw": "s3cret"},
	}, metav1.CreateOptions{})
	must(err)
	return g
}

func (g *ground) apply(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	kind := object.GroupVersionKind()
	mapping, err := g.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		t.Fatal(err)
	}
	var client dynamic.ResourceInterface = g.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		client = g.dynamic.Resource(mapping.Resource).Namespace(g.namespace)
	}
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Patch(t.Context(), object.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{
		FieldManager: "charts-test", FieldValidation: metav1.FieldValidationStrict,
	}); err != nil {
		t.Fatalf("%s %s: %v", kind.Kind, object.GetName(), err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := client.Delete(ctx, object.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Errorf("%s %s: %v", kind.Kind, object.GetName(), err)
		}
	})
}

// runCronJobs starts one run of each CronJob, as kubectl create job --from does.
func (g *ground) runCronJobs(t *testing.T) {
	t.Helper()
	cronJobs, err := g.client.BatchV1().CronJobs(g.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, cronJob := range cronJobs.Items {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: cronJob.Name + "-now"}, Spec: cronJob.Spec.JobTemplate.Spec}
		if _, err := g.client.BatchV1().Jobs(g.namespace).Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// awaitReady waits until every workload of the namespace is ready, its Jobs done and its claims bound.
func (g *ground) awaitReady(t *testing.T, limit time.Duration) {
	t.Helper()
	testcluster.Eventually(t, limit, func(ctx context.Context) error {
		claims, err := g.client.CoreV1().PersistentVolumeClaims(g.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, c := range claims.Items {
			if c.Spec.DataSource != nil && c.Status.Phase == corev1.ClaimPending {
				if err := g.restore(ctx, c); err != nil {
					return err
				}
			}
			if c.Status.Phase != corev1.ClaimBound {
				return fmt.Errorf("claim %s is %s", c.Name, c.Status.Phase)
			}
		}
		deployments, err := g.client.AppsV1().Deployments(g.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, d := range deployments.Items {
			if d.Status.ObservedGeneration != d.Generation || d.Status.AvailableReplicas != *d.Spec.Replicas || d.Status.UpdatedReplicas != *d.Spec.Replicas {
				return fmt.Errorf("Deployment %s: %d of %d available: %+v", d.Name, d.Status.AvailableReplicas, *d.Spec.Replicas, d.Status.Conditions)
			}
		}
		sets, err := g.client.AppsV1().StatefulSets(g.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, s := range sets.Items {
			if s.Status.ObservedGeneration != s.Generation || s.Status.AvailableReplicas != *s.Spec.Replicas {
				return fmt.Errorf("StatefulSet %s: %d of %d available", s.Name, s.Status.AvailableReplicas, *s.Spec.Replicas)
			}
		}
		jobs, err := g.client.BatchV1().Jobs(g.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, j := range jobs.Items {
			if j.Status.Succeeded == 0 {
				return fmt.Errorf("Job %s: %+v", j.Name, j.Status.Conditions)
			}
		}
		return nil
	})
}

// restore does what a driver does for a claim with a data source, of which the cluster's own makes none: a volume that is
// meant for it.
func (g *ground) restore(ctx context.Context, claim corev1.PersistentVolumeClaim) error {
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "restored-" + string(claim.UID)},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes: claim.Spec.AccessModes, Capacity: claim.Spec.Resources.Requests, StorageClassName: *claim.Spec.StorageClassName,
			ClaimRef:               &corev1.ObjectReference{Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "fairlead.dev", VolumeHandle: claim.Name}},
		},
	}
	_, err := g.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
