package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/merge"
)

// forecast is what applying would make of an object.
type forecast struct {
	// merged is the object after the apply; nil if nobody can tell.
	merged *unstructured.Unstructured
	// confirmed says that merged is the API server's own word, or as good.
	confirmed bool
}

// predict says what applying would make of the object: first by a merge done
// here, with the API server's schema, then, where that shows a change or
// cannot tell, by asking the API server in a dry-run. What it finds in the way
// becomes problems of the item.
func (pl *planning) predict(ctx context.Context, it *item, redactor *diff.Redactor) (forecast, error) {
	if it.live == nil && pl.opts.brief && isPlain(it.desired) && isOrdinary(it.desired) {
		return forecast{}, nil
	}
	if it.live != nil && pl.opts.DryRun != DryRunAll && merge.Settled(it.live, it.desired, pl.manager, pl.isFormer) {
		return forecast{merged: it.live, confirmed: pl.mayAsk(it)}, nil
	}
	local, err := pl.mergeLocally(ctx, it)
	var invalid *merge.InvalidError
	var undecided *merge.UndecidedError
	if errors.As(err, &invalid) && it.shifts {
		return forecast{}, nil // by the schema that goes
	}
	switch {
	case errors.As(err, &invalid), errors.As(err, &undecided):
	case err != nil:
		return forecast{}, err
	}
	here := forecast{merged: local.Merged}
	ask := pl.mayAsk(it)
	if err == nil && ask && pl.opts.DryRun != DryRunAll {
		if ask, err = pl.worthAsking(it, local); pl.opts.direct && it.live != nil {
			ask = ask && (it.takeOver || len(local.Conflicts) > 0 || !isPlain(it.desired) || !isOrdinary(it.desired) || isImmutable(it.live))
		}
		if err != nil {
			return forecast{}, err
		}
		here.confirmed = !ask && it.live != nil
	}
	if ask && it.losesFormer(local) {
		// A dry-run of the apply would leave to the former managers what goes,
		// and fail where that does not go with what comes.
		there, err := pl.dryRunPatch(ctx, it, local.Merged)
		if err != nil {
			return forecast{}, err
		}
		if there != nil {
			it.tried = true
			return forecast{there, true}, nil
		}
	}
	if ask {
		there, asked, err := pl.dryRun(ctx, it, redactor)
		if there != nil && it.losesFormer(local) {
			there = nil // which is not what would become of it
		}
		switch {
		case err != nil:
			return forecast{}, err
		case there != nil:
			return forecast{there, true}, nil
		case asked:
			return here, nil // refused, which is a problem of the item by now
		}
	}
	// Without the right to ask.
	if invalid != nil {
		it.problem(ProblemInvalid, hide(redactor, it.object, invalid.Err.Error()), mend)
	}
	return here, nil
}

// mayAsk says whether the API server can be asked about the item at all.
func (pl *planning) mayAsk(it *item) bool {
	return pl.opts.DryRun != DryRunNone && !it.uncertain() && (!it.pending || it.live != nil) && !pl.newNamespaces[it.object.Namespace]
}

// isPlain says whether the object is one of those of which a big release has
// many, that start nothing, and that the API server has little to say about:
// a ConfigMap, Secret or ServiceAccount of the right shape.
func isPlain(u *unstructured.Unstructured) bool {
	var allowed []string
	switch u.GetAPIVersion() + "/" + u.GetKind() {
	case "v1/ConfigMap":
		allowed = []string{"data", "binaryData", "immutable"}
	case "v1/Secret":
		allowed = []string{"data", "stringData", "immutable", "type"}
	case "v1/ServiceAccount":
		allowed = []string{"secrets", "imagePullSecrets", "automountServiceAccountToken"}
	default:
		return false
	}
	for key, v := range u.Object {
		switch {
		case key == "apiVersion", key == "kind", key == "metadata":
		case !slices.Contains(allowed, key):
			return false
		case strings.HasSuffix(strings.ToLower(key), "data"):
			data, ok := v.(map[string]any)
			if !ok {
				return false
			}
			for _, text := range data {
				if _, ok := text.(string); !ok {
					return false
				}
			}
		}
	}
	return true
}

// isImmutable says of a ConfigMap or Secret whether its data stays as it is.
func isImmutable(u *unstructured.Unstructured) bool {
	immutable, _ := u.Object["immutable"].(bool)
	return immutable
}

