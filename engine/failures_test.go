package engine_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// A failure is one sentence in the history, and has all details in the error.
func TestFailureIsASentenceInTheHistory(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "hook.yaml": crashingHook("pre-install")})
	rev, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{})
	if err == nil || rev == nil {
		t.Fatal("the hook succeeded")
	}
	if !strings.HasPrefix(rev.Description, "Install failed: pre-install hook ") || utf8.RuneCountInString(rev.Description) > 320 || strings.Contains(rev.Description, "  ") || strings.Contains(rev.Description, "try:") {
		t.Errorf("described as %q", rev.Description)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) < 3 {
		t.Fatalf("%v", err)
	}
	for i, line := range lines[1:] {
		if !strings.HasPrefix(line, "  ") || i > 0 && !strings.HasPrefix(line, "    ") && !strings.Contains(line, "skipped") {
			t.Errorf("line %d stands too far left in\n%v", i+1, err)
		}
	}
	for _, e := range f.events.take() {
		if utf8.RuneCountInString(e.String()) > 500 {
			t.Errorf("a long event: %s", e)
		}
	}
}

// crashingHook is a hook whose pod crashes.
func crashingHook(event string) string {
	return `apiVersion: batch/v1
kind: Job
metadata: {name: fails, annotations: {helm.sh/hook: ` + event + `}}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {fairlead.dev/pod: crash-loop}}
    spec: {restartPolicy: Never, containers: [{name: a, image: a}]}
`
}

// The problem of an invalid object names the template and what to do.
func TestInvalidObjectNamesItsTemplate(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"web.yaml": strings.Replace(deployment, "containerPort: 8080", "containerPort: 80800", 1)})
	p, err := f.engine.Plan(f.ctx, f.release(c), engine.PlanOptions{})
	if err != nil || len(p.Problems) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	pr := p.Problems[0]
	if pr.Kind != engine.ProblemInvalid || pr.Source != "shop/templates/web.yaml" || !strings.Contains(pr.Hint, "template") || !strings.Contains(pr.Error(), "shop/templates/web.yaml") {
		t.Errorf("%+v", pr)
	}
}

// The error of a failed uninstall is about the uninstall, not about a revision.
func TestFailedUninstallSaysUninstall(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap, "hook.yaml": crashingHook("pre-delete")})
	f.deploy(f.release(c))
	f.events.take()
	err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{})
	if err == nil || strings.Contains(err.Error(), "revision 1 of") {
		t.Errorf("%v", err)
	}

	refusing := testcluster.Inject(f.cluster.Config(), func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/configmaps/") {
			return &http.Response{StatusCode: http.StatusForbidden, Request: r, Body: http.NoBody, Header: http.Header{}}, nil
		}
		return nil, nil
	})
	err = f.newEngine(refusing).Uninstall(f.ctx, f.key, engine.ApplyOptions{NoHooks: true})
	var failed *engine.ApplyError
	if !errors.As(err, &failed) || !strings.HasPrefix(failed.Error(), "the uninstall of ") {
		t.Errorf("%v", err)
	}
}

// The plan of an uninstall names what stays, the chart's CRDs included.
func TestUninstallNamesTheDefinitionsThatStay(t *testing.T) {
	f := newFixture(t)
	group := f.namespace + ".example.edu"
	f.deleteCRD("gadgets." + group)
	c := f.chart(map[string]string{"crds/gadget.yaml": strings.ReplaceAll(gadgetCRD, "GROUP", group), "config.yaml": configMap})
	f.deploy(f.release(c))
	kept := func() (names []string) {
		p, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, change := range p.Report.Changes {
			if change.Action == diff.Kept {
				names = append(names, change.Object.Name)
			}
		}
		return names
	}
	if got := kept(); len(got) != 1 || got[0] != "gadgets."+group {
		t.Errorf("kept: %v", got)
	}
	p, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{Timeout: time.Minute}); err != nil {
		t.Error(err)
	}
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Patch(f.ctx, "shop-config", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{}); err == nil {
		t.Error("the ConfigMap is still there")
	}
}
