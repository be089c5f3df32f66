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
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/definition"
	"github.com/fairlead-dev/fairlead/render"
)

// CRDPolicy says what is done about CustomResourceDefinitions that exist. Those
// that do not are created. CRDs of a chart's crds/ belong to the cluster: no
// policy deletes them, and those of another release or of somebody else's
// fields are left to them.
type CRDPolicy string

const (
	// CRDsCompatible changes them unless that takes something away which is in
	// use: a version in which objects are stored, or a field that objects set.
	// That is a problem of the plan. The default.
	CRDsCompatible CRDPolicy = ""
	// CRDsCreate leaves those of crds/ as they are once they exist, which is
	// Helm's way. Those of templates change as with CRDsCompatible.
	CRDsCreate CRDPolicy = "Create"
	// CRDsUnsafeAll changes them whatever that takes away, as far as the API
	// server lets it: what objects set in fields that are gone is lost.
	CRDsUnsafeAll CRDPolicy = "UnsafeAll"
	// CRDsSkip passes over those of crds/: somebody else installs them. Those of
	// templates change as with CRDsCompatible.
	CRDsSkip CRDPolicy = "Skip"
)

func (p CRDPolicy) valid() bool {
	return slices.Contains([]CRDPolicy{CRDsCompatible, CRDsCreate, CRDsUnsafeAll, CRDsSkip}, p)
}

const (
	// maxChecked bounds how many custom resources are read to see whether they
	// use what a definition loses.
	maxChecked = 5000
	// checkedPage bounds one page of them.
	checkedPage = 500
)

// leavesDefinition says why a living CRD of crds/ is left as it is; empty if
// it is not.
func (pl *planning) leavesDefinition(it *item) string {
	switch other := owner(it.live); {
	case !it.crd || it.live == nil:
		return ""
	case pl.e.opts.CRDs == CRDsCreate:
		return "Options.CRDs leaves a CRD of the chart's crds/ folder as it is once it exists"
	case other != (Key{}):
		return "it belongs to release " + other.String()
	}
	return ""
}

// checkDefinition makes a problem of what a living CRD would lose that is in
// use. merged is what is to become of it, as far as is known.
func (pl *planning) checkDefinition(ctx context.Context, it *item, merged *unstructured.Unstructured) error {
	if it.live == nil || it.mapping.GroupVersionKind.GroupKind() != crdKind || pl.e.opts.CRDs == CRDsUnsafeAll {
		return nil
	}
	if merged == nil {
		merged = it.desired
	}
	change, err := definition.Compare(it.live, merged)
	if err != nil {
		if it.has(ProblemInvalid) {
			return nil // the API server has said so
		}
		it.problem(ProblemDefinition, err.Error(), "mend the definition")
		return nil
	}
	for _, v := range change.Lost {
		it.refuseDefinition(
			fmt.Sprintf("objects may be stored in version %s, which it would no longer have", v), "spec.versions",
			fmt.Sprintf("keep version %s with served: false, or write all objects again and take it out of status.storedVersions", v),
		)
	}
	for _, v := range change.Versions {
		if err := pl.checkUse(ctx, it, v); err != nil {
			return err
		}
	}
	return nil
}

func (it *item) refuseDefinition(message, field, hint string) {
	// What the API server says of the same is said better here.
	it.problems = slices.DeleteFunc(it.problems, func(p Problem) bool {
		return p.Kind == ProblemInvalid && strings.Contains(p.Message, "storedVersions")
	})
	it.problems = append(it.problems, Problem{Kind: ProblemDefinition, Object: it.object, Fields: []string{field}, Message: message, Hint: hint})
}

// checkUse reads the custom resources of one version, and makes a problem of
// each field of theirs that would get lost. Those that the release itself
// changes are judged by what they shall be.
func (pl *planning) checkUse(ctx context.Context, it *item, v definition.Version) error {
	users := map[string][]string{} // by field
	resource := pl.e.c.dynamic.Resource(v.Resource)
	opts := metav1.ListOptions{Limit: checkedPage}
	checked := 0
	for {
		page, err := resource.List(ctx, opts)
		switch {
		case apierrors.IsNotFound(err):
			return nil // not served, so nobody can use it
		case apierrors.IsForbidden(err):
			it.refuseDefinition(
				fmt.Sprintf("nobody can tell whether objects use what version %s loses: %s", v.Resource.Version, strings.Join(v.Paths, ", ")), strings.Join(v.Paths, ", "),
				fmt.Sprintf("ask for the right to list %s in all namespaces, or set Options.CRDs", v.Resource.GroupResource()),
			)
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
			u := &page.Items[i]
			if planned, ours := pl.custom[identity(diff.ObjectOf(u))]; ours {
				if u = planned; u == nil {
					continue
				}
			}
			for _, field := range v.Loses(u.Object) {
				users[field] = append(users[field], strings.TrimPrefix(u.GetNamespace()+"/"+u.GetName(), "/"))
			}
		}
		checked += len(page.Items)
		if opts.Continue = page.GetContinue(); opts.Continue == "" || checked >= maxChecked {
			break
		}
	}
	if opts.Continue != "" {
		it.notes = append(it.notes, fmt.Sprintf("only %d objects of version %s were looked at for %s", checked, v.Resource.Version, strings.Join(v.Paths, ", ")))
	}
	kind, _, _ := unstructured.NestedString(it.live.Object, "spec", "names", "kind")
	for _, field := range slices.Sorted(maps.Keys(users)) {
		it.refuseDefinition(
			fmt.Sprintf("version %s would drop or refuse %s, which is in use by %s %s", v.Resource.Version, field, kind, someOf(users[field])), field,
			"change these objects first, keep the field, or set Options.CRDs to CRDsCreate to leave the definition as it is",
		)
	}
	return nil
}

// customResources notes what shall become of the release's own custom
// resources, whose definitions it brings; nil for those that are to go.
func (pl *planning) customResources(items []*item) map[diff.Object]*unstructured.Unstructured {
	out := map[diff.Object]*unstructured.Unstructured{}
	for _, it := range items {
		if _, ok := pl.own[it.mapping.GroupVersionKind.GroupKind()]; !ok {
			continue
		}
		out[identity(it.object)] = nil
		if it.desired != nil {
			out[identity(it.object)] = it.desired.DeepCopy() // others change it meanwhile
		}
	}
	return out
}

// apart are the CRDs among the items, and the others.
func apart(items []*item) (definitions, rest []*item) {
	for _, it := range items {
		if it.mapping.GroupVersionKind.GroupKind() == crdKind {
			definitions = append(definitions, it)
		} else {
			rest = append(rest, it)
		}
	}
	return definitions, rest
}

// shiftSchemas marks the custom resources whose living CRD the plan changes:
// whether they are valid shows when that has happened.
func shiftSchemas(definitions, rest []*item) {
	shifting := shiftedKinds(definitions)
	for _, it := range rest {
		it.shifts = shifting[it.mapping.GroupVersionKind.GroupKind()]
	}
}

// shiftedKinds are the kinds whose living CRD, one of the items, changes.
func shiftedKinds(items []*item) map[schema.GroupKind]bool {
	shifting := map[schema.GroupKind]bool{}
	for _, it := range items {
		if it.desired != nil && it.live != nil && it.change.Changed() {
			for kind := range ownKinds([]render.Object{{Unstructured: it.desired}}) {
				shifting[kind] = true
			}
		}
	}
	return shifting
}
