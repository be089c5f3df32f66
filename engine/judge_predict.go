package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/merge"
)

// prediction is what applying an object would do.
type prediction struct {
	body *unstructured.Unstructured // to apply, without the fields that are yielded
	// merged is the object after the apply; nil: not known.
	merged *unstructured.Unstructured
	// confirmed: merged is the API server's own result, or as good.
	confirmed bool
	settled   bool // live has exactly the fields of body, and the release owns them
	proven    bool // a dry-run was accepted
	force     bool
	takeOver  *merge.Former
	pending   bool // the kind is not served after all
	// twice: only a second apply gives what is desired; see needsSecond.
	twice bool
	// overwrite is what the live object is patched into first; nil: it is not.
	overwrite *unstructured.Unstructured

	conflict *conflictOf // nil: none
	refusal  refusal
	missing  []Permission
	notes    []string
}

// conflictOf are fields that other managers own and that no policy settles.
type conflictOf struct{ managers, fields []string }

func (c *conflictOf) problem(o diff.Object) Problem {
	verb := "own"
	if len(c.managers) == 1 {
		verb = "owns"
	}
	return newProblem(ProblemConflict, o,
		fmt.Sprintf("%s %s fields that would change: %s", strings.Join(c.managers, ", "), verb, strings.Join(c.fields, ", ")),
		"leave these fields out of the chart, resolve them by Options.Ownership, or take them with Force, of the Release or the options of the call", c.fields...)
}

// predict works out what applying would make of the object: of a new one by a
// dry-run, of others first by a local merge with the API server's schema, and where
// that shows a change or cannot decide, by a dry-run as well.
func (j *judge) predict(ctx context.Context, in intended) (prediction, error) {
	if in.live == nil && j.asking.purpose.trusts(in.body) {
		return prediction{body: in.body}, nil
	}
	if in.live != nil && j.asking.DryRun != DryRunAll && merge.Settled(in.live, in.body, j.manager, j.mayBeFormer) {
		return prediction{body: in.body, merged: in.live, confirmed: j.mayAsk(in.object), settled: true}, nil
	}
	ask := j.mayAsk(in.object)
	unasked := prediction{body: in.body}
	if in.live == nil && ask { // there is nothing to merge it with, and no schema is needed
		f, known, err := j.askServer(ctx, in, unasked, merge.Result{})
		if err != nil {
			return prediction{}, err
		}
		if known {
			return j.cured(ctx, in, f)
		}
		unasked, ask = f, false
	}
	f, local, err := j.mergeLocally(ctx, in)
	f.missing, f.notes, f.pending = unasked.missing, append(unasked.notes, f.notes...), unasked.pending
	var invalid *merge.InvalidError
	var undecided *merge.UndecidedError
	switch {
	case errors.As(err, &invalid) && j.shifting[in.groupKind()]:
		return f, nil // by the schema that is about to change
	case errors.As(err, &invalid), errors.As(err, &undecided):
	case err != nil:
		return prediction{}, err
	}
	if err == nil && ask && j.asking.DryRun != DryRunAll {
		if ask, err = j.worthAsking(in, f, local); err != nil {
			return prediction{}, err
		}
		f.confirmed = !ask
	}
	if ask {
		asked, known, err := j.askServer(ctx, in, f, local)
		if isOutdated(err) && in.live != nil && !in.reversion {
			in.reversion = true
			return j.predict(ctx, in)
		}
		if err != nil {
			return prediction{}, err
		}
		if f = asked; known {
			return j.cured(ctx, in, f)
		}
	}
	if f, err = j.cured(ctx, in, f); err != nil {
		return prediction{}, err
	}
	if invalid != nil { // and the API server could not be asked
		local := refusalOf(in.id, in.live != nil, invalid.Err, j.redactor)
		f.refusal.text, f.refusal.problems = local.text, append(f.refusal.problems, local.problems...)
	}
	return f, nil
}

// askServer asks the API server by a dry-run. known is false where the
// credentials may not ask.
func (j *judge) askServer(ctx context.Context, in intended, f prediction, local merge.Result) (out prediction, known bool, err error) {
	// A dry-run of the apply would leave to the former managers what is to be
	// removed, and fail where that excludes what is added.
	losesFormer := f.takeOver != nil && (len(local.Removed) > 0 || in.reversion)
	if losesFormer {
		merged, err := j.askPatch(ctx, in, local.Merged)
		if err != nil {
			return f, false, err
		}
		if merged == nil && in.reversion { // a dry-run of the apply would fail as before
			return f, false, nil
		}
		if merged != nil {
			if !diff.IsBuiltinGroup(in.id.Group) {
				// A list that an apply empties becomes null, which the schema of a
				// custom resource refuses.
				f.overwrite = local.Merged
			}
			f.merged, f.confirmed, f.proven = merged, true, true
			return f, true, nil
		}
	}
	f, merged, known, err := j.askApply(ctx, in, f)
	if err != nil {
		return f, false, err
	}
	if merged != nil && !losesFormer {
		f.merged, f.confirmed = merged, true
		f, err = j.needsSecond(ctx, in, f)
		return f, true, err
	}
	// Where former managers lose fields an accepted dry-run shows the wrong
	// result, so the local merge stands, and is not confirmed.
	return f, known, nil
}

