package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// What leaves is deleted last, also under a quota that has no room for both: the
// refusal says what to delete.
func TestQuotaWithWhatLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		counted, object string
		before          bool // the plan itself finds it
	}{
		"found by a dry-run": {"count/services", "apiVersion: v1\nkind: Service\nmetadata: {name: NAME}\nspec: {ports: [{port: 80}]}\n", true},
		"a workload":         {"count/deployments.apps", strings.Replace(fmt.Sprintf(plainDeployment, "", ""), "name: web}\nspec", "name: NAME}\nspec", 1), true},
		"found by the write": {"count/configmaps", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n", false},
		"a claim's size":     {"requests.storage", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: NAME}\nspec: {storageClassName: '', accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			chart := func(names ...string) engine.Release {
				files := map[string]string{"keep.yaml": configMap}
				for _, n := range names {
					files[n+".yaml"] = strings.ReplaceAll(c.object, "NAME", n)
				}
				return f.release(f.chart(files))
			}
			if _, err := f.engine.Deploy(f.ctx, chart("old"), engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			// The quota is full with what there is.
			hard := "1Gi"
			if c.counted != "requests.storage" {
				hard = "1"
				if c.counted == "count/configmaps" {
					hard = "3" // with kube-root-ca.crt
				}
			}
			f.create("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: tight}\nspec: {hard: {" + c.counted + ": '" + hard + "'}}")
			testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
				q, err := f.client.CoreV1().ResourceQuotas(f.namespace).Get(ctx, "tight", metav1.GetOptions{})
				if err != nil {
					return err
				}
				for name, used := range q.Status.Used {
					if hard := q.Status.Hard[name]; used.Cmp(hard) == 0 {
						return nil
					}
				}
				return fmt.Errorf("used is %v", q.Status.Used)
			})
			p := f.plan(chart("new"))
			r := chart("new")
			r.UnsafePrune = true
			_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true})
			errs := []error{err}
			if c.before {
				errs = append(errs, p.Err())
			}
			for _, err := range errs {
				if !errors.Is(err, engine.ErrQuota) || errors.Is(err, engine.ErrForbidden) {
					t.Fatalf("returned %v", err)
				}
				for _, want := range []string{"exceeded quota: tight", "raise the quota", " old can be deleted beforehand"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("it does not say %q: %v", want, err)
					}
				}
			}
			// As it says: in a deploy of its own.
			without := chart()
			without.UnsafePrune = true
			testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
				if _, err := f.engine.Deploy(ctx, without, engine.ApplyOptions{NoWait: true}); err != nil {
					return err
				}
				_, err := f.engine.Deploy(ctx, r, engine.ApplyOptions{NoWait: true})
				return err
			})
			f.settled(r)
		})
	}
}
