package charts_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

// A database of three pods with a StorageClass of its own grows from 1Gi to
// 2Gi: the claims do, the pods stay, and the history has one entry for it.
func TestDatabaseGrowsFromOneToTwoGi(t *testing.T) {
	cluster := testcluster.Shared(t)
	client := kubernetes.NewForConfigOrDie(cluster.Config())
	key := engine.Key{Namespace: cluster.Namespace(t), Name: "shop"}
	eng, err := engine.New(cluster.Config(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := eng.Uninstall(context.Background(), key, engine.ApplyOptions{NoWait: true}); err != nil {
			t.Error(err)
		}
	})
	class := "grow-" + key.Namespace[len(key.Namespace)-6:]
	deploy := func(size string) {
		t.Helper()
		values, err := render.MergeValues(render.FromYAML("values.yaml", fmt.Appendf(nil, `
replicas: 3
auth: {password: secret-enough}
storage: {size: %s}
storageClass: {create: true, name: %s, provisioner: fairlead.dev/volume, allowVolumeExpansion: true}
`, size, class)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := eng.Deploy(t.Context(), engine.Release{Key: key, Source: charts.Database(), Values: values}, engine.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	pods := func() map[string]types.UID {
		list, err := client.CoreV1().Pods(key.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]types.UID{}
		for _, p := range list.Items {
			out[p.Name] = p.UID
		}
		return out
	}
	deploy("1Gi")
	before := pods()
	deploy("2Gi")
	after := pods()
	if len(before) != 3 || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("pods were %v, are %v", before, after)
	}
	claims, err := client.CoreV1().PersistentVolumeClaims(key.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var sizes []string
	for _, c := range claims.Items {
		sizes = append(sizes, c.Status.Capacity.Storage().String())
	}
	if strings.Join(sizes, " ") != "2Gi 2Gi 2Gi" {
		t.Errorf("claims have %v", sizes)
	}
	if h, err := eng.History(t.Context(), key); err != nil || len(h) != 2 || h[1].Status != engine.StatusDeployed {
		t.Errorf("history %v, %v", h, err)
	}
	t.Logf("claims %v, pods %v", sizes, after)
}
