package testcluster_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

func TestPartsRestartAfterCrash(t *testing.T) {
	testcluster.Need(t)
	cluster, err := testcluster.Start(t.Context(), testcluster.Options{Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	k := client(t, cluster)
	namespace := cluster.Namespace(t)
	for _, part := range []string{testcluster.APIServer, testcluster.Etcd} {
		if err := cluster.Kill(part); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if _, err := k.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "never"}}, metav1.CreateOptions{}); err == nil {
			t.Errorf("a write succeeds without %s", part)
		}
		cancel()
		if err := cluster.Restart(part); err != nil {
			t.Fatal(err)
		}
		if _, err := k.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{}); err != nil {
			t.Errorf("after the restart of %s: %v", part, err)
		}
	}
	// The other parts have kept running.
	if _, err := k.AppsV1().Deployments(namespace).Create(t.Context(), deployment(1, podTemplate("web:1.0")), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		d, err := k.AppsV1().Deployments(namespace).Get(ctx, "web", metav1.GetOptions{})
		if err == nil && d.Status.AvailableReplicas != 1 {
			err = errors.New("the replica is not available")
		}
		return err
	})
	if err := cluster.Kill("nonsense"); err == nil {
		t.Error("killing a part that does not exist succeeds")
	}
}

func TestKilledParentRemovesProcessesAndFolder(t *testing.T) {
	testcluster.Need(t)
	cluster, err := testcluster.Start(t.Context(), testcluster.Options{Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(cluster.Kubeconfig)
	if err := cluster.Crash(); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		if left := processesOf(t, folder); len(left) != 0 {
			return fmt.Errorf("processes still run: %v", left)
		}
		if _, err := os.Stat(folder); !os.IsNotExist(err) {
			return fmt.Errorf("the folder %s still exists: %v", folder, err)
		}
		return nil
	})
}

func TestReadOnly(t *testing.T) {
	cluster := testcluster.Shared(t)
	namespace := cluster.Namespace(t)
	k, err := kubernetes.NewForConfig(cluster.ReadOnly(t, namespace))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := k.CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("listing another namespace: %v, want forbidden", err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	if _, err := k.CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("creating: %v, want forbidden", err)
	}
}

func TestRecordAndInject(t *testing.T) {
	cluster := testcluster.Shared(t)
	namespace := cluster.Namespace(t)
	broken := errors.New("the line is cut")
	faulty := testcluster.Inject(cluster.Config(), func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			return nil, broken
		}
		return nil, nil
	})
	config, recorder := testcluster.Record(faulty)
	k, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	if _, err := k.CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); !errors.Is(err, broken) {
		t.Errorf("creating: %v, want %v", err, broken)
	}
	path := "/api/v1/namespaces/" + namespace + "/secrets"
	if got := recorder.Paths(); len(got) != 2 || got["GET "+path] != 1 || got["POST "+path] != 1 {
		t.Errorf("recorded %v", got)
	}
	if n := recorder.Count(testcluster.Request.Write); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}