// needsSecond works out whether a second apply changes anything. The first one
// removes, in the API version in which the release applied the object before,
// what is no longer desired, and what cannot be expressed in that version loses
// its order or its place.
func (j *judge) needsSecond(ctx context.Context, in intended, f prediction) (prediction, error) {
	if in.live == nil {
		return f, nil
	}
	if to := in.withoutV2(f.merged); to != nil {
		merged, err := j.askPatch(ctx, in, to)
		if merged != nil {
			f.merged, f.overwrite = merged, to
		}
		return f, err
	}
	if !slices.ContainsFunc(in.live.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == j.manager && e.Operation == metav1.ManagedFieldsOperationApply && e.APIVersion != f.body.GetAPIVersion()
	}) {
		return f, nil
	}
	res, err := j.merger.Merge(ctx, merge.Request{Live: f.merged, Desired: f.body, Base: f.body, Manager: j.manager, Force: true})
	var undecided *merge.UndecidedError
	if errors.As(err, &undecided) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if !jsonEqual(withoutServerFields(res.Merged).Object, withoutServerFields(f.merged).Object) {
		f.merged, f.twice = res.Merged, true
	}
	return f, nil
}

// worthAsking reports whether a dry-run of an object that was merged locally
// can find out more than the merge has.
func (j *judge) worthAsking(in intended, f prediction, local merge.Result) (bool, error) {
	change, err := j.compare(in, f, local.Merged, nil)
	if err != nil {
		return false, err
	}
	// In a custom resource null may be removed, which no comparison shows, and a
	// default take its place.
	uncovered := len(local.Removed) > 0 && !diff.IsBuiltinGroup(in.id.Group)
	if len(change.Fields) == 0 && len(local.Conflicts) == 0 && !uncovered {
		return false, nil
	}
	if j.asking.purpose != immediate {
		return true, nil
	}
	// Plain data is about to be written, and can just as well be refused then.
	return f.takeOver != nil || len(local.Conflicts) > 0 || !isPlain(in.body) || !isOrdinary(in.body) || !holdsOrdinary(local.Merged) || isImmutable(in.live), nil
}

// mergeLocally is tryMerge with a schema that is up to date: a
// CustomResourceDefinition or the API server may have changed since it was read.
func (j *judge) mergeLocally(ctx context.Context, in intended) (prediction, merge.Result, error) {
	f, res, err := j.tryMerge(ctx, in)
	var invalid *merge.InvalidError
	if errors.Is(err, merge.ErrLive) || errors.As(err, &invalid) && !diff.IsBuiltinGroup(in.id.Group) {
		j.merger.Forget(in.mapping.GroupVersionKind.GroupVersion())
		return j.tryMerge(ctx, in)
	}
	return f, res, err
}

// tryMerge merges as the API server would, and settles who gets which field:
// those of former managers become the release's own, others are taken or yielded
// by policy, the rest is a conflict.
func (j *judge) tryMerge(ctx context.Context, in intended) (prediction, merge.Result, error) {
	f := prediction{body: in.body}
	if in.pending && in.live == nil || in.readAs != nil {
		return f, merge.Result{}, &merge.UndecidedError{GVK: in.mapping.GroupVersionKind, Name: in.id.Name, Reason: merge.ErrNoSchema}
	}
	live, former := in.live, j.formerOf(in)
	if live != nil {
		taken, err := j.merger.TakeOver(ctx, live, j.manager, former)
		if err != nil {
			return f, merge.Result{}, err
		}
		if taken != live {
			f.takeOver = &former
		}
		live = taken
	}
	req := merge.Request{
		Live: live, Desired: in.body, Base: former.Base, Manager: j.manager,
		Yield: func(c merge.Conflict) bool { return j.settle(in.object, c.Manager, c.Path) == Yield },
	}
	res, err := j.merger.Merge(ctx, req)
	if err != nil {
		return f, merge.Result{}, err
	}
	f.merged = res.Merged
	if res.Desired != nil {
		f.body = res.Desired
		for _, c := range res.Yielded {
			f.notes = append(f.notes, fmt.Sprintf("%s is left to %s", c.Path, c.Manager))
		}
	}
	for _, c := range res.Conflicts {
		if slices.Contains(former.Managers, c.Manager) || j.settle(in.object, c.Manager, c.Path) == Take {
			continue
		}
		if f.conflict == nil {
			f.conflict = &conflictOf{}
		}
		f.conflict.managers, f.conflict.fields = appendNew(f.conflict.managers, c.Manager), appendNew(f.conflict.fields, c.Path)
	}
	f.force = len(res.Conflicts) > 0 && f.conflict == nil
	return f, res, nil
}