// worthAsking says whether the API server's word on an object that was merged
// here is worth a request.
func (pl *planning) worthAsking(it *item, local merge.Result) (bool, error) {
	if it.live == nil {
		return true, nil
	}
	change, err := pl.compare(it, local.Merged, nil)
	return len(change.Fields) > 0 || len(local.Conflicts) > 0, err
}

// mergeLocally merges as the API server would, and settles on the way who
// gets which field: fields of former managers become ours, others are taken
// or yielded as the policy says, the rest are problems.
func (pl *planning) mergeLocally(ctx context.Context, it *item) (merge.Result, error) {
	if it.pending && it.live == nil || it.readAs != nil {
		return merge.Result{}, &merge.UndecidedError{GVK: it.mapping.GroupVersionKind, Name: it.object.Name, Reason: merge.ErrNoSchema}
	}
	merger := pl.e.c.merger
	live, base := it.live, pl.lastApplied(it)
	if live != nil {
		taken, err := merger.TakeOver(ctx, live, base, pl.manager, pl.formerManagers(live), annotationName)
		if err != nil {
			return merge.Result{}, err
		}
		it.takeOver = taken != live
		live = taken
	}
	req := merge.Request{
		Live: live, Desired: it.desired, Base: base, Manager: pl.manager,
		Yield: func(c merge.Conflict) bool { return pl.settle(c.Manager, c.Path, it.object) == Yield },
	}
	res, err := merger.Merge(ctx, req)
	var invalid *merge.InvalidError
	if errors.As(err, &invalid) && !diff.IsBuiltinGroup(it.object.Group) {
		// The definition may have changed since its schema was read.
		merger.Forget(it.mapping.GroupVersionKind.GroupVersion())
		res, err = merger.Merge(ctx, req)
	}
	if err != nil {
		return merge.Result{}, err
	}
	if res.Desired != nil {
		it.desired = res.Desired
		it.yield(res.Yielded)
	}
	former := pl.formerManagers(it.live)
	var others []merge.Conflict
	for _, c := range res.Conflicts {
		if !slices.Contains(former, c.Manager) && pl.settle(c.Manager, c.Path, it.object) != Take {
			others = append(others, c)
		}
	}
	it.force = len(res.Conflicts) > 0 && len(others) == 0
	if len(others) > 0 {
		var managers, fields []string
		for _, c := range others {
			managers, fields = appendNew(managers, c.Manager), appendNew(fields, c.Path)
		}
		it.conflict(managers, fields)
	}
	return res, nil
}

// dryRunPatch asks the API server what would become of the live object if it
// were changed into merged; nil if it does not say. Fields of former managers
// go away only once they have been taken over, which a dry-run of the apply
// cannot know of.
func (pl *planning) dryRunPatch(ctx context.Context, it *item, merged *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	from, err := json.Marshal(withoutServerFields(it.live))
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	to, err := json.Marshal(withoutServerFields(merged))
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(from, to, from)
	if err != nil {
		return nil, fmt.Errorf("compare with the live object: %w", err)
	}
	u, err := pl.e.c.patch(ctx, it.mapping, it.object.Namespace, it.object.Name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: pl.manager, DryRun: []string{metav1.DryRunAll}})
	if err != nil && (apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsNotFound(err) || isAdmission(err)) {
		return nil, nil // what stands in the way is said by a dry-run of the apply
	}
	return u, err
}

// withoutServerFields is u as a client may change it.
func withoutServerFields(u *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: maps.Clone(u.Object)}
	delete(out.Object, "status")
	if meta, ok := u.Object["metadata"].(map[string]any); ok {
		meta = maps.Clone(meta)
		delete(meta, "managedFields")
		delete(meta, "resourceVersion")
		out.Object["metadata"] = meta
	}
	return out
}

// losesFormer says whether the merge done here removes what the API server,
// in a dry-run, would leave to a former manager.
func (it *item) losesFormer(local merge.Result) bool {
	return it.takeOver && len(local.Removed) > 0
}

func (it *item) conflict(managers, fields []string) {
	if it.has(ProblemConflict) {
		return
	}
	it.problems = append(it.problems, Problem{
		Kind: ProblemConflict, Object: it.object, Fields: fields,
		Message: fmt.Sprintf("%s own%s fields that would change: %s", strings.Join(managers, ", "), plural(managers), strings.Join(fields, ", ")),
		Hint:    "leave these fields out of the chart, settle them by Options.Ownership, or set Release.Force to take them",
	})
}

