package charts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What a course on Kubernetes teaches, done with the two charts and the engine, and looked at from outside.
func TestCourse(t *testing.T) {
	cluster := ownCluster(t)
	for name, lesson := range map[string]func(*student){
		"a node port leads through the Service to the container": nodePortLesson,
		"a load balancer on port 80":                             loadBalancerLesson,
		"a rollout with its cause, undone":                       rolloutLesson,
		"never two versions at once":                             recreateLesson,
		"a private registry":                                     registryLesson,
		"storage that is retained and can grow":                  storageLesson,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ground := newGround(t, cluster, "restricted")
			eng, err := engine.New(cluster.Config(), engine.Options{})
			if err != nil {
				t.Fatal(err)
			}
			lesson(&student{T: t, ground: ground, engine: eng, key: engine.Key{Namespace: ground.namespace, Name: "shop"}})
		})
	}
}

type student struct {
	*testing.T
	*ground
	engine *engine.Engine
	key    engine.Key
}

// deploy deploys typed values of one of the charts and waits until it runs.
func (s *student) deploy(cause string, typed interface{ Values() (render.Values, error) }) *engine.Revision {
	s.Helper()
	values, err := typed.Values()
	if err != nil {
		s.Fatal(err)
	}
	chart := WebApp()
	if _, ok := typed.(DatabaseValues); ok {
		chart = Database()
	}
	revision, err := s.engine.Deploy(s.Context(), engine.Release{Key: s.key, Source: chart, Values: values, Cause: cause}, engine.ApplyOptions{Timeout: time.Minute})
	if err != nil {
		s.Fatal(err)
	}
	return revision
}

func (s *student) pods() []corev1.Pod {
	s.Helper()
	list, err := s.client.CoreV1().Pods(s.namespace).List(s.Context(), metav1.ListOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil })
}

