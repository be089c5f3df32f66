package engine_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// requestsPage has the table of the requests of each verb.
const requestsPage = "../docs/requests.md"

// TestRequestsOfEachVerb holds the table of docs/requests.md: which requests each
// verb sends for ten objects of ten kinds. With -update it also finds, for the
// table, in which round each is sent: what is in flight at once, because none of it
// waits for the answer to another.
func TestRequestsOfEachVerb(t *testing.T) {
	f := newFixture(t)
	page, err := os.ReadFile(requestsPage)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	begin, end := strings.Index(text, "| Verb |"), strings.LastIndex(text, "|\n")+2
	if begin < 0 {
		t.Fatal("docs/requests.md has no table")
	}
	rounds := &rounds{quiet: 0}
	if *engine.Update {
		rounds.quiet = 500 * time.Millisecond
	}
	config := rest.CopyConfig(f.config)
	config.Wrap(rounds.wrap)
	e, err := engine.New(config, engine.Options{LeaseDuration: 2 * time.Minute}) // no renewals to count
	if err != nil {
		t.Fatal(err)
	}
	chart := f.chart(map[string]string{"all.yaml": tenKinds})
	deploy := func(set ...string) func() error {
		return func() error {
			_, err := e.Deploy(f.ctx, f.release(chart, set...), engine.ApplyOptions{NoWait: true})
			return err
		}
	}
	plan := func(set ...string) func() error {
		return func() error {
			_, err := e.Plan(f.ctx, f.release(chart, set...), engine.PlanOptions{})
			return err
		}
	}
	table := "| Verb | Round | Requests |\n| --- | --- | --- |\n"
	for _, v := range []struct {
		name string
		call func() error
	}{
		{"", plan("x=one")}, // discovers the kinds and their schemas
		{"Deploy, the first", deploy("x=one")},
		{"Plan, nothing changed", plan("x=one")},
		{"Deploy, nothing changed", deploy("x=one")},
		{"Plan, one object changed", plan("x=two")},
		{"Deploy, one object changed", deploy("x=two")},
		{"Reconcile, nothing changed", func() error {
			f.awaitWeb() // what is not ready is looked at more closely
			_, err := e.Reconcile(f.ctx, f.release(chart, "x=two"), engine.ReconcileOptions{})
			return err
		}},
		{"Drift", func() error { _, err := e.Drift(f.ctx, f.key); return err }},
		{"History", func() error { _, err := e.History(f.ctx, f.key); return err }},
		{"Rollback", func() error { _, err := e.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{NoWait: true}); return err }},
		{"Uninstall", func() error { return e.Uninstall(f.ctx, f.key, engine.ApplyOptions{NoWait: true}) }},
	} {
		rounds.reset()
		if err := v.call(); err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		if v.name != "" {
			table += rounds.rows(v.name, f.namespace)
		}
	}
	if *engine.Update {
		if err := os.WriteFile(requestsPage, []byte(text[:begin]+table+text[end:]), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for verb, want := range requestsOf(text[begin:end]) {
		got := requestsOf(table)[verb]
		if !strings.HasPrefix(verb, "Plan") { // which asks anew; others do after a minute
			delete(got, "create selfsubjectrulesreviews")
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s sends\n%v\nand docs/requests.md has\n%v\n(rewrite it with -update)", verb, got, want)
		}
	}
}

// awaitWeb waits until the Deployment is ready.
func (f *fixture) awaitWeb() {
	f.Helper()
	testcluster.Eventually(f, time.Minute, func(ctx context.Context) error {
		d, err := f.client.AppsV1().Deployments(f.namespace).Get(ctx, "web", metav1.GetOptions{})
		if err == nil && (d.Status.ObservedGeneration != d.Generation || d.Status.AvailableReplicas != 1) {
			err = fmt.Errorf("%+v", d.Status)
		}
		return err
	})
}

// requestsOf counts the requests that a table has, by verb, whatever the round.
func requestsOf(table string) map[string]map[string]int {
	out := map[string]map[string]int{}
	verb := ""
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		if len(cells) != 3 || strings.HasPrefix(cells[0], " ---") || cells[0] == " Verb " {
			continue
		}
		if name, _, _ := strings.Cut(strings.TrimSpace(cells[0]), ": "); name != "" {
			verb = name
			out[verb] = map[string]int{}
		}
		for text := range strings.SplitSeq(strings.TrimSpace(cells[2]), "; ") {
			if m := objectsRequest.FindStringSubmatch(text); m != nil {
				n, _ := strconv.Atoi(m[2])
				out[verb][m[1]+" objects"+m[3]] += n
				continue
			}
			out[verb][objectRequest.ReplaceAllString(text, "$1 objects$2")]++
		}
	}
	return out
}

// rounds records requests. With quiet it holds those that arrive back until no
// more do for that long, and lets them go at once, as one round.
type rounds struct {
	quiet time.Duration

	mu      sync.Mutex
	sent    [][]*http.Request
	waiting []chan struct{}
	timer   *time.Timer
}

