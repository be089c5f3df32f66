package readiness

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

func TestAPIServerRestartsDuringWait(t *testing.T) {
	testcluster.Need(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
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
	b := benchOn(t, cluster.Config(), cluster.Namespace(t))
	w := b.wait(Options{}, b.apply(workload("Deployment", "web", "web:1", 1, "")))
	name := b.pods("web", "web:1", 1)[0].GetName()
	w.until(t, "the first look", func(u Update) bool { return u.Status.Updated == 1 })
	time.Sleep(1500 * time.Millisecond) // all watches are open
	if err := cluster.Kill(testcluster.APIServer); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	select {
	case <-w.done:
		t.Fatalf("the wait ended with the server: %v", w.err)
	default:
	}
	if err := cluster.Restart(testcluster.APIServer); err != nil {
		t.Fatal(err)
	}
	b.play(name, playReady)
	// The time that the controllers take to restart is not part of the delay.
	var seen time.Time
	for seen.IsZero() {
		obj, err := b.client.Resource(resources["Deployment"]).Namespace(b.ns).Get(b.ctx, "web", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if Assess(obj, nil).State == Ready {
			seen = time.Now()
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := w.end(t); err != nil {
		t.Fatal(err)
	}
	t.Logf("returned %v after the ready status could be read", w.ended.Sub(seen).Round(time.Millisecond))
}

// An unreachable server is the reported reason when the wait times out.
func TestAPIServerUnreachable(t *testing.T) {
	b := newBench(t)
	var unreachable atomic.Bool
	cfg := testcluster.Inject(testcluster.Shared(t).Config(), func(*http.Request) (*http.Response, error) {
		if unreachable.Load() {
			return nil, errors.New("connection refused (test)")
		}
		return nil, nil
	})
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	unreachable.Store(true)
	ctx, cancel := context.WithTimeout(b.ctx, 500*time.Millisecond)
	defer cancel()
	_, err = Wait(ctx, []Target{b.apply(workload("Deployment", "web", "web:1", 1, ""))}, Options{Client: client})
	var feed *FeedError
	if !errors.As(err, &feed) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("%v", err)
	}
}

func TestWatchesThatEnd(t *testing.T) {
	gone := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","message":"too old resource version","code":410}`
	ended := `{"type":"ERROR","object":` + gone + `}`
	cases := map[string]func() *http.Response{
		"closed at once":       func() *http.Response { return response(200, "") },
		"410 as response":      func() *http.Response { return response(410, gone) },
		"410 in the stream":    func() *http.Response { return response(200, ended) },
		"cut within an object": func() *http.Response { return response(200, `{"type":"MODIFIED","obj`) },
		"server error":         func() *http.Response { return response(500, "{}") },
		"busy":                 func() *http.Response { return response(503, "{}") },
	}
	run := func(name string, applied bool, fault func() *http.Response) {
		if applied {
			name += ", from what was applied"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var watches, lists atomic.Int32
			cfg := testcluster.Inject(testcluster.Shared(t).Config(), func(r *http.Request) (*http.Response, error) {
				if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/deployments") {
					return nil, nil
				}
				if r.URL.Query().Get("watch") == "" {
					lists.Add(1)
					return nil, nil
				}
				if watches.Add(1) <= 4 {
					res := fault()
					res.Request = r
					return res, nil
				}
				return nil, nil
			})
			client, err := dynamic.NewForConfig(cfg)
			if err != nil {
				t.Fatal(err)
			}
			target, atLeast := b.apply(workload("Deployment", "web", "web:1", 1, "")), int32(2)
			if applied {
				target, atLeast = b.applied(target), 1
			}
			w := b.wait(Options{Client: client}, target)
			b.play(b.pods("web", "web:1", 1)[0].GetName(), playReady)
			if err := w.end(t); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "410") && lists.Load() < atLeast {
				t.Errorf("%d lists: an expired version must lead to a new one", lists.Load())
			}
			if n := watches.Load() + lists.Load(); n > 40 {
				t.Errorf("%d requests: retried without a pause", n)
			}
		})
	}
	for name, fault := range cases {
		run(name, false, fault)
		run(name, true, fault)
	}
}

func response(code int, body string) *http.Response {
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(bytes.NewBufferString(body)), ContentLength: int64(len(body)),
	}
}

