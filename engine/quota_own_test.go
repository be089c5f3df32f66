package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
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
	// The quota first: a controller counts every few minutes what was created before
	// the API server had seen the quota.
	f.deploy(chart(1))
	f.quotaCounted("own", "count/services", "0")
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
	f.wantHistory("1 superseded", "2 deployed")

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

// A quota that has just been created refuses all that it counts, until a controller
// has counted it: that is no problem of a plan, and the write waits.
func TestAQuotaThatIsNotCountedYet(t *testing.T) {
	f := newFixture(t)
	var refused atomic.Int32
	f.engine = f.newEngine(testcluster.Inject(f.config, func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPatch || !strings.HasSuffix(r.URL.Path, "/services/s") || refused.Add(1) > 4 {
			return nil, nil
		}
		body := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"services \"s\" is forbidden: status unknown for quota: new, resources: count/services"}`
		return &http.Response{
			StatusCode: http.StatusForbidden, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(body)), Request: r,
		}, nil
	}))
	r := f.release(f.chart(map[string]string{"s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n"}))
	p := f.plan(r)
	if err := p.Err(); err != nil || refused.Load() == 0 {
		t.Fatalf("after %d refusals: %v", refused.Load(), err)
	}
	for _, c := range p.Report.Changes {
		if c.Object.Kind == "Service" && (!c.Local || !strings.Contains(strings.Join(c.Warnings, " "), "not been counted yet")) {
			t.Errorf("%+v", c)
		}
	}
	f.deploy(r)
	if refused.Load() < 4 {
		t.Errorf("refused %d times", refused.Load())
	}
	f.settled(r)
}
