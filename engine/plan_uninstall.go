package engine

import (
	"cmp"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// PlanUninstall computes what Uninstall would do, and names what it leaves:
// objects with helm.sh/resource-policy: keep, the claims of StatefulSets, and
// the CRDs of the chart's crds/ directory.
func (e *Engine) PlanUninstall(ctx context.Context, k Key, opts PlanOptions) (*Plan, error) {
	e = e.forCall()
	defer e.events.drain()
	if err := opts.validate(k); err != nil {
		return nil, err
	}
	ctx, asked := cluster.WithRequests(ctx)
	p, err := e.planUninstall(ctx, k, opts.asking())
	return e.planned("plan uninstall", k, p, asked, err)
}

func (e *Engine) planUninstall(ctx context.Context, k Key, a asking) (*Plan, error) {
	h, err := e.besideLive(ctx, k, e.readHistory)
	if err != nil {
		return nil, err
	}
	gone := h.last != nil && h.last.Status == storage.StatusUninstalled
	if h.last == nil || gone && !a.purge {
		return nil, notFound("uninstall", k)
	}
	if gone {
		return &Plan{Kind: PlanUninstall, Key: k, work: &work{history: h, historyOnly: true, storage: e.opts.Storage}}, nil
	}
	p := e.premise(premise{key: k, mode: uninstalling, asking: a, history: h, hidden: hookObjects(h.last)}, Release{})
	left := readNotes(h.last)
	begun := Plan{
		Kind: PlanUninstall, Chart: chartName(h.last.Chart.Name, h.last.Chart.Version),
		work: &work{
			noted:   noted{RenderedAt: left.RenderedAt, Upgrade: left.Upgrade, Reverts: a.revertsFrom, Why: cmp.Or(left.Why, h.last.Description)},
			resumes: a.resumes() && h.last.Status == storage.StatusUninstalling && left.Resumable && left.Kind == PlanUninstall,
		},
	}
	out, err := e.plan(ctx, p, wanted{}, begun, "delete")
	if err == nil && a.purpose == forReview {
		var staying []diff.Change
		staying, err = e.stayingDefinitions(ctx, k, h.last)
		out.Report.Changes = append(out.Report.Changes, staying...)
	}
	return out, err
}

// stayingDefinitions are the CRDs of the chart's crds/ directory, which are in
// no manifest and stay, as with Helm. Without the permission to read them they
// are treated as existing.
func (e *Engine) stayingDefinitions(ctx context.Context, k Key, last *storage.Record) ([]diff.Change, error) {
	files, err := last.Definitions()
	if err != nil {
		return nil, fmt.Errorf("read the stored chart: %w", err)
	}
	var out []diff.Change
	for _, f := range files {
		objects, err := parseManifest(string(f.Data))
		if err != nil {
			continue // nor was it installed
		}
		for _, o := range objects {
			t, err := e.target(ctx, k, o.Unstructured, f.Name)
			if err != nil || !t.isDefinition() {
				continue
			}
			_, err = e.cluster.Resource(t.mapping, "").Get(ctx, t.id.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				continue
			}
			out = append(out, diff.Change{
				Object: t.id, Action: diff.Kept, Source: f.Name,
				Reason: "a CRD of the chart's crds/ directory stays, and with it all objects of its kind",
			})
		}
	}
	return out, nil
}
