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

// quotaCounted waits until a quota counts so much, with the limits of its spec.
func (f *fixture) quotaCounted(name, counted, used string) {
	f.Helper()
	testcluster.Eventually(f.T, time.Minute, func(ctx context.Context) error {
		q, err := f.client.CoreV1().ResourceQuotas(f.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for resource, n := range q.Status.Used {
			if string(resource) == counted && n.String() == used {
				return nil
			}
		}
		return fmt.Errorf("used is %v", q.Status.Used)
	})
}

// A chart may bring the quota that counts its own objects: what the quota of now
// refuses is no problem if the plan makes room first, and one if it does not make
// enough.
func TestAChartRaisesItsOwnQuota(t *testing.T) {
	f := newFixture(t)
	chart := func(hard int, services ...string) engine.Release {
		files := map[string]string{"quota.yaml": fmt.Sprintf("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: own}\nspec: {hard: {count/services: '%d'}}\n", hard)}
		for _, name := range services {
			files[name+".yaml"] = "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec: {ports: [{port: 80}]}\n"
		}
		return f.release(f.chart(files))
	}
	// The quota and what it counts, at once: its limits count once a controller has
	// counted what is used.
	f.deploy(chart(1, "a"))
	f.quotaCounted("own", "count/services", "1")

	// Room for one more, and two are asked for.
	p := f.plan(chart(2, "a", "b", "c"))
	if err := p.Err(); !errors.Is(err, engine.ErrQuota) || len(p.Problems) != 2 {
		t.Fatalf("the plan has the problems %v", p.Problems)
	}
	if _, err := f.engine.Deploy(f.ctx, chart(2, "a", "b", "c"), engine.ApplyOptions{}); !errors.Is(err, engine.ErrQuota) {
		t.Fatalf("Deploy returned %v", err)
	}
	f.wantHistory("1 deployed")

	p = f.plan(chart(3, "a", "b", "c"))
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	local := 0
	for _, c := range p.Report.Changes {
		if c.Object.Kind == "Service" && c.Changed() {
			if c.Local && strings.Contains(strings.Join(c.Warnings, " "), "changed the quota") {
				local++
			}
		}
	}
	if local != 2 {
		t.Errorf("%d Services are said to depend on the quota, want 2: %+v", local, p.Report.Changes)
	}
	f.deploy(chart(3, "a", "b", "c"))
	f.settled(chart(3, "a", "b", "c"))
}