func (s *student) service() *corev1.Service {
	s.Helper()
	service, err := s.client.CoreV1().Services(s.namespace).Get(s.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return service
}

// awaitEndpoints waits until a number of addresses are ready behind the Service, all on one port.
func (s *student) awaitEndpoints(number int, port int32) {
	s.Helper()
	testcluster.Eventually(s, time.Minute, func(ctx context.Context) error {
		slices, err := s.client.DiscoveryV1().EndpointSlices(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=shop"})
		if err != nil {
			return err
		}
		ready := 0
		for _, slice := range slices.Items {
			for _, p := range slice.Ports {
				if *p.Port != port {
					return fmt.Errorf("the Service leads to port %d, want %d", *p.Port, port)
				}
			}
			for _, endpoint := range slice.Endpoints {
				if *endpoint.Conditions.Ready {
					ready++
				}
			}
		}
		if ready != number {
			return fmt.Errorf("%d endpoints are ready, want %d", ready, number)
		}
		return nil
	})
}

func nodePortLesson(s *student) {
	s.deploy("", WebAppValues{
		Replicas: new(int32(3)), Image: Image{Repository: "registry.example.com/shop", Tag: "1.0"},
		ContainerPort: 8080, Service: WebAppService{Type: "NodePort", Port: 9000, NodePort: 30000},
	})
	port := s.service().Spec.Ports[0]
	if port.NodePort != 30000 || port.Port != 9000 {
		s.Errorf("the Service has port %d at the node's %d", port.Port, port.NodePort)
	}
	s.awaitEndpoints(3, 8080)
}

func loadBalancerLesson(s *student) {
	s.deploy("", WebAppValues{
		Image:   Image{Repository: "registry.example.com/shop", Tag: "1.0"},
		Service: WebAppService{Type: "LoadBalancer", Port: 80, ExternalTrafficPolicy: "Local"},
	})
	service := s.service()
	if service.Spec.Ports[0].Port != 80 || len(service.Status.LoadBalancer.Ingress) == 0 || service.Spec.HealthCheckNodePort == 0 {
		s.Errorf("ports %v, addresses %v, health check %d", service.Spec.Ports, service.Status.LoadBalancer.Ingress, service.Spec.HealthCheckNodePort)
	}
	s.awaitEndpoints(1, 8080)
}

func rolloutLesson(s *student) {
	shop := WebAppValues{Replicas: new(int32(3)), Image: Image{Repository: "registry.example.com/shop", Tag: "1.0"}}
	s.deploy("first version", shop)
	s.wantRunning(3, "1.0", "first version")
	shop.Replicas, shop.Image.Tag = new(int32(5)), "2.0"
	s.deploy("new cart", shop)
	s.wantRunning(5, "2.0", "new cart")

	if _, err := s.engine.Rollback(s.Context(), s.key, 1, engine.ApplyOptions{Timeout: time.Minute}); err != nil {
		s.Fatal(err)
	}
	s.wantRunning(3, "1.0", "rollback to 1: first version")
	history, err := s.engine.History(s.Context(), s.key)
	if err != nil {
		s.Fatal(err)
	}
	var entries []string
	for _, revision := range history {
		entries = append(entries, fmt.Sprintf("%d %s %s", revision.Revision, revision.Status, revision.Cause))
	}
	slices.Sort(entries)
	if len(entries) != 3 || entries[0] != "1 superseded first version" || entries[1] != "2 superseded new cart" || !strings.HasPrefix(entries[2], "3 deployed") {
		s.Errorf("the history is %q", entries)
	}
}

func (s *student) wantRunning(replicas int, tag, cause string) {
	s.Helper()
	deployment, err := s.client.AppsV1().Deployments(s.namespace).Get(s.Context(), "shop", metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	if n := deployment.Status.AvailableReplicas; int(n) != replicas {
		s.Errorf("%d pods are available, want %d", n, replicas)
	}
	if got := deployment.Annotations["kubernetes.io/change-cause"]; got != cause {
		s.Errorf("the cause is %q, want %q", got, cause)
	}
	pods := s.pods()
	for _, pod := range pods {
		if image := pod.Spec.Containers[0].Image; !strings.HasSuffix(image, ":"+tag) {
			s.Errorf("%s runs %s, want %s", pod.Name, image, tag)
		}
	}
	if len(pods) != replicas {
		s.Errorf("%d pods, want %d", len(pods), replicas)
	}
}

func recreateLesson(s *student) {
	shop := WebAppValues{Replicas: new(int32(3)), Image: Image{Repository: "registry.example.com/shop", Tag: "1.0"}, Strategy: WebAppStrategy{Type: "Recreate"}}
	s.deploy("", shop)
	list, err := s.client.CoreV1().Pods(s.namespace).List(s.Context(), metav1.ListOptions{})
	if err != nil {
		s.Fatal(err)
	}
	watch, err := s.client.CoreV1().Pods(s.namespace).Watch(s.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		s.Fatal(err)
	}
	shop.Image.Tag = "2.0"
	s.deploy("", shop)
	s.wantRunning(3, "2.0", "")

	// What the API server reported, event by event: which pods there are, of which version.
	versions := map[types.UID]string{}
	for _, pod := range list.Items {
		versions[pod.UID] = pod.Spec.Containers[0].Image
	}
	started := 0
	for started < 3 {
		select {
		case event := <-watch.ResultChan():
			pod := event.Object.(*corev1.Pod)
			versions[pod.UID] = pod.Spec.Containers[0].Image
			switch event.Type {
			case "DELETED":
				delete(versions, pod.UID)
			case "ADDED":
				started++
			}
		case <-time.After(10 * time.Second):
			s.Fatalf("%d pods of the new version were seen", started)
		}
		var together []string
		for _, version := range versions {
			together = append(together, version)
		}
		slices.Sort(together)
		if together = slices.Compact(together); len(together) > 1 {
			s.Fatalf("pods of %v at once", together)
		}
	}
	watch.Stop()
}

func registryLesson(s *student) {
	s.deploy("", WebAppValues{
		Image:            Image{Repository: "registry.example.com/shop", Tag: "1.0"},
		Registries:       []Registry{{Server: "registry.example.com", Username: "robot", Password: "s3cret"}},
		ImagePullSecrets: []string{"orders-credentials"},
	})
	pod := s.pods()[0]
	if want := []corev1.LocalObjectReference{{Name: "shop-registry"}, {Name: "orders-credentials"}}; !cmp.Equal(want, pod.Spec.ImagePullSecrets) {
		s.Errorf("the pod pulls with %v", pod.Spec.ImagePullSecrets)
	}
	secret, err := s.client.CoreV1().Secrets(s.namespace).Get(s.Context(), "shop-registry", metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	var login struct {
		Auths map[string]struct{ Username, Password, Auth string }
	}
	if err := json.Unmarshal(secret.Data[corev1.DockerConfigJsonKey], &login); err != nil {
		s.Fatal(err)
	}
	if got := login.Auths["registry.example.com"]; secret.Type != corev1.SecretTypeDockerConfigJson || got.Username != "robot" || got.Password != "s3cret" || got.Auth != "cm9ib3Q6czNjcmV0" {
		s.Errorf("the Secret of type %s holds %+v", secret.Type, login)
	}
}

func storageLesson(s *student) {
	database := DatabaseValues{
		Replicas: new(int32(3)), Auth: DatabaseAuth{Password: "s3cret"}, Storage: DatabaseStorage{Size: resource.MustParse("1Gi")},
		StorageClass: DatabaseStorageClass{Create: true, Provisioner: "fairlead.dev/volume", ReclaimPolicy: "Retain", AllowVolumeExpansion: new(true)},
	}
	s.deploy("", database)
	class, err := s.client.StorageV1().StorageClasses().Get(s.Context(), s.namespace+".shop", metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	if *class.ReclaimPolicy != corev1.PersistentVolumeReclaimRetain || !*class.AllowVolumeExpansion || *class.VolumeBindingMode != storagev1.VolumeBindingWaitForFirstConsumer {
		s.Errorf("the class is %+v", class)
	}
	before := s.claims()
	if len(before) != 3 {
		s.Fatalf("claims %v", before)
	}

	// Down and up again: the same claims, with the same volumes.
	for _, replicas := range []int32{1, 3} {
		database.Replicas = &replicas
		s.deploy("", database)
	}
	if diff := cmp.Diff(before, s.claims()); diff != "" {
		s.Errorf("after scaling down and up (-before +after):\n%s", diff)
	}

	// A claim grows while its pod runs, and its volume outlives the release.
	grow := []byte(`{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}`)
	if _, err := s.client.CoreV1().PersistentVolumeClaims(s.namespace).Patch(s.Context(), "data-shop-0", types.MergePatchType, grow, metav1.PatchOptions{}); err != nil {
		s.Fatal(err)
	}
	testcluster.Eventually(s, time.Minute, func(ctx context.Context) error {
		claim, err := s.client.CoreV1().PersistentVolumeClaims(s.namespace).Get(ctx, "data-shop-0", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if size := claim.Status.Capacity[corev1.ResourceStorage]; size.String() != "2Gi" {
			return fmt.Errorf("the claim has %s", size.String())
		}
		return nil
	})
	if err := s.engine.Uninstall(s.Context(), s.key, engine.ApplyOptions{Timeout: time.Minute}); err != nil {
		s.Fatal(err)
	}
	if diff := cmp.Diff(before, s.claims()); diff != "" {
		s.Errorf("after the uninstall (-before +after):\n%s", diff)
	}
	if err := s.client.CoreV1().PersistentVolumeClaims(s.namespace).Delete(s.Context(), "data-shop-0", metav1.DeleteOptions{}); err != nil {
		s.Fatal(err)
	}
	volume := strings.Fields(before["data-shop-0"])[1]
	testcluster.Eventually(s, time.Minute, func(ctx context.Context) error {
		v, err := s.client.CoreV1().PersistentVolumes().Get(ctx, volume, metav1.GetOptions{})
		if err == nil && v.Status.Phase != corev1.VolumeReleased {
			err = fmt.Errorf("the volume is %s", v.Status.Phase)
		}
		return err
	})
}

// claims returns the identity and volume of each claim.
func (s *student) claims() map[string]string {
	s.Helper()
	list, err := s.client.CoreV1().PersistentVolumeClaims(s.namespace).List(s.Context(), metav1.ListOptions{})
	if err != nil {
		s.Fatal(err)
	}
	claims := map[string]string{}
	for _, claim := range list.Items {
		claims[claim.Name] = string(claim.UID) + " " + claim.Spec.VolumeName
	}
	return claims
}
