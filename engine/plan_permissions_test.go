package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

const clusterRole = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: {{ .Release.Namespace }}}
rules: []
`

const hookJob = `
apiVersion: batch/v1
kind: Job
metadata:
  name: hook
  annotations: {helm.sh/hook: "pre-install,pre-upgrade"}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}
`

var readAll = rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}}

// All missing permissions are listed at once, before anything is written.
func TestMissingPermissionsAreListedAtOnce(t *testing.T) {
	f := newFixture(t)
	first := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": deployment})
	second := f.chart(map[string]string{"b.yaml": deployment, "c.yaml": user, "d.yaml": clusterRole, "e.yaml": hookJob})
	f.deploy(f.release(first))
	some := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"create", "update", "patch"}}
	named := rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"patch"}, ResourceNames: []string{"another"}}
	cfg := f.cluster.User(t, "", readAll)
	f.grant(cfg.Impersonate.UserName, some, named)
	cfg, requests := testcluster.Record(cfg)
	in := " in namespace " + f.namespace
	want := []string{
		"create clusterroles.rbac.authorization.k8s.io", "create jobs.batch" + in + " (for hooks)",
		"delete configmaps" + in, "delete jobs.batch" + in + " (for hooks)",
		"patch clusterroles.rbac.authorization.k8s.io", "patch deployments.apps" + in,
	}
	for name, cfg := range map[string]struct {
		engine  *engine.Engine
		reviews int
	}{
		"by the rules of the namespace": {f.newEngine(cfg), 4},
		"one by one": {f.newEngine(testcluster.Inject(cfg, func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/selfsubjectrulesreviews") {
				return &http.Response{StatusCode: http.StatusForbidden, Request: req, Body: http.NoBody, Header: http.Header{}}, nil
			}
			return nil, nil
		})), 20},
	} {
		requests.Reset()
		p, err := cfg.engine.Plan(f.ctx, f.release(second, "replicas=1", "password=none"), engine.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var missing []string
		for _, m := range p.Missing {
			missing = append(missing, m.String())
		}
		slices.Sort(missing)
		if got, want := strings.Join(missing, "\n"), strings.Join(want, "\n"); got != want {
			t.Errorf("%s: missing:\n%s\nwant:\n%s", name, got, want)
		}
		if n := requests.Count(func(r testcluster.Request) bool { return strings.Contains(r.Path, "/selfsubject") }); n > cfg.reviews {
			t.Errorf("%s: %d reviews: %v", name, n, requests.Paths())
		}
		if _, err := cfg.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), "patch deployments.apps") {
			t.Errorf("%s: apply: %v", name, err)
		}
		if n := requests.Count(testcluster.Request.Write); n > 0 {
			t.Errorf("%s: %d writes", name, n)
		}
	}

	// Missing permissions to read are listed at once, too.
	_, err := f.newEngine(f.cluster.User(t, f.namespace, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list"}})).
		Plan(f.ctx, f.release(second, "password=none"), engine.PlanOptions{})
	if err == nil || !errors.Is(err, engine.ErrForbidden) || !strings.Contains(err.Error(),
		"get clusterroles.rbac.authorization.k8s.io, get configmaps"+in+", get deployments.apps"+in) {
		t.Errorf("without the right to read: %v", err)
	}

	// Without hooks their permissions are not needed.
	hooked := f.release(f.chart(map[string]string{"a.yaml": configMap, "b.yaml": deployment, "e.yaml": hookJob}), "colour=red")
	p, err := f.newEngine(cfg).Plan(f.ctx, hooked, engine.PlanOptions{})
	if err != nil || p.Err() != nil || len(p.Missing) == 0 {
		t.Fatalf("%v, %v, missing %v", err, p.Err(), p.Missing)
	}
	if _, err := f.newEngine(cfg).Apply(f.ctx, p, engine.ApplyOptions{NoHooks: true}); err != nil {
		t.Error(err)
	}
}

// An API server that has just started returns no rules at all.
func TestIncompleteRulesReview(t *testing.T) {
	f := newFixture(t)
	const none = `{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectRulesReview","status":{"resourceRules":[],"nonResourceRules":[],"incomplete":false}}`
	asked := 0
	e := f.newEngine(testcluster.Inject(f.cluster.Config(), func(req *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(req.URL.Path, "/selfsubjectrulesreviews") {
			return nil, nil
		}
		asked++
		return &http.Response{
			StatusCode: http.StatusCreated, Request: req, Body: io.NopCloser(strings.NewReader(none)), ContentLength: int64(len(none)),
			Header: http.Header{"Content-Type": {"application/json"}},
		}, nil
	}))
	if _, err := e.Deploy(f.ctx, f.release(f.chart(map[string]string{"a.yaml": configMap, "b.yaml": deployment})), engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
	if asked == 0 {
		t.Error("the rules were never asked for")
	}
}

// grant gives a user permissions in the namespace, and waits until they are
// effective.
func (f *fixture) grant(name string, rules ...rbacv1.PolicyRule) {
	f.Helper()
	meta := metav1.ObjectMeta{Name: name, Namespace: f.namespace}
	_, err := f.client.RbacV1().Roles(f.namespace).Create(f.ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	if err == nil {
		_, err = f.client.RbacV1().RoleBindings(f.namespace).Create(f.ctx, &rbacv1.RoleBinding{
			ObjectMeta: meta, Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		f.Fatal(err)
	}
	f.effective(name, f.namespace, rules[len(rules)-1])
}

// effective waits until the API server's authorizer knows a rule of a user.
func (f *fixture) effective(name, namespace string, rule rbacv1.PolicyRule) {
	f.Helper()
	named := ""
	if len(rule.ResourceNames) > 0 {
		named = rule.ResourceNames[0]
	}
	testcluster.Eventually(f, time.Minute, func(ctx context.Context) error {
		got, err := f.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: name, ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: rule.Verbs[0], Group: rule.APIGroups[0], Resource: rule.Resources[0], Name: named,
			},
		}}, metav1.CreateOptions{})
		if err == nil && !got.Status.Allowed {
			err = errors.New("the permissions are not effective yet")
		}
		return err
	})
}

