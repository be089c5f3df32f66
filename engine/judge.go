package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
)

// judge decides for each item what becomes of it.
func (pl *planning) judge(ctx context.Context, items []*item, redactor *diff.Redactor) error {
	work := newLimited(ctx, pl.e.opts.Concurrency)
	for _, it := range items {
		work.do(func(ctx context.Context) error {
			ctx, warned := withWarnings(ctx)
			if err := pl.judgeOne(ctx, it, redactor); err != nil {
				return explain("plan", pl.key, it.object, err)
			}
			it.change.Source = it.source
			for _, w := range warned.texts {
				it.change.Warnings = append(it.change.Warnings, redactor.String(w))
			}
			return nil
		})
	}
	return work.wait()
}

func (pl *planning) judgeOne(ctx context.Context, it *item, redactor *diff.Redactor) error {
	switch {
	case it.desired == nil:
		pl.judgeRemoval(it)
		return nil
	case it.crd && it.live != nil:
		// As with Helm: what is in crds/ is installed once and then belongs
		// to the cluster, whose other users a change could break.
		it.change = diff.Change{Object: it.object, Action: diff.Unchanged, Reason: "a CRD of the chart's crds/ folder is left as it is once it exists"}
		return nil
	case it.live != nil && !pl.mayTake(it):
		// Reported as a problem; what would change is shown all the same.
	}
	if it.live != nil && it.live.GetDeletionTimestamp() != nil {
		it.problem(ProblemTerminating, "it is being deleted and still there", "wait until it is gone; a finalizer may hold it")
	}
	if err := pl.predict(ctx, it, redactor); err != nil {
		return err
	}
	it.settleCause(pl.cause)
	if it.base != nil && hasCause(it.object) && it.base.GetAnnotations()[annotationCause] == "" && it.live != nil {
		// The stored manifest does not hold the cause that was applied with
		// it; what is live is what was applied.
		setAnnotation(it.base, annotationCause, it.live.GetAnnotations()[annotationCause])
	}
	change, err := diff.Compare(
		diff.Input{Object: it.object, Base: it.base, Live: it.live, Desired: it.desired, Merged: it.merged, Manager: pl.manager},
		diff.Options{Secrets: redactor, FormerManagers: pl.formerManagers(it.live), Force: pl.force},
	)
	if err != nil {
		return err
	}
	change.Local = it.merged == nil
	if change.Action == diff.Adopted && owner(it.live) == pl.key {
		change.Action = diff.Unchanged
		if len(change.Fields) > 0 {
			change.Action = diff.Updated
		}
	}
	it.change = change
	if conflicts := change.Conflicts(); len(conflicts) > 0 && !it.has(ProblemConflict) {
		pl.conflict(it, conflicts)
	}
	return nil
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

// mayTake says whether the live object is the release's, or may become so.
func (pl *planning) mayTake(it *item) bool {
	switch other := owner(it.live); {
	case other == pl.key:
		return true
	case other != (Key{}):
		it.problem(ProblemOwned, fmt.Sprintf("it belongs to release %s", other), "rename it here, or remove it there first")
		return false
	case pl.adopt:
		return true
	}
	it.problem(ProblemUnowned, "it exists already and belongs to no release", "set Release.Adopt to take it over, or rename it")
	return false
}

// predict asks the API server what applying would make of the object, by a
// dry-run, and notes what it refuses. Where it cannot be asked, merged stays
// nil, and the comparison is a local one.
func (pl *planning) predict(ctx context.Context, it *item, redactor *diff.Redactor) error {
	inNewNamespace := pl.namespaceMissing && it.object.Namespace == pl.key.Namespace
	if pl.opts.Local || it.pending || it.object.Namespace != "" && inNewNamespace {
		return nil
	}
	it.force = pl.force
	former := pl.formerManagers(it.live)
	merged, err := pl.e.applyObject(ctx, it, true)
	if apierrors.IsConflict(err) && !it.force {
		others, fields := conflictManagers(err)
		theirs := false
		for _, m := range others {
			theirs = theirs || !slices.Contains(former, m)
		}
		if theirs || len(others) == 0 {
			it.problems = append(it.problems, Problem{
				Kind: ProblemConflict, Object: it.object, Fields: fields,
				Message: redactor.String(fmt.Sprintf("%s own%s fields that would change: %s", strings.Join(others, ", "), plural(others), strings.Join(fields, ", "))),
				Hint:    "leave these fields out of the chart, or set Release.Force to take them",
			})
		}
		// What it would be if it were forced is what the report shows.
		it.force = true
		merged, err = pl.e.applyObject(ctx, it, true)
		it.force = !theirs && len(others) > 0
	}
	switch {
	case err == nil:
		it.merged = merged
	case apierrors.IsForbidden(err) && lacksRight(err):
		it.missing = append(it.missing, right("patch", it))
		if it.live == nil {
			it.missing = append(it.missing, right("create", it))
		}
	case apierrors.IsNotFound(err) && it.live == nil:
		return &Error{
			Op: "plan", Key: pl.key, Object: it.object, Hint: "create it first, or make it part of the release",
			Err: fmt.Errorf("%w: %s", ErrNamespaceNotFound, it.object.Namespace),
		}
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err), apierrors.IsBadRequest(err), isAdmission(err), isUntyped(err):
		p := Problem{Kind: ProblemInvalid, Object: it.object, Message: redactor.String(err.Error()), Fields: conflictCauses(err)}
		if it.live != nil && immutable.MatchString(err.Error()) {
			p.Kind = ProblemImmutable
			p.Hint = "this field cannot change on a living object: set it back, or delete the object first and mind what depends on it"
		}
		it.problems = append(it.problems, p)
	default:
		return err
	}
	return nil
}