// dryRun asks the API server what applying would make of the object. There is
// no answer, and asked is false, without the right to ask; there is none and
// asked is true where the API server refuses, which becomes a problem.
func (pl *planning) dryRun(ctx context.Context, it *item, redactor *diff.Redactor) (merged *unstructured.Unstructured, asked bool, err error) {
	settled := it.force
	defer func() { it.force = settled }()
	// What it would be if it were forced is what the report shows.
	it.force = it.force || it.takeOver || it.has(ProblemConflict)
	merged, err = pl.e.applyObject(ctx, it, true)
	if apierrors.IsConflict(err) && !it.force {
		// No merge was done here, or another manager came in between.
		managers, fields := conflictManagers(err)
		former := pl.formerManagers(it.live)
		ours := len(managers) > 0
		for _, m := range managers {
			ours = ours && (slices.Contains(former, m) || pl.takesAll(m, fields, it.object))
		}
		if !ours {
			it.conflict(managers, fields)
		}
		settled, it.force = ours, true
		merged, err = pl.e.applyObject(ctx, it, true)
	}
	switch {
	case err == nil:
		it.tried = true
		return merged, true, nil
	case apierrors.IsForbidden(err) && lacksRight(err):
		it.missing = append(it.missing, rightTo("patch", it))
		if it.live == nil {
			it.missing = append(it.missing, rightTo("create", it))
		}
		return nil, false, nil
	case apierrors.IsNotFound(err) && it.live == nil:
		if missingNamespace(err) {
			return nil, true, pl.namespaceNotFound(it)
		}
		if pl.own[it.mapping.GroupVersionKind.GroupKind()].versions[it.mapping.GroupVersionKind.Version] {
			it.pending = true // its CRD went, and comes again
			return nil, false, nil
		}
		pl.e.c.forgetDiscovery(ctx) // which had it that the kind is served
		return nil, true, unknownKind(pl.key, it.object, it.source)
	case isTerminating(err):
		it.problem(ProblemTerminating, redactor.String(err.Error()), "wait until it is gone, then deploy again")
		return nil, true, nil
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsBadRequest(err), isAdmission(err), isUntyped(err):
		it.refused(err, redactor)
		return nil, true, nil
	}
	return nil, true, err
}

// isTerminating says whether an object cannot be created because its namespace
// or its kind's definition is being deleted.
func isTerminating(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) ||
		apierrors.IsForbidden(err) && strings.Contains(err.Error(), "while custom resource definition is terminating")
}

func (pl *planning) takesAll(manager string, fields []string, o diff.Object) bool {
	for _, f := range fields {
		if pl.settle(manager, f, o) != Take {
			return false
		}
	}
	return true
}

// applyObject applies the item's desired state by server-side apply.
func (e *Engine) applyObject(ctx context.Context, it *item, dryRun bool) (*unstructured.Unstructured, error) {
	body, err := json.Marshal(it.desired.Object)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	opts := metav1.PatchOptions{FieldManager: e.opts.FieldManager, Force: &it.force}
	if dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	return e.c.patch(ctx, it.mapping, it.object.Namespace, it.object.Name, types.ApplyPatchType, body, opts)
}

var conflictWith = regexp.MustCompile(`^conflict with "((?:[^"\\]|\\.)*)"`)

// conflictManagers reads from a refused server-side apply who owns what.
func conflictManagers(err error) (managers, fields []string) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil, nil
	}
	for _, c := range status.Status().Details.Causes {
		if c.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		fields = append(fields, strings.TrimPrefix(c.Field, "."))
		if m := conflictWith.FindStringSubmatch(c.Message); m != nil {
			managers = appendNew(managers, m[1])
		}
	}
	return managers, fields
}

var rbacRefusal = regexp.MustCompile(`User ".*" cannot `)

// lacksRight tells a refusal by RBAC from one by quota or admission, which
// carry the same status reason.
func lacksRight(err error) bool {
	return rbacRefusal.MatchString(err.Error())
}

// isAdmission says whether an admission webhook or policy refused the object.
func isAdmission(err error) bool {
	return strings.Contains(err.Error(), "admission webhook") || strings.Contains(err.Error(), "ValidatingAdmissionPolicy")
}

// missingNamespace tells the answer that a namespace is missing from the one
// that the kind is not served.
func missingNamespace(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// isUntyped says whether the object does not fit its schema: server-side
// apply answers that as an internal error.
func isUntyped(err error) bool {
	return strings.Contains(err.Error(), "failed to create typed patch object") || strings.Contains(err.Error(), "failed to convert new object")
}
