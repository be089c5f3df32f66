package engine_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// What the first revision creates is looked for by the dry-runs that judge it, and
// not read before; where it exists after all, as much is found out as otherwise.
func TestFirstRevisionAsksOnce(t *testing.T) {
	f := newFixture(t)
	services := ""
	for i := range 6 {
		services += fmt.Sprintf("---\napiVersion: v1\nkind: Service\nmetadata: {name: s%d}\nspec: {ports: [{port: 80}], selector: {app: {{ .Values.app | default \"a\" }}}}\n", i)
	}
	c := f.chart(map[string]string{"services.yaml": services})
	of := func(method string, dryRun bool) int {
		return f.requests.Count(func(r testcluster.Request) bool {
			return r.Method == method && r.DryRun() == dryRun && strings.Contains(r.Path, "/services")
		})
	}
	want := func(what string, reads, dryRuns, writes int) {
		t.Helper()
		if of(http.MethodGet, false) != reads || of(http.MethodPatch, true) != dryRuns || of(http.MethodPatch, false) != writes {
			t.Errorf("%s: %d reads, %d dry-runs, %d writes, want %d, %d, %d", what, of(http.MethodGet, false), of(http.MethodPatch, true), of(http.MethodPatch, false), reads, dryRuns, writes)
		}
		f.requests.Reset()
	}
	f.requests.Reset()
	f.deploy(f.release(c))
	want("nothing exists", 0, 6, 6)

	// The history is lost, and the objects are there with the release's marks.
	if err := f.client.CoreV1().Secrets(f.namespace).DeleteCollection(f.ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "owner=helm"}); err != nil {
		t.Fatal(err)
	}
	f.engine = f.newEngineWith(engine.Options{}) // which remembers nothing of them
	f.requests.Reset()
	if _, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	want("everything exists", 1, 1, 0)

	// Others own one of them: it is a problem as ever, and the others are created.
	for _, s := range []string{"s0", "s1", "s2", "s4", "s5"} {
		if err := f.client.CoreV1().Services(f.namespace).Delete(f.ctx, s, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.client.CoreV1().Secrets(f.namespace).DeleteCollection(f.ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "owner=helm"}); err != nil {
		t.Fatal(err)
	}
	other, err := f.client.CoreV1().Services(f.namespace).Get(f.ctx, "s3", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other.Labels, other.Annotations = nil, nil
	if _, err := f.client.CoreV1().Services(f.namespace).Update(f.ctx, other, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.engine = f.newEngineWith(engine.Options{})
	f.requests.Reset()
	p := f.plan(f.release(c, "app=b"))
	if !slices.ContainsFunc(p.Problems, func(p engine.Problem) bool { return p.Object.Name == "s3" && p.Kind == engine.ProblemUnowned }) {
		t.Errorf("problems %v", p.Problems)
	}
	for _, change := range p.Report.Changes {
		if (change.Action == diff.Created) != (change.Object.Name != "s3") {
			t.Errorf("%s is %s", change.Object, change.Action)
		}
	}
	if n := of(http.MethodGet, false); n != 1 {
		t.Errorf("%d reads of one that exists", n)
	}
}
