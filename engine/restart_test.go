package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// The API server, and then etcd, are killed and restarted during a series of
// deploys: each succeeds.
func TestServersRestartDuringDeploys(t *testing.T) {
	testcluster.Need(t)
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cluster, err := testcluster.Start(ctx, testcluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	client, err := kubernetes.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(cluster.Config(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, key: engine.Key{Namespace: "shop", Name: "shop"}}
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": manyConfigMaps(30)["many.yaml"]})
	deployed := make(chan error)
	n := 0
	go func() {
		defer close(deployed)
		for until := time.Now().Add(25 * time.Second); time.Now().Before(until); n++ {
			if _, err := e.Deploy(ctx, f.release(c, fmt.Sprintf("colour=c%d", n)), engine.ApplyOptions{}); err != nil {
				deployed <- fmt.Errorf("deploy %d: %w", n, err)
			}
		}
	}()
	go func() {
		for _, part := range []string{testcluster.APIServer, testcluster.Etcd} {
			time.Sleep(3 * time.Second)
			if err := cluster.Kill(part); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Second)
			if err := cluster.Restart(part); err != nil {
				t.Error(err)
			}
		}
	}()
	for err := range deployed {
		t.Error(err)
	}
	revisions, err := e.History(ctx, f.key)
	if err != nil || len(revisions) == 0 || revisions[len(revisions)-1].Revision != n || revisions[len(revisions)-1].Status != engine.StatusDeployed {
		t.Errorf("after %d deploys the history is %+v, %v", n, revisions, err)
	}
	t.Logf("%d deploys", n)
}
