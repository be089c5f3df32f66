package main

import (
	"context"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// session is one run of the benchmarks on one cluster.
type session struct {
	cluster *testcluster.Cluster
	client  kubernetes.Interface
	root    string // temporary folder of the workloads
	out     io.Writer
	scale   float64 // of the sections' budgets of time
	repeats int     // of each operation, where the budget suffices
	only    string  // sections whose name contains it; empty: all
	verbose bool    // prints each operation
	kapp    string  // its program; empty: not measured
	round   int     // of the section that is being measured

	results []*result
}

// newNamespace creates a namespace in which pods can be created. It stays until
// the cluster ends, so that no cleanup runs during the measurements.
func (s *session) newNamespace(ctx context.Context) (string, error) {
	name := "bench-" + rand.String(8)
	_, err := s.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	err = s.poll(ctx, "the ServiceAccount of namespace "+name, func(ctx context.Context) (bool, error) {
		_, err := s.client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
	return name, err
}

// removeNamespace deletes a namespace and waits until it is gone.
func (s *session) removeNamespace(ctx context.Context, name string) error {
	namespaces := s.client.CoreV1().Namespaces()
	if err := namespaces.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	return s.poll(ctx, "the end of namespace "+name, func(ctx context.Context) (bool, error) {
		_, err := namespaces.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}

// settle waits until the controllers are idle in a namespace that was written to,
// so that they do not run during the next operation.
func (s *session) settle(ctx context.Context, namespace string) error {
	return s.poll(ctx, "namespace "+namespace+" to settle", func(ctx context.Context) (bool, error) {
		deployments, err := s.client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		want := 0
		for i := range deployments.Items {
			d := &deployments.Items[i]
			if want += int(ptr.Deref(d.Spec.Replicas, 1)); !ready(d) {
				return false, nil
			}
		}
		pods, err := s.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		return err == nil && len(pods.Items) == want, err
	})
}

func (s *session) poll(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, waitLimit, true, done)
	if err != nil {
		return fmt.Errorf("wait for %s: %w", what, err)
	}
	return nil
}

// allReady sends when the last of count Deployments in a namespace became ready,
// by the first event of the API server.
func (s *session) allReady(ctx context.Context, namespace string, count int) (<-chan time.Time, error) {
	w, err := s.client.AppsV1().Deployments(namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	at := make(chan time.Time, 1)
	go func() {
		defer w.Stop()
		done := map[string]bool{}
		for event := range w.ResultChan() {
			if name, ok := readyName(event.Object); ok {
				done[name] = true
			}
			if len(done) == count {
				at <- time.Now()
				return
			}
		}
	}()
	return at, nil
}
