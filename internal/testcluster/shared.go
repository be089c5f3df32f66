package testcluster

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/kubernetes"
)

// sharedVariable names the kubeconfig of a cluster that several test processes
// share. "cluster exec" sets it.
const sharedVariable = "FAIRLEAD_TEST_KUBECONFIG"

// startLimit bounds the start of the shared cluster on a busy machine.
const startLimit = 3 * time.Minute

// shared is the one cluster of this test process.
var shared struct {
	sync.Mutex
	cluster *Cluster
	err     error
}

// Shared returns the cluster of this test process, starting it at the first
// call, or the one of FAIRLEAD_TEST_KUBECONFIG. With -short it skips the test;
// if the cluster cannot be started it fails the test.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	Need(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.err == nil {
		shared.cluster, shared.err = openShared()
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}

// Need skips a test with -short. It is for tests that call Start.
func Need(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the test cluster; run without -short")
	}
}

func openShared() (*Cluster, error) {
	if path := os.Getenv(sharedVariable); path != "" {
		config, err := loadConfig(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sharedVariable, err)
		}
		return &Cluster{Kubeconfig: path, config: config}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	return Start(ctx, Options{})
}

// Main runs a package's tests and stops their shared cluster, for TestMain. It
// does not return. Without it the cluster ends shortly after the process.
func Main(m *testing.M) {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster != nil {
		if err := shared.cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// notInNames are the characters that a namespace's name must not contain.
var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// Namespace creates a namespace and returns its name once pods can be created in
// it. It is deleted at the end of the test, without waiting.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	name := notInNames.ReplaceAllString(strings.ToLower(t.Name()), "-")
	name = strings.Trim(name[:min(len(name), 50)], "-") + "-" + rand.String(6)
	ctx := t.Context()
	if _, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Logf("delete namespace %s: %v", name, err)
		}
	})
	// Pods are rejected until the namespace has its ServiceAccount.
	Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return name
}

// Eventually calls check until it returns nil, and fails the test with its last
// error if that takes longer than limit.
func Eventually(t testing.TB, limit time.Duration, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %v", limit, last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
