package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/merge"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// judge decides for each item what becomes of it.
func (pl *planning) judge(ctx context.Context, items []*item, redactor *diff.Redactor) error {
	pl.items, pl.custom = items, pl.customResources(items)
	scalers, err := pl.scalers(ctx, items)
	if err != nil {
		return err
	}
	definitions, rest := apart(items)
	if err := pl.judgeAll(ctx, definitions, scalers, redactor); err != nil {
		return err
	}
	shiftSchemas(definitions, rest)
	return pl.judgeAll(ctx, rest, scalers, redactor)
}

func (pl *planning) judgeAll(ctx context.Context, items []*item, scalers scalers, redactor *diff.Redactor) error {
	work := newLimited(ctx, pl.e.opts.Concurrency)
	for _, it := range items {
		work.do(func(ctx context.Context) error {
			ctx, warned := withWarnings(ctx)
			scalers.yield(it, pl.manager)
			if err := pl.keepReplicas(ctx, it, scalers[identity(it.object)]); err != nil {
				return explain("plan", pl.key, it.object, err)
			}
			if err := pl.judgeOne(ctx, it, redactor); err != nil {
				return hideError(redactor, it.object, explain("plan", pl.key, it.object, err))
			}
			it.change.Source = it.source
			for _, w := range slices.Concat(it.outmoded, warned.texts) {
				it.change.Warnings = appendNew(it.change.Warnings, redactor.String(w))
			}
			return nil
		})
	}
	return work.wait()
}

func (pl *planning) judgeOne(ctx context.Context, it *item, redactor *diff.Redactor) error {
	switch {
	case pl.fence(it):
		return nil
	case it.desired == nil:
		pl.judgeRemoval(it)
		return pl.claimsOfRemoved(ctx, it)
	case pl.leavesDefinition(it) != "":
		it.change = diff.Change{Object: it.object, Action: diff.Unchanged, Reason: pl.leavesDefinition(it)}
		return nil
	case it.live != nil && !it.crd:
		// If not, that is a problem; what would change is shown all the same.
		if err := pl.mayTake(ctx, it); err != nil {
			return err
		}
		pl.mayJoin(it)
	}
	if it.live != nil && it.live.GetDeletionTimestamp() != nil {
		it.problem(ProblemTerminating, "it is being deleted and still there", "wait until it is gone; a finalizer may hold it")
	}
	if !diff.IsBuiltinGroup(it.object.Group) {
		var undecided *merge.UndecidedError
		schema, err := pl.e.c.merger.Schema(ctx, it.mapping.GroupVersionKind)
		if err != nil && !errors.As(err, &undecided) {
			return err
		}
		if err != nil {
			// The API server publishes the schema of a new kind a moment
			// later.
			pl.e.c.merger.Forget(it.mapping.GroupVersionKind.GroupVersion())
		}
		it.schema = schema
	}
	it.keepCause()
	if pl.back {
		it.keepSizes()
	}
	f, err := pl.predict(ctx, it, redactor)
	if err != nil {
		return err
	}
	if it.base != nil && hasCause(it.object) && it.base.GetAnnotations()[annotationCause] == "" && it.live != nil {
		// The stored manifest does not hold the cause that was applied with
		// it; what is live is what was applied.
		setAnnotation(it.base, annotationCause, it.live.GetAnnotations()[annotationCause])
	}
	if !f.confirmed {
		it.fillTemplates(f.merged)
	}
	change, err := pl.compare(it, f.merged, redactor)
	if err == nil && !pl.told && it.settleCause(pl.cause, pl.manager, f, change) {
		change, err = pl.compare(it, f.merged, redactor)
	}
	if err != nil {
		return err
	}
	change.Local = !f.confirmed
	if change.Action == diff.Adopted && (it.crd || owner(it.live) == pl.key) {
		change.Action = diff.Unchanged
		if len(change.Fields) > 0 {
			change.Action = diff.Updated
		}
	}
	if err := pl.checkDefinition(ctx, it, f.merged); err != nil {
		return err
	}
	if len(it.notes) > 0 {
		change.Warnings = append(change.Warnings, it.notes...)
	}
	it.change = change
	if err := pl.settleImmutable(ctx, it, f, redactor); err != nil {
		return err
	}
	if err := pl.checkStorage(ctx, it, f); err != nil {
		return err
	}
	if conflicts := change.Conflicts(); len(conflicts) > 0 && !it.force {
		var managers, fields []string
		for _, f := range conflicts {
			managers, fields = appendNew(managers, f.Manager), append(fields, f.Path)
		}
		it.conflict(managers, fields)
	}
	return nil
}

