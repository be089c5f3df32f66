package testcluster_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

func client(t *testing.T, c *testcluster.Cluster) kubernetes.Interface {
	t.Helper()
	k, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// podTemplate is a pod of one container with the given image.
func podTemplate(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: image}}},
	}
}

func deployment(replicas int32, template corev1.PodTemplateSpec) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template: template,
		},
	}
}

func TestDeploymentGetsReady(t *testing.T) {
	cluster := testcluster.Shared(t)
	namespace := cluster.Namespace(t)
	k := client(t, cluster)
	if _, err := k.AppsV1().Deployments(namespace).Create(t.Context(), deployment(3, podTemplate("example.com/web:1.0")), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		d, err := k.AppsV1().Deployments(namespace).Get(ctx, "web", metav1.GetOptions{})
		if err == nil && d.Status.AvailableReplicas != 3 {
			err = fmt.Errorf("%d of 3 replicas are available", d.Status.AvailableReplicas)
		}
		return err
	})
}

func TestStopRemovesProcessesAndFolder(t *testing.T) {
	testcluster.Need(t)
	cluster, err := testcluster.Start(t.Context(), testcluster.Options{Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(cluster.Kubeconfig)
	if _, err := os.Stat(cluster.Kubeconfig); err != nil {
		t.Error(err)
	}
	if n := len(processesOf(t, folder)); n != 5 {
		t.Errorf("%d processes run in %s, want 5", n, folder)
	}
	if err := cluster.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder %s still exists: %v", folder, err)
	}
	if left := processesOf(t, folder); len(left) != 0 {
		t.Errorf("processes still run: %v", left)
	}
	if err := cluster.Stop(); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
}
