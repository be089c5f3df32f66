package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/definition"
)

const (
	// maxChecked bounds how many custom resources are read to see whether they
	// use what a definition loses.
	maxChecked = 5000
	// checkedPage bounds one page of them.
	checkedPage = 500
)

// leavesDefinition is why a live CRD of crds/ is left as it is; empty: it is
// not.
func (j *judge) leavesDefinition(o *object) string {
	switch other := owner(o.live); {
	case o.origin != fromCRDs || o.live == nil:
		return ""
	case j.policy.definitions == CRDsCreate:
		return "Options.CRDs leaves a CRD of the chart's crds/ folder as it is once it exists"
	case other != (Key{}):
		return "it belongs to release " + other.String()
	}
	return ""
}

// definitionFindings are what a CRD would lose that is in use.
type definitionFindings struct {
	findings
	explains bool
}

// unexplained leaves out of the API server's refusals what the findings explain
// better.
func (d definitionFindings) unexplained(problems []Problem) []Problem {
	if !d.explains {
		return problems
	}
	return slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool {
		return p.Kind == ProblemInvalid && strings.Contains(p.Message, "storedVersions")
	})
}

func (d *definitionFindings) refuse(o diff.Object, message, field, hint string) {
	d.explains = true
	d.problems = append(d.problems, newProblem(ProblemDefinition, o, message, hint, field))
}

// checkDefinition finds what a live CRD would lose that is in use.
func (j *judge) checkDefinition(ctx context.Context, in intended, f prediction) (definitionFindings, error) {
	var out definitionFindings
	if in.live == nil || !in.isDefinition() || j.policy.definitions == CRDsUnsafeAll {
		return out, nil
	}
	merged := f.merged
	if merged == nil {
		merged = f.body
	}
	change, err := definition.Compare(in.live, merged)
	if err != nil {
		if !hasProblem(f.refusal.problems, ProblemInvalid) { // otherwise the API server has said so
			out.problems = append(out.problems, newProblem(ProblemDefinition, in.id, err.Error(), "fix the definition"))
		}
		return out, nil
	}
	for _, v := range change.Lost {
		out.refuse(in.id, fmt.Sprintf("objects may be stored in version %s, which it would no longer have", v), "spec.versions",
			fmt.Sprintf("keep version %s with served: false, or migrate all objects and remove it from status.storedVersions", v))
	}
	for _, v := range change.Versions {
		if err := j.checkUse(ctx, in.object, v, &out); err != nil {
			return definitionFindings{}, err
		}
	}
	return out, nil
}

// checkUse reads the custom resources of one version, and refuses each field of
// theirs that would be lost. Those that the release itself changes are judged by
// what they will be.
func (j *judge) checkUse(ctx context.Context, o *object, v definition.Version, out *definitionFindings) error {
	users := map[string]foundObjects{} // by field
	opts := metav1.ListOptions{Limit: checkedPage}
	checked := 0
	for {
		page, err := j.lister.customResources(ctx, v.Resource, opts)
		switch {
		case apierrors.IsNotFound(err):
			return nil // not served, so it cannot be in use
		case apierrors.IsForbidden(err):
			out.refuse(o.id,
				fmt.Sprintf("without permission to list them it is not known whether objects use what version %s loses: %s", v.Resource.Version, strings.Join(v.Paths, ", ")), strings.Join(v.Paths, ", "),
				fmt.Sprintf("grant the permission to list %s in all namespaces, or set Options.CRDs", v.Resource.GroupResource()))
			return nil
		case apierrors.IsResourceExpired(err) && opts.Continue != "":
			opts.Continue = ""
			clear(users)
			checked = 0
			continue
		case err != nil:
			return fmt.Errorf("list %s: %w", v.Resource.GroupResource(), err)
		}
		for i := range page.Items {
			j.addUser(users, v, &page.Items[i])
		}
		checked += len(page.Items)
		if opts.Continue = page.GetContinue(); opts.Continue == "" || checked >= maxChecked {
			break
		}
	}
	if opts.Continue != "" {
		out.warnings = append(out.warnings, fmt.Sprintf("only %d objects of version %s were checked for %s", checked, v.Resource.Version, strings.Join(v.Paths, ", ")))
	}
	for _, field := range slices.Sorted(maps.Keys(users)) {
		out.refuse(o.id, fmt.Sprintf("version %s would drop or refuse %s, which is in use by %s", v.Resource.Version, field, users[field].some()), field,
			"change these objects first, keep the field, or set Options.CRDs to CRDsCreate to leave the definition as it is")
	}
	return nil
}

// addUser notes which fields that are lost a custom resource uses.
func (j *judge) addUser(users map[string]foundObjects, v definition.Version, u *unstructured.Unstructured) {
	if planned, ours := j.planned[identity(diff.ObjectOf(u))]; ours {
		if u = planned; u == nil {
			return
		}
	}
	for _, field := range v.Loses(u.Object) {
		users[field] = j.found(users[field], diff.ObjectOf(u))
	}
}

// plannedResources are the release's own custom resources whose definitions it
// brings, as they will be; nil for those that are deleted.
func plannedResources(r reading) map[diff.Object]*unstructured.Unstructured {
	out := map[diff.Object]*unstructured.Unstructured{}
	for _, o := range r.objects {
		if _, ok := r.brings[o.groupKind()]; ok {
			out[identity(o.id)] = o.desired
		}
	}
	return out
}