// With permission to read only, the plan is the same, with its changes marked as
// local.
func TestPlanWithPermissionToReadOnly(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": deployment, "c.yaml": secret, "hpa.yaml": autoscaler})
	f.deploy(f.release(c, "password=first-password"))
	f.edit("deployments", "shop", "kubectl-edit", `{"metadata":{"labels":{"app":"other"}}}`)
	next := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": deployment, "c.yaml": secret, "d.yaml": user})
	r := f.release(next, "password=second-password", "tag=2.0", "colour=red")

	want := f.plan(r)
	cfg, requests := testcluster.Record(f.cluster.User(t, f.namespace, readAll))
	reader := f.newEngine(cfg)
	got, err := reader.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := requests.Count(testcluster.Request.Write); n > 0 {
		t.Errorf("%d writes", n)
	}
	text := func(p *engine.Plan) string {
		var lines []string
		for _, c := range p.Report.Changes {
			for _, f := range c.Fields {
				if f.Cause == diff.Default {
					continue // which only the API server knows
				}
				if f.Secret {
					f.Base, f.Live, f.Desired = nil, nil, nil // hashed under each plan's own key
				}
				line, err := json.Marshal(f)
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, fmt.Sprintf("%s %s %s", c.Action, c.Object, line))
			}
		}
		return strings.Join(lines, "\n")
	}
	if text(got) != text(want) {
		t.Errorf("the plan is\n%s\nwant\n%s", text(got), text(want))
	}
	if got.Report.Summary() != want.Report.Summary() {
		t.Errorf("%s, want %s", got.Report.Summary(), want.Report.Summary())
	}
	for _, c := range got.Report.Changes {
		if (c.Action == diff.Created || c.Action == diff.Updated) != c.Local {
			t.Errorf("%s: %s, local: %v", c.Object, c.Action, c.Local)
		}
	}
	if len(got.Missing) == 0 || fmt.Sprint(got.Err()) != fmt.Sprint(want.Err()) || !strings.Contains(strings.Join(got.Report.Warnings, "\n"), "applying takes permissions that the credentials of the plan lack: ") {
		t.Errorf("missing %v, %v, warnings %q", got.Missing, got.Err(), got.Report.Warnings)
	}

	// The history is in Secrets.
	some := rbacv1.PolicyRule{APIGroups: []string{"", "apps"}, Resources: []string{"configmaps", "deployments"}, Verbs: []string{"get", "list"}}
	_, err = f.newEngine(f.cluster.User(t, f.namespace, some)).Plan(f.ctx, r, engine.PlanOptions{})
	if err == nil || !strings.Contains(err.Error(), "history") || !strings.Contains(err.Error(), `cannot list resource "secrets"`) {
		t.Errorf("without the right to read the history: %v", err)
	}
}
