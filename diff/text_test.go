package diff

import (
	"strings"
	"testing"
	"time"
)

// TestTextOfCallersMarks prints the fields that only the caller sets.
func TestTextOfCallersMarks(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 20, 30, 0, time.UTC)
	rep := Report{Warnings: []string{"policy/v1beta1 is gone in 1.25"}, Changes: []Change{
		{Object: Object{Kind: "StatefulSet", Namespace: "shop", Name: "db"}, Action: Replaced, Reason: "spec.serviceName is immutable: the set is deleted, its pods and claims stay, and it is created again",
			Source: "database/templates/statefulset.yaml", Local: true, Warnings: []string{"two pods are not ready"},
			Fields: []Field{{Path: "spec.serviceName", Live: "a", Desired: "b", Cause: Chart, Immutable: true},
				{Path: "spec.replicas", Live: int64(3), Desired: int64(5), Cause: Drift, Manager: "kubectl", Time: &at},
				{Path: "spec.template.spec.containers", Live: []any{`name="a"`, `name="b"`}, Desired: []any{`name="b"`, `name="a"`}, Cause: Chart, Reordered: true}}},
		{Object: Object{Kind: "Service", Namespace: "shop", Name: "db"}, Action: Unchanged},
		{Object: Object{Kind: "Secret", Namespace: "shop", Name: "db"}, Action: Unchanged},
	}}
	const want = `warning: policy/v1beta1 is gone in 1.25

± StatefulSet shop/db                       replace, not confirmed by the server
    database/templates/statefulset.yaml
    spec.serviceName is immutable: the set is deleted, its pods and claims
      stay, and it is created again
    warning: two pods are not ready
  ~ spec.serviceName               a → b  (immutable)
  ~ spec.replicas                  3 → 5
        (drift, set by kubectl at 2026-03-01 10:20:30Z)
  ~ spec.template.spec.containers  [name="a"; name="b"] → [name="b"; name="a"]
        (order changes)

2 objects unchanged

1 to replace, 1 drifted
`
	if got := text(t, rep, TextOptions{Width: 80}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestTextIsInert puts terminal control sequences into every text of a report.
func TestTextIsInert(t *testing.T) {
	evil := "a\x1b[2J\x07\u202eb\r\x00\x9b"
	rep := Report{Title: evil, Warnings: []string{evil}, Changes: []Change{
		{Object: Object{Kind: evil, Name: evil}, Action: Updated, Reason: evil, Source: evil, Warnings: []string{evil},
			Fields: []Field{{Path: "data.a", Live: evil, Desired: evil + "\n" + evil, Cause: Conflict, Manager: evil},
				{Path: evil, Live: evil, Desired: map[string]any{evil: evil}, Cause: Chart}}},
		{Object: Object{Kind: "Service", Name: "a"}, Action: Created, Fields: []Field{{Path: "spec", Desired: map[string]any{"type": evil}, Cause: Chart}}},
	}}
	for _, o := range []TextOptions{{}, {Verbose: true}, {Width: 40}} {
		out := text(t, rep, o)
		if i := strings.IndexAny(out, "\x1b\x07\u202e\r\x00\u009b"); i >= 0 {
			t.Errorf("%+v: control at %q", o, out[max(0, i-20):min(len(out), i+10)])
		}
	}
	if out := markdown(t, rep, MarkdownOptions{}); strings.ContainsAny(out, "\x1b\x07\u202e\r\x00\u009b") {
		t.Errorf("Markdown: %q", out)
	}
}