// immutable knows the API server's ways of saying that a field may not
// change; there is no status reason for it.
var immutable = regexp.MustCompile(`(?i)immutable|updates to \w+ spec for fields other than|may not change|updates to \w+ are forbidden|cannot (be )?chang|is forbidden.*updat|can not be decreased|field can not be less than`)

// applyObject applies the item's desired state by server-side apply.
func (e *Engine) applyObject(ctx context.Context, it *item, dryRun bool) (*unstructured.Unstructured, error) {
	body, err := json.Marshal(it.desired)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	opts := metav1.PatchOptions{FieldManager: e.opts.FieldManager, Force: &it.force}
	if dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	return e.c.resource(it.mapping, it.object.Namespace).Patch(ctx, it.object.Name, types.ApplyPatchType, body, opts)
}

// formerManagers are the field managers whose fields in the live object count
// as the release's own: those of the options, and whoever wrote the release's
// mark into it by other means than server-side apply. That is Helm, under
// the name of whatever program it was built into.
func (pl *planning) formerManagers(live *unstructured.Unstructured) []string {
	managers := slices.Clone(pl.e.opts.FormerManagers)
	if live == nil || owner(live) != pl.key {
		return managers
	}
	for _, entry := range live.GetManagedFields() {
		if entry.FieldsV1 != nil && entry.Operation == metav1.ManagedFieldsOperationUpdate &&
			bytes.Contains(entry.FieldsV1.GetRawBytes(), []byte(`"f:`+annotationName+`"`)) {
			managers = appendNew(managers, entry.Manager)
		}
	}
	return managers
}

func (pl *planning) conflict(it *item, fields []diff.Field) {
	var names, managers []string
	for _, f := range fields {
		names = append(names, f.Path)
		managers = appendNew(managers, f.Manager)
	}
	if pl.opts.Local || it.merged == nil {
		it.problems = append(it.problems, Problem{
			Kind: ProblemConflict, Object: it.object, Fields: names,
			Message: fmt.Sprintf("%s own%s fields that would change: %s", strings.Join(managers, ", "), plural(managers), strings.Join(names, ", ")),
			Hint:    "leave these fields out of the chart, or set Release.Force to take them",
		})
	}
}

func plural(managers []string) string {
	if len(managers) == 1 {
		return "s"
	}
	return ""
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

func (it *item) problem(kind ProblemKind, message, hint string) {
	it.problems = append(it.problems, Problem{Kind: kind, Object: it.object, Message: message, Hint: hint})
}

func (it *item) has(kind ProblemKind) bool {
	for _, p := range it.problems {
		if p.Kind == kind {
			return true
		}
	}
	return false
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

// lacksRight tells a refusal by RBAC from one by quota or admission, which
// carry the same status reason.
func lacksRight(err error) bool {
	return strings.Contains(err.Error(), " cannot ")
}

// isAdmission says whether an admission webhook or policy refused the object.
func isAdmission(err error) bool {
	return strings.Contains(err.Error(), "admission webhook") || strings.Contains(err.Error(), "ValidatingAdmissionPolicy")
}

// isUntyped says whether the object does not fit its schema: server-side
// apply answers that as an internal error.
func isUntyped(err error) bool {
	return strings.Contains(err.Error(), "failed to create typed patch object")
}

func right(verb string, it *item) string {
	resource := it.mapping.Resource.Resource
	if g := it.mapping.Resource.Group; g != "" {
		resource += "." + g
	}
	if it.object.Namespace == "" {
		return verb + " " + resource
	}
	return fmt.Sprintf("%s %s in namespace %s", verb, resource, it.object.Namespace)
}
