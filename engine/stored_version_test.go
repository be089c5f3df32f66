package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// rays is a definition whose versions change outside of the release.
type rays struct {
	*fixture
	group string
}

func (r rays) version(name string, served, storage bool, fields ...string) string {
	properties := make([]string, len(fields))
	for i, field := range fields {
		properties[i] = fmt.Sprintf(`%q: {"type": "string"}`, field)
		if field == "fresh" {
			properties[i] = `"fresh": {"type": "string", "default": "x"}`
		}
	}
	return fmt.Sprintf(`{"name": %q, "served": %v, "storage": %v, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {%s}}}}}}`,
		name, served, storage, strings.Join(properties, ", "))
}

func (r rays) patch(text string, subresources ...string) {
	r.Helper()
	client := dynamic.NewForConfigOrDie(r.cluster.Config()).Resource(crds)
	if _, err := client.Patch(r.ctx, "rays."+r.group, types.MergePatchType, []byte(text), metav1.PatchOptions{}, subresources...); err != nil {
		r.Fatal(err)
	}
}

func (r rays) setVersions(versions ...string) {
	r.Helper()
	r.patch(`{"spec": {"versions": [` + strings.Join(versions, ", ") + `]}}`)
}

// release is a release of one object.
func (r rays) release(version, spec string) engine.Release {
	return r.fixture.release(r.chart(map[string]string{
		"ray.yaml": "apiVersion: " + r.group + "/" + version + "\nkind: Ray\nmetadata: {name: r}\nspec: " + spec + "\n", "config.yaml": configMap,
	}))
}

// newRays creates the definition with version v1alpha1, and deploys an object of
// it.
func newRays(t *testing.T) rays {
	t.Helper()
	f := newFixture(t)
	r := rays{f, f.namespace + ".example.com"}
	f.make(crds, "", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: rays."+r.group+"}\nspec: {group: "+r.group+", scope: Namespaced, names: {plural: rays, singular: ray, kind: Ray}, versions: ["+r.version("v1alpha1", true, true, "old", "both")+"]}\n")
	f.deleteCRD("rays." + r.group)
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := f.engine.Deploy(ctx, r.release("v1alpha1", "{old: a, both: b}"), engine.ApplyOptions{NoWait: true})
		return err
	})
	return r
}

// An object in a version that is no longer served, and whose schema lacks what
// the chart sets now, or what has a default now, is written in the new one; going
// back to a revision in the old version, too.
func TestObjectInAVersionThatIsNoLongerServed(t *testing.T) {
	r := newRays(t)
	r.setVersions(r.version("v1alpha1", false, false, "old", "both"), r.version("v1", true, true, "both", "fresh", "more"))
	path := r.group + "/v1/rays/r"
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		return r.client.CoreV1().RESTClient().Get().AbsPath(r.path(path)).Do(ctx).Error()
	})
	r.engine = r.newEngine(r.config)
	for _, spec := range []string{"{both: c, more: d}", "{both: e}"} {
		next := r.release("v1", spec)
		testcluster.Eventually(t, time.Minute, func(ctx context.Context) error { // its schema is published a moment later
			_, err := r.engine.Deploy(ctx, next, engine.ApplyOptions{NoWait: true})
			return err
		})
		r.settled(next)
	}
	if o := r.object(path); at(o, "spec", "both") != "e" || at(o, "spec", "more") != nil || at(o, "spec", "fresh") != "x" {
		t.Errorf("live is %v", o["spec"])
	}
	p, err := r.engine.PlanRollback(r.ctx, r.key, 1, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(p.Report.Warnings, "\n"); p.Err() != nil || !strings.Contains(text, "it is applied as "+r.group+"/v1") {
		t.Errorf("%v, warnings are %s", p.Err(), text)
	}
	if _, err := r.engine.Apply(r.ctx, p, engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	if o := r.object(path); at(o, "spec", "both") != "b" {
		t.Errorf("live is %v", o["spec"])
	}
	report, err := r.engine.Drift(r.ctx, r.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Changes {
		if c.Changed() {
			t.Errorf("drift: %s %v", c.Object, c.Fields)
		}
	}
}

// An object that is stored in a version that its definition no longer has cannot
// be read: the error says what to do, and comes at once.
func TestObjectInAVersionThatIsGone(t *testing.T) {
	r := newRays(t)
	r.setVersions(r.version("v1alpha1", true, false, "old", "both"), r.version("v1", true, true, "both"))
	r.patch(`{"status": {"storedVersions": ["v1"]}}`, "status")
	r.setVersions(r.version("v1", true, true, "both"))
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		err := r.client.CoreV1().RESTClient().Get().AbsPath(r.path(r.group + "/v1/rays/r")).Do(ctx).Error()
		if err == nil || !strings.Contains(err.Error(), "invalid group/version") {
			return fmt.Errorf("it is still read: %w", err)
		}
		return nil
	})
	e := r.newEngine(r.config)
	begun := time.Now()
	r.requests.Reset()
	_, err := e.Deploy(r.ctx, r.release("v1", "{both: c}"), engine.ApplyOptions{NoWait: true})
	r.refused(err, nil, "Ray "+r.namespace+"/r", "it is stored as "+r.group+"/v1alpha1", "add that version to it again")
	r.refused(e.Uninstall(r.ctx, r.key, engine.ApplyOptions{}), nil, "it is stored as "+r.group+"/v1alpha1")
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	r.setVersions(r.version("v1alpha1", false, false, "old", "both"), r.version("v1", true, true, "both"))
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error { // as the hint says
		_, err := e.Deploy(ctx, r.release("v1", "{both: c}"), engine.ApplyOptions{NoWait: true})
		return err
	})
}

// A definition that loses its last label or annotation loses just that.
func TestDefinitionLosesItsLastAnnotation(t *testing.T) {
	f := newFixture(t)
	group := f.namespace + ".example.com"
	crd := strings.ReplaceAll(typedCRD, "GROUP", group)
	f.deleteCRD("rays." + group)
	release := func(metadata string) engine.Release {
		return f.release(f.chart(map[string]string{"crds/ray.yaml": strings.Replace(crd, "metadata: {name: rays."+group+"}", "metadata: {name: rays."+group+metadata+"}", 1), "config.yaml": configMap}))
	}
	f.deploy(release(", annotations: {a: b}, labels: {c: d}"))
	p := f.plan(release(""))
	var paths []string
	for _, c := range p.Report.Changes {
		for _, field := range c.Fields {
			paths = append(paths, field.Path)
		}
		if c.Reason != "" {
			t.Errorf("the reason is %q", c.Reason)
		}
	}
	if got := strings.Join(paths, " "); got != "metadata.annotations metadata.labels" {
		t.Errorf("removed are %s", got)
	}
	f.deploy(release(""))
	f.settled(release(""))
}
