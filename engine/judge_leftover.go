package engine

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// cured is a prediction of what an apply alone would not do to a live object,
// although the manifest asks for it.
func (j *judge) cured(ctx context.Context, in intended, f prediction) (prediction, error) {
	f, err := j.withFollowed(ctx, in, f)
	if err != nil {
		return prediction{}, err
	}
	if f, err = j.overwrite(ctx, in, f); err != nil {
		return prediction{}, err
	}
	return j.withRenamesUndone(ctx, in, f)
}

// withFollowed is a prediction in which fields that the API server has derived
// from what the release applied before follow what it applies now.
func (j *judge) withFollowed(ctx context.Context, in intended, f prediction) (prediction, error) {
	if in.live == nil || f.merged == nil {
		return f, nil
	}
	to, derived := j.withDerived(in, f.merged)
	out, err := j.patchedInto(ctx, in, f, to)
	if err == nil && out.overwrite != f.overwrite && len(derived) > 0 {
		out.notes = append(slices.Clip(out.notes), strings.Join(derived, ", ")+" is set to what follows from the manifest, since the API server would leave what followed from the previous one")
	}
	return out, err
}

// withRenamesUndone is a prediction without the items of lists that another
// manager has renamed, which would stay beside those of the release.
func (j *judge) withRenamesUndone(ctx context.Context, in intended, f prediction) (prediction, error) {
	if in.live == nil || f.merged == nil || len(f.refusal.problems) > 0 {
		return f, nil
	}
	undone, to := j.withoutRenamed(in, f)
	out, err := j.patchedInto(ctx, in, undone, to)
	if err != nil || out.overwrite == f.overwrite {
		return f, err
	}
	return out, nil
}

// patchedInto is the prediction of an object that is patched into another before
// it is applied, because no apply would make it that; f, if there is nothing to
// patch, or if it would not help.
func (j *judge) patchedInto(ctx context.Context, in intended, f prediction, to *unstructured.Unstructured) (prediction, error) {
	if to == f.merged {
		return f, nil
	}
	if f.confirmed || len(f.refusal.problems) > 0 {
		merged, err := j.askPatch(ctx, in, to)
		if err != nil || merged == nil || jsonEqual(withoutServerFields(merged).Object, withoutServerFields(f.merged).Object) {
			return f, err
		}
		f.refusal.problems = slices.DeleteFunc(slices.Clone(f.refusal.problems), func(p Problem) bool { return p.Kind == ProblemInvalid })
		f.merged, f.confirmed, f.proven = merged, true, true
	} else {
		f.merged = to
	}
	f.overwrite = to
	return f, nil
}

// othersAt are the managers, other than the release's own and the API server,
// that own the value at a path or anything below it.
func (j *judge) othersAt(live *unstructured.Unstructured, p fieldpath.Path) []string {
	former := append(j.formerManagers(live), j.manager)
	var out []string
	for _, e := range live.GetManagedFields() {
		if e.Subresource != "" || e.FieldsV1 == nil || slices.Contains(former, e.Manager) {
			continue
		}
		set := &fieldpath.Set{}
		if set.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())) != nil {
			continue
		}
		owns := set.Has(p)
		for _, element := range p {
			set = set.WithPrefix(element)
		}
		if owns || !set.Empty() {
			out = appendNew(out, e.Manager)
		}
	}
	return out
}