// askPatch asks what would become of the live object if it were changed into
// merged; nil: not known. Fields of former managers are removed only once they
// have been taken over, which a dry-run of the apply does not do.
func (j *judge) askPatch(ctx context.Context, in intended, merged *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	u, err := j.tryPatch(ctx, in, merged)
	if err != nil && (apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsNotFound(err) || isAdmission(err)) {
		return nil, nil // a dry-run of the apply gives the reason
	}
	return u, err
}

// tryPatch changes the live object into another, as a dry-run.
func (j *judge) tryPatch(ctx context.Context, in intended, to *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	patch, err := mergePatch(in.live, to)
	if err != nil {
		return nil, err
	}
	return j.dryRun.dryRunPatch(ctx, in.target, patch)
}

// askApply asks what applying would make of the object. known is false
// without the permission to ask; merged is nil then, and where the API server
// refuses, which f.refusal says.
func (j *judge) askApply(ctx context.Context, in intended, f prediction) (out prediction, merged *unstructured.Unstructured, known bool, err error) {
	if in.asked != nil && in.asked.body == f.body {
		f.proven = true
		return f, in.asked.created, true, nil
	}
	// The report shows what the object would be if it were forced.
	force := f.force || f.takeOver != nil || f.conflict != nil
	merged, err = j.dryRun.dryRunApply(ctx, in.target, f.body, force)
	if apierrors.IsConflict(err) && !force {
		// No merge was done here, or another manager wrote in between.
		managers, fields := conflictManagers(err)
		former := j.formerManagers(in.live)
		f.force = len(managers) > 0 && !slices.ContainsFunc(managers, func(m string) bool {
			return !slices.Contains(former, m) && !j.takesAll(in.object, m, fields)
		})
		if !f.force {
			f.conflict = &conflictOf{managers, fields}
		}
		merged, err = j.dryRun.dryRunApply(ctx, in.target, f.body, true)
	}
	switch {
	case err == nil:
		f.proven = true
		return f, merged, true, nil
	case apierrors.IsForbidden(err) && lacksPermission(err):
		f.missing = append(f.missing, permissionTo("patch", in.target))
		if in.live == nil {
			f.missing = append(f.missing, permissionTo("create", in.target))
		}
		return f, nil, false, nil
	case missingReference(err, in.mapping.Resource.Resource) != "":
		f.notes = append(f.notes, fmt.Sprintf("it refers to %s, which does not exist yet: whether it is accepted shows when that is created", missingReference(err, in.mapping.Resource.Resource)))
		return f, nil, false, nil
	case apierrors.IsNotFound(err) && in.live == nil:
		return j.notServed(ctx, in, f, err)
	case isTerminating(err):
		f.refusal.problems = append(f.refusal.problems,
			newProblem(ProblemTerminating, in.id, j.redactor.String(err.Error()), "wait until it is gone, then deploy again"))
		return f, nil, true, nil
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsBadRequest(err), isAdmission(err), isUntyped(err), duplicateNodePort.MatchString(err.Error()):
		f.refusal = refusalOf(in.id, in.live != nil, err, j.redactor).withQuantities(f.body).withNodePort(f.body)
		return f, nil, true, nil
	}
	return f, nil, true, err
}

// notServed decides about an object whose kind or namespace the API server did
// not find.
func (j *judge) notServed(ctx context.Context, in intended, f prediction, err error) (prediction, *unstructured.Unstructured, bool, error) {
	if missingNamespace(err) {
		return f, nil, true, namespaceNotFound(j.key, in.id)
	}
	if gvk := in.mapping.GroupVersionKind; j.brings[gvk.GroupKind()].versions[gvk.Version] {
		f.pending = true // its CRD was deleted, and is created again
		return f, nil, false, nil
	}
	j.dryRun.forgetDiscovery(ctx) // which listed the kind as served
	if j.mode.undoesDrift() {
		f.refusal.problems = append(f.refusal.problems, kindGone(in.id))
		return f, nil, true, nil
	}
	return f, nil, true, unknownKind(j.key, in.id, in.source)
}