func (r *rounds) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = [][]*http.Request{nil}
}

func (r *rounds) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		if strings.HasPrefix(req.URL.Path, "/openapi/") { // once for each engine
			return next.RoundTrip(req)
		}
		r.mu.Lock()
		last := len(r.sent) - 1
		r.sent[last] = append(r.sent[last], req)
		if r.quiet == 0 {
			r.mu.Unlock()
			return next.RoundTrip(req)
		}
		gate := make(chan struct{})
		r.waiting = append(r.waiting, gate)
		if r.timer == nil {
			r.timer = time.AfterFunc(r.quiet, r.release)
		} else {
			r.timer.Reset(r.quiet)
		}
		r.mu.Unlock()
		<-gate
		return next.RoundTrip(req)
	})
}

func (r *rounds) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, gate := range r.waiting {
		close(gate)
	}
	r.waiting = nil
	r.sent = append(r.sent, nil)
}

// rows are those of the table for the requests since the last reset.
func (r *rounds) rows(verb, namespace string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out strings.Builder
	requests, writes, used := 0, 0, 0
	for _, sent := range r.sent {
		if len(sent) > 0 {
			used++
		}
		for _, req := range sent {
			if requests++; recorded(req).Write() {
				writes++
			}
		}
	}
	round := 0
	for _, sent := range r.sent {
		if len(sent) == 0 {
			continue
		}
		round++
		var texts []string
		for _, req := range sent {
			texts = append(texts, requestText(recorded(req), namespace))
		}
		texts = grouped(texts)
		name := ""
		if round == 1 {
			name = fmt.Sprintf("%s: %d requests, %d writes", verb, requests, writes)
		}
		fmt.Fprintf(&out, "| %s | %d | %s |\n", name, round, strings.Join(texts, "; "))
	}
	return out.String()
}

// objectRequest is a request for one of the objects that are named "web".
var objectRequest = regexp.MustCompile(`^(\w+) \w+ web( \(dry-run\))?$`)

// objectsRequest is what grouped makes of several of them.
var objectsRequest = regexp.MustCompile(`^(\w+) (\d+) objects( \(dry-run\))?$`)

// grouped sorts requests, and counts those that differ in their object alone.
func grouped(texts []string) []string {
	counts := map[string]int{}
	for _, text := range texts {
		counts[objectRequest.ReplaceAllString(text, "$1 N objects$2")]++
	}
	var out []string
	for _, text := range texts {
		group := objectRequest.ReplaceAllString(text, "$1 N objects$2")
		if n := counts[group]; n > 2 {
			text = strings.Replace(group, "N", fmt.Sprint(n), 1)
		}
		if !slices.Contains(out, text) || counts[group] <= 2 {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

func recorded(r *http.Request) testcluster.Request {
	return testcluster.Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query()}
}

var revisionName = regexp.MustCompile(`^sh\.helm\.release\.v1\.shop\.v`)

// requestText is a request as the table has it.
func requestText(r testcluster.Request, namespace string) string {
	below := strings.TrimPrefix(r.Path, "/api/v1/")
	if parts := strings.SplitN(strings.TrimPrefix(r.Path, "/apis/"), "/", 3); strings.HasPrefix(r.Path, "/apis/") && len(parts) == 3 {
		below = parts[2]
	}
	below = strings.TrimPrefix(below, "namespaces/"+namespace+"/")
	if below == "namespaces/"+namespace {
		return r.Method + " namespace"
	}
	resource, name, named := strings.Cut(below, "/")
	verb := map[string]string{http.MethodGet: "list", http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "apply", http.MethodDelete: "delete"}[r.Method]
	switch {
	case r.Method == http.MethodGet && r.Watch():
		verb = "watch"
	case r.Method == http.MethodGet && named:
		verb = "get"
	}
	one := regexp.MustCompile(`s$`).ReplaceAllString(strings.Replace(resource, "ies", "ys", 1), "")
	what := one + " " + name
	switch selector := r.Query.Get("labelSelector"); {
	case revisionName.MatchString(name):
		what = "revision " + revisionName.ReplaceAllString(name, "")
	case resource == "secrets" && r.Method == http.MethodPost:
		what = "revision"
	case strings.Contains(selector, "status=deployed"):
		what = "the deployed revision"
	case strings.Contains(selector, "owner in"):
		what = "the revisions' metadata"
	case resource == "secrets" && !named:
		what = "the revisions"
	case !named:
		what = resource
	}
	if r.DryRun() {
		what += " (dry-run)"
	}
	return verb + " " + what
}

// tenKinds are what a small service has.
const tenKinds = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: v1
kind: Secret
metadata: {name: web}
data: {password: c2VjcmV0}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {x: "{{ .Values.x }}"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects: [{kind: ServiceAccount, name: web, namespace: "{{ .Release.Namespace }}"}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec: {podSelector: {matchLabels: {app: web}}}
`
