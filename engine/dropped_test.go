package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
)

// claimFromElsewhere has a data source in another namespace: a feature that is
// off by default in all versions.
const claimFromElsewhere = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {storageClassName: '', accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, dataSourceRef: {apiGroup: example.com, kind: Populator, name: p, namespace: other}}\n"

// A field whose feature is off is in the schema of the API server, which accepts
// it and does not store it: the plan says so, and later plans say it again and
// write nothing.
func TestFieldsThatTheServerDropsAreReported(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"claim.yaml": claimFromElsewhere, "config.yaml": configMap}))
	for _, written := range []bool{false, true} {
		p := f.plan(r)
		for _, c := range p.Report.Changes {
			said := slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.Contains(w, "accepts spec.dataSourceRef, but does not store it") })
			if said != (c.Object.Name == "data") || len(c.Warnings) > 1 {
				t.Errorf("%s %s: warnings are %q", c.Action, c.Object, c.Warnings)
			}
			if written && c.Changed() {
				t.Errorf("%s %s: %v", c.Action, c.Object, c.Fields)
			}
		}
		if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{NoWait: true}); err != nil {
			t.Fatal(err)
		}
	}
	f.settled(r)
}

// Without a dry-run no plan can know it: the deploy says so.
func TestFieldsThatTheServerDropsAreReportedOfWrites(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"claim.yaml": claimFromElsewhere}))
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{DryRun: engine.DryRunNone})
	if err != nil {
		t.Fatal(err)
	}
	f.events.take()
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, e := range f.events.take() {
		if w, ok := e.(engine.Warning); ok && strings.Contains(w.Message, "accepts spec.dataSourceRef, but does not store it") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("there are %d warnings", said)
	}
}