func TestWaitWithFewPermissions(t *testing.T) {
	b := newBench(t)
	c := testcluster.Shared(t)
	target := b.apply(workload("Deployment", "web", "web:1", 1, ""))
	as := func(rules ...rbacv1.PolicyRule) dynamic.Interface {
		client, err := dynamic.NewForConfig(c.User(t, b.ns, rules...))
		if err != nil {
			t.Fatal(err)
		}
		return client
	}

	// Nothing but Deployments: no early diagnosis, but the wait itself works.
	w := b.wait(Options{Client: as(rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"list", "watch"}}), Limits: fast()}, target)
	w.until(t, "the first look", func(u Update) bool { return u.Status.Desired == 1 })
	p := b.pods("web", "web:1", 1)[0].GetName()
	time.Sleep(1500 * time.Millisecond)
	b.play(p, playReady)
	if err := w.end(t); err != nil {
		t.Fatal(err)
	}

	// Permission for two objects by their names only.
	two := []Target{target, b.apply(workload("Deployment", "other", "web:1", 0, ""))}
	named := as(rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, ResourceNames: []string{"web", "other"}, Verbs: []string{"list", "watch"}})
	if _, err := Wait(b.ctx, two, Options{Client: named}); err != nil {
		t.Fatal(err)
	}

	_, err := Wait(b.ctx, []Target{target}, Options{Client: as(rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "watch"}})})
	var feed *FeedError
	if !errors.As(err, &feed) || !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `needs the verbs "list" and "watch"`) {
		t.Fatalf("%v", err)
	}
}

// One watch for each kind and namespace, and none for what is ready at once.
func TestRequestsOfAWait(t *testing.T) {
	b := newBench(t)
	cfg, record := testcluster.Record(testcluster.Shared(t).Config())
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	targets := []Target{
		b.apply(workload("Deployment", "a", "a:1", 0, "")),
		b.apply(workload("Deployment", "b", "b:1", 0, "")),
		b.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}"),
	}
	if _, err := Wait(b.ctx, targets, Options{Client: b.client}); err != nil {
		t.Fatal(err)
	}
	if _, err := Wait(b.ctx, targets, Options{Client: client}); err != nil {
		t.Fatal(err)
	}
	if n := record.Count(nil); n > 2 {
		t.Errorf("%d requests for what was ready before: %v", n, record.Requests())
	}
	for _, r := range record.Requests() {
		if !strings.HasSuffix(r.Path, "/deployments") {
			t.Errorf("unnecessary request: %s", r)
		}
	}
	// Slow callbacks do not delay the wait and receive the last state.
	var last atomic.Value
	_, err = Wait(b.ctx, targets[:1], Options{Client: b.client, OnUpdate: func(u Update) {
		time.Sleep(20 * time.Millisecond)
		last.Store(u.Status.State)
	}})
	if err != nil || last.Load() != Ready {
		t.Errorf("%v, last state %v", err, last.Load())
	}
}

// A wait that begins with what was applied watches each kind from there, lists
// nothing, and needs nothing to know that a Service exists; a look at it takes no
// request at all.
func TestRequestsForWhatWasApplied(t *testing.T) {
	b := newBench(t)
	cfg, record := testcluster.Record(testcluster.Shared(t).Config())
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	targets := []Target{
		b.applied(b.apply(workload("Deployment", "a", "a:1", 0, ""))),
		b.applied(b.apply(workload("Deployment", "b", "b:1", 0, ""))),
		b.applied(b.apply("apiVersion: v1\nkind: Service\nmetadata: {name: c}\nspec: {ports: [{port: 80}]}")),
	}
	for i := range targets[:2] { // as the write returned them
		unstructured.RemoveNestedField(targets[i].Applied.Object, "status")
	}
	if _, _, _, err := Look(b.ctx, targets, Options{Client: client}, Memory{}, time.Hour); !errors.Is(err, ErrInProgress) {
		t.Errorf("a look at what was just applied: %v", err)
	}
	if n := record.Count(nil); n > 0 {
		t.Errorf("a look took %d requests: %v", n, record.Requests())
	}
	for i := range targets[:2] {
		later := b.apply(workload("Deployment", targets[i].Name, "new:1", 0, ""))
		targets[i].Generation = later.Generation
	}
	if _, err := Wait(b.ctx, targets, Options{Client: client}); err != nil {
		t.Fatal(err)
	}
	if n := record.Count(func(r testcluster.Request) bool { return !r.Watch() || !strings.HasSuffix(r.Path, "/deployments") }); n > 0 {
		t.Errorf("requests other than watches of Deployments: %v", record.Requests())
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := Wait(t.Context(), []Target{{Kind: "Deployment", Name: "a"}}, Options{}); err == nil {
		t.Error("no client, and no error")
	}
}