// compare is the change that merged makes. A nil redactor is for those who
// only count its fields.
func (pl *planning) compare(it *item, merged *unstructured.Unstructured, redactor *diff.Redactor) (diff.Change, error) {
	var former []string
	if merged != it.live { // or no field differs, and it does not matter whose they are
		former = pl.formerManagers(it.live)
	}
	base := it.base
	if it.unwritten {
		base = nil
	}
	return diff.Compare(
		diff.Input{Object: it.object, Base: base, Live: it.live, Desired: it.desired, Merged: merged, Manager: pl.manager},
		diff.Options{
			Schema: it.schema, Secrets: redactor, FormerManagers: former, Force: pl.force,
			Takes: func(manager, path string) bool {
				return path == diff.FormatPath(causePath) && !it.ownCause || pl.settle(manager, path, it.object) == Take
			},
		},
	)
}

// judgeRemoval decides about an object that an earlier revision applied and
// that is no longer wanted.
func (pl *planning) judgeRemoval(it *item) {
	switch o := it.object; {
	case it.live == nil:
		// Gone already: nothing to say.
	case owner(it.live) != pl.key:
		who := "no release"
		if other := owner(it.live); other != (Key{}) {
			who = "release " + other.String()
		}
		it.change = diff.Change{Object: o, Action: diff.Kept, Reason: "it left the manifest, but belongs to " + who + " now"}
	case keeps(it.live) || keeps(it.base):
		it.change = diff.Change{Object: o, Action: diff.Kept, Reason: annotationPolicy + " is " + resourcePolicyKeep}
	default:
		it.change = diff.Change{Object: o, Action: diff.Deleted}
	}
}

// mayTake makes a problem of a live object that is not the release's and may
// not become so.
func (pl *planning) mayTake(ctx context.Context, it *item) error {
	other := owner(it.live)
	switch {
	case other == pl.key, pl.adopt && other == (Key{}):
		return nil
	case other == (Key{}):
		it.problem(ProblemUnowned, "it exists already and belongs to no release", "set Release.Adopt to take it over, or rename it")
		return nil
	}
	gone, err := pl.e.gone(ctx, other)
	switch {
	case err != nil:
		return err
	case !gone:
		it.problem(ProblemOwned, fmt.Sprintf("it belongs to release %s", other), "rename it here, or remove it there first")
	case !pl.adopt:
		it.problem(ProblemUnowned, fmt.Sprintf("it was kept from release %s, which is uninstalled", other), "set Release.Adopt to take it over, or rename it")
	}
	return nil
}

// gone says whether a release that left its mark on an object is uninstalled.
// Where that cannot be known it is not.
func (e *Engine) gone(ctx context.Context, k Key) (bool, error) {
	if k.validate() != nil {
		return false, nil
	}
	metas, err := e.store.HistoryMeta(ctx, k.Namespace, k.Name)
	if apierrors.IsForbidden(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the history of release %s: %w", k, err)
	}
	return len(metas) == 0 || metas[len(metas)-1].Status == storage.StatusUninstalled, nil
}

func plural(managers []string) string {
	if len(managers) == 1 {
		return "s"
	}
	return ""
}

func (it *item) problem(kind ProblemKind, message, hint string) {
	it.problems = append(it.problems, Problem{Kind: kind, Object: it.object, Message: message, Hint: hint})
}

func (it *item) has(kind ProblemKind) bool {
	return slices.ContainsFunc(it.problems, func(p Problem) bool { return p.Kind == kind })
}
