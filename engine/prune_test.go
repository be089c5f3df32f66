package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
)

// numbered is a chart of ConfigMaps, from .Values.from to .Values.to.
const numbered = `
{{- range $i := untilStep (int .Values.from) (int .Values.to) 1 }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: n-{{ $i }}
  annotations: {{ $.Values.annotations | default dict | toJson }}
{{- end }}
`

func TestPruneIsGuarded(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": numbered})
	span := func(from, to int) engine.Release {
		return f.release(c, fmt.Sprintf("from=%d,to=%d", from, to))
	}
	refused := func(r engine.Release, want string) {
		t.Helper()
		f.requests.Reset()
		_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
		var problem engine.Problem
		if !errors.As(err, &problem) || problem.Kind != engine.ProblemPrune || !strings.Contains(problem.Message, want) {
			t.Errorf("returned %v, want a problem that says %q", err, want)
		}
		if w := f.writes(); len(w) > 0 {
			t.Errorf("wrote %v", w)
		}
	}
	f.deploy(span(0, 8))
	refused(span(0, 3), "5 of 8 objects")
	refused(span(8, 16), "8 of 8 objects") // all have other names
	refused(span(0, 0), "the manifest is empty")
	f.deploy(span(0, 4)) // half
	f.deploy(span(0, 1)) // a tiny release
	refused(span(0, 0), "the manifest is empty")
	everything := span(0, 0)
	everything.UnsafePrune = true
	f.deploy(everything)
	left, err := f.client.CoreV1().ConfigMaps(f.namespace).List(f.ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=Helm"})
	if err != nil || len(left.Items) > 0 {
		t.Errorf("left are %v, %v", left.Items, err)
	}
	// A rollback was deployed before, so it is not guarded, in either direction.
	if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := f.engine.Rollback(f.ctx, f.key, 3, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
}

// Kept objects are not deleted, so they do not count for the guard.
func TestKeptObjectsDoNotCountAsPruned(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": numbered})
	f.deploy(f.release(c, "from=0,to=8", `annotations.helm\.sh/resource-policy=keep`))
	f.deploy(f.release(c, "from=0,to=0"))
	left, err := f.client.CoreV1().ConfigMaps(f.namespace).List(f.ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=Helm"})
	if err != nil || len(left.Items) != 8 {
		t.Errorf("%d are left, %v", len(left.Items), err)
	}
}

// With foreground propagation a Deployment is deleted after its pods.
func TestForegroundDeletion(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap, "b.yaml": "{{ if .Values.web }}" + deployment + "{{ end }}"})
	f.deploy(f.release(c, "web=true"))
	f.edit("deployments", "shop", "test", `{"metadata":{"finalizers":["example.com/look"]}}`) // so that its deletion can be observed
	if _, err := f.engine.Deploy(f.ctx, f.release(c, "web=false"), engine.ApplyOptions{Foreground: true}); err != nil {
		t.Fatal(err)
	}
	d, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "shop", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(d.Finalizers, " "), metav1.FinalizerDeleteDependents) {
		t.Errorf("it goes with finalizers %v", d.Finalizers)
	}
	f.edit("deployments", "shop", "test", `{"metadata":{"finalizers":null}}`)
}
