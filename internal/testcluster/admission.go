package testcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// AwaitQuota waits until the API server enforces a ResourceQuota: a controller has to
// count it first, and admission reads it by a watch of its own.
func (c *Cluster) AwaitQuota(t testing.TB, namespace, name string) {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		t.Fatalf("wait for a quota: %v", err)
	}
	var quota *corev1.ResourceQuota
	Eventually(t, time.Minute, func(ctx context.Context) (err error) {
		quota, err = client.CoreV1().ResourceQuotas(namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && len(quota.Status.Used) == 0 { // the API server creates it with an empty status
			err = errors.New("the quota is not counted yet")
		}
		return err
	})
	if pods, ok := quota.Spec.Hard[corev1.ResourcePods]; ok && pods.IsZero() {
		awaitRefusal(t, client, namespace, "exceeded quota")
		return
	}
	time.Sleep(500 * time.Millisecond) // nothing shows that admission has a quota which one pod does not exceed
}

// AwaitLimitRange waits until the API server enforces the LimitRange of a namespace,
// which has a minimum of memory: admission reads it by a watch of its own.
func (c *Cluster) AwaitLimitRange(t testing.TB, namespace string) {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		t.Fatalf("wait for a limit range: %v", err)
	}
	awaitRefusal(t, client, namespace, "minimum memory usage")
}

// awaitRefusal waits until a small pod is refused with these words.
func awaitRefusal(t testing.TB, client kubernetes.Interface, namespace, words string) {
	t.Helper()
	small := corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Mi")}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "probe"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a", Resources: small}}}}
	Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil || !strings.Contains(err.Error(), words) {
			return fmt.Errorf("a pod is not refused yet: %v", err)
		}
		return nil
	})
}
