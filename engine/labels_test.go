package engine_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
)

// Labels of a release are stored as Helm stores them: kept, merged, removed by
// "null", and listed; a call's own cause and labels are recorded without being
// part of the plan.
func TestReleaseLabelsAndCauses(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"config.yaml": configMap})
	r := f.release(c)
	r.Cause, r.Labels = "first", map[string]string{"team": "shop", "tier": "test"}
	rev := f.deploy(r)
	want := func(rev *engine.Revision, revision int, cause string, labels map[string]string) {
		t.Helper()
		if rev.Revision != revision || rev.Cause != cause || !maps.Equal(rev.Labels, labels) {
			t.Errorf("revision %d with cause %q and labels %v, want %d, %q, %v", rev.Revision, rev.Cause, rev.Labels, revision, cause, labels)
		}
	}
	want(rev, 1, "first", r.Labels)
	if got := f.revisionSecret(1).Labels; got["team"] != "shop" || got["owner"] != "helm" {
		t.Errorf("labels of the Secret: %v", got)
	}

	// A plan that is stored, and applied with a cause and labels that it does not
	// have.
	r = f.release(c, "colour=red")
	r.Cause = "second"
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(p.Report.Notes, "\n"); strings.Contains(text, "labels") {
		t.Errorf("labels that stay are noted: %s", text)
	}
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var stored engine.Plan
	if err := json.Unmarshal(data, &stored); err != nil {
		t.Fatal(err)
	}
	rev, err = f.engine.Apply(f.ctx, &stored, engine.ApplyOptions{Release: &r, Cause: "approved by Ada", Labels: map[string]string{"commit": "0abc", "tier": "null"}})
	if err != nil {
		t.Fatal(err)
	}
	now := map[string]string{"team": "shop", "commit": "0abc"}
	want(rev, 2, "approved by Ada", now)

	// Neither is a change of its own, unlike a label of the release.
	rev, err = f.engine.Deploy(f.ctx, r, engine.ApplyOptions{Cause: "again", Labels: map[string]string{"commit": "1def"}})
	if err != nil {
		t.Fatal(err)
	}
	want(rev, 2, "approved by Ada", now)
	r.Labels = map[string]string{"team": "store"}
	if p, err = f.engine.Plan(f.ctx, r, engine.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	if !p.Changed() || !strings.Contains(strings.Join(p.Report.Notes, "\n"), "labels of the release: team=store (was shop)") {
		t.Errorf("the change of a label is planned as %v", p.Report.Notes)
	}
	if rev, err = f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	now["team"] = "store"
	want(rev, 3, "second", now)

	// Those of a plan are compared when it is applied.
	r.Labels = map[string]string{"team": "ops"}
	if p, err = f.engine.Plan(f.ctx, r, engine.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(p); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &stored); err != nil {
		t.Fatal(err)
	}
	r.Labels = map[string]string{"team": "other"}
	var stale *engine.StalePlanError
	if _, err := f.engine.Apply(f.ctx, &stored, engine.ApplyOptions{Release: &r}); !errors.As(err, &stale) {
		t.Errorf("applied with other labels: %v", err)
	}

	if rev, err = f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{Cause: "by hand"}); err != nil {
		t.Fatal(err)
	}
	want(rev, 4, "by hand", map[string]string{"team": "shop", "tier": "test"})
	for selector, n := range map[string]int{"": 1, "team=shop": 1, "team=store": 0, "team,tier notin (prod)": 1, "!team": 0, "owner=helm": 0} {
		listed, err := f.engine.List(f.ctx, engine.ListOptions{Namespace: f.namespace, Selector: selector})
		if err != nil || len(listed) != n {
			t.Errorf("%q selects %v, %v", selector, listed, err)
		}
	}

	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{KeepHistory: true, Cause: "no longer needed", Labels: map[string]string{"ticket": "12"}}); err != nil {
		t.Fatal(err)
	}
	history, err := f.engine.History(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	want(&history[len(history)-1], 4, "no longer needed", map[string]string{"team": "shop", "tier": "test", "ticket": "12"})
}

func TestReleaseLabelsAreChecked(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	for name, labels := range map[string]map[string]string{
		"of Helm": {"status": "deployed"}, "no key": {"": "a"}, "no value": {"a": "b c"},
	} {
		r.Labels = labels
		if _, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{}); !errors.Is(err, engine.ErrInvalidOptions) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{Labels: labels}); !errors.Is(err, engine.ErrInvalidOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.engine.List(f.ctx, engine.ListOptions{Selector: "a=b=c"}); !errors.Is(err, engine.ErrInvalidOptions) {
		t.Errorf("a selector that is none: %v", err)
	}
}
