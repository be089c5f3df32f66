package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

func (e *Engine) planUninstall(ctx context.Context, k Key, opts PlanOptions) (*Plan, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	past, err := e.readPast(ctx, k)
	if err != nil {
		return nil, err
	}
	if past.last == nil || past.last.Status == storage.StatusUninstalled {
		return nil, notFound("uninstall", k)
	}
	pl := &planning{e: e, key: k, opts: opts, manager: e.opts.FieldManager, past: past, hooks: hookObjects(past.last)}
	items, redactor, err := pl.objects(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Kind: PlanUninstall, Key: k,
		Chart: chartName(past.last.Chart.Name, past.last.Chart.Version),
		work:  &work{last: past.last, history: past.metas, items: items, redactor: redactor},
	}
	if err := pl.finish(ctx, p, "delete"); err != nil {
		return nil, err
	}
	claims, err := e.claims(ctx, k, items)
	if err != nil {
		return nil, err
	}
	p.Report.Changes = append(p.Report.Changes, claims...)
	return p, nil
}

// claims names the PersistentVolumeClaims that the release's StatefulSets
// have made from their templates, and that stay when they are deleted.
func (e *Engine) claims(ctx context.Context, k Key, items []*item) ([]diff.Change, error) {
	var out []diff.Change
	for _, it := range items {
		if it.object.Kind != "StatefulSet" || it.live == nil || it.change.Action != diff.Deleted {
			continue
		}
		templates, _, _ := unstructured.NestedSlice(it.live.Object, "spec", "volumeClaimTemplates")
		if len(templates) == 0 {
			continue
		}
		policy, _, _ := unstructured.NestedString(it.live.Object, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted")
		list, err := e.c.typed.CoreV1().PersistentVolumeClaims(it.object.Namespace).List(ctx, metav1.ListOptions{})
		if apierrors.IsForbidden(err) {
			out = append(out, diff.Change{
				Object: diff.Object{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: it.object.Namespace, Name: "(of " + it.object.Name + ")"},
				Action: diff.Kept, Reason: "claims of a StatefulSet stay; without the right to list them their names are not known",
			})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list the claims of %s: %w", it.object, err)
		}
		for _, claim := range list.Items {
			if !claimOf(claim.Name, it.object.Name, templates) {
				continue
			}
			size := claim.Status.Capacity.Storage().String()
			c := diff.Change{
				Object: diff.Object{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name},
				Action: diff.Kept, Reason: fmt.Sprintf("its data (%s) outlives the StatefulSet; delete the claim to delete the data", size),
			}
			if policy == "Delete" {
				c.Action, c.Reason = diff.Deleted, "persistentVolumeClaimRetentionPolicy.whenDeleted is Delete"
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// claimOf knows the names that the StatefulSet controller gives its claims:
// TEMPLATE-STATEFULSET-ORDINAL.
func claimOf(claim, statefulSet string, templates []any) bool {
	for _, t := range templates {
		t, _ := t.(map[string]any)
		name, _, _ := unstructured.NestedString(t, "metadata", "name")
		if ordinal, ok := strings.CutPrefix(claim, name+"-"+statefulSet+"-"); ok {
			if _, err := strconv.ParseUint(ordinal, 10, 31); err == nil {
				return true
			}
		}
	}
	return false
}

// uninstall deletes what the release has, then its history.
func (r *run) uninstall(ctx context.Context) (*Revision, error) {
	r.record = r.w.last
	r.record.Status = storage.StatusUninstalling
	r.record.Description = describe(r.p, "in progress")
	err := r.e.store.Update(ctx, r.record)
	if errors.Is(err, storage.ErrChanged) || errors.Is(err, storage.ErrNotFound) {
		err = errRaced
	}
	if err != nil {
		return nil, explain("uninstall", r.p.Key, diff.Object{}, err)
	}
	r.e.events.emit(Planned{about(r.p.Key), r.p.Report.Summary(), countChanged(r.p.Report)})
	r.e.events.emit(Recorded{about(r.p.Key), r.record.Revision, StatusUninstalling})

	var items []*item
	var targets []readiness.Target
	for _, it := range r.w.items {
		if it.change.Action == "" {
			continue
		}
		items = append(items, it)
		if it.change.Action == diff.Deleted {
			targets = append(targets, target(it))
		}
	}
	steps := []func() error{
		func() error { return r.hooks(ctx, "pre-delete") },
		func() error { return r.removeStages(ctx, items) },
		func() error {
			if r.opts.NoWait {
				return nil
			}
			ctx, cancel := context.WithTimeout(ctx, r.opts.timeout())
			defer cancel()
			if err := readiness.WaitGone(ctx, targets, r.e.waitOptions()); err != nil {
				return notReady(r.p.Key, r.record.Revision, r.w.redactor, err)
			}
			return nil
		},
		func() error { return r.hooks(ctx, "post-delete") },
	}
	var failure error
	for _, step := range steps {
		if failure = r.lock.check(ctx); failure == nil {
			failure = step()
		}
		if failure != nil {
			break
		}
	}
	r.skipRest(ctx)
	r.tellClaims(failure)
	if r.lock.lost() {
		return revisionOf(r.record), lostError(r.p.Key)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
	defer cancel()
	if err := r.endUninstall(end, failure); err != nil {
		failure = errors.Join(failure, explain("record", r.p.Key, diff.Object{}, err))
	}
	return revisionOf(r.record), failure
}

// tellClaims tells what becomes of the claims that no manifest names.
func (r *run) tellClaims(failure error) {
	items := map[diff.Object]bool{}
	for _, it := range r.w.items {
		items[it.object] = true
	}
	for _, c := range r.p.Report.Changes {
		switch {
		case items[c.Object]:
		case c.Action == diff.Kept:
			r.e.events.emit(Kept{about(r.p.Key), c.Object, c.Reason})
		case failure != nil:
			r.e.events.emit(Skipped{about(r.p.Key), c.Object, "something before it failed"})
		default: // its StatefulSet takes it along
			r.e.events.emit(Applied{about(r.p.Key), c.Object, c.Action, 0})
		}
	}
}

func (r *run) endUninstall(ctx context.Context, failure error) error {
	if failure != nil {
		// Still "uninstalling": the next Uninstall goes on from there.
		r.record.Description = r.w.redactor.String(describe(r.p, "failed: "+oneLine(failure.Error())))
		return r.e.store.Update(ctx, r.record)
	}
	r.record.Status = storage.StatusUninstalled
	r.record.Description = describe(r.p, "complete")
	r.record.Deleted = time.Now()
	if r.opts.KeepHistory {
		if err := r.e.store.Update(ctx, r.record); err != nil {
			return err
		}
	} else {
		// The newest last: as long as it stands, the release can be found and
		// uninstalled again.
		for _, m := range r.w.history {
			if err := r.e.store.Delete(ctx, m.Namespace, m.Name, m.Revision); err != nil {
				return err
			}
		}
	}
	r.e.events.emit(Recorded{about(r.p.Key), r.record.Revision, StatusUninstalled})
	return nil
}
