package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// sizeChange is a claim template that requests another size.
type sizeChange struct {
	template claimTemplate // as desired
	from, to resource.Quantity
}

func (c sizeChange) path() string {
	return fmt.Sprintf("spec.volumeClaimTemplates[%d].spec.resources.requests.storage", c.template.index)
}

func (c sizeChange) String() string {
	return fmt.Sprintf("storage of claim template %s", c.template.name)
}

type sizeChanges []sizeChange

func (s sizeChanges) covers(path string) bool {
	return slices.ContainsFunc(s, func(c sizeChange) bool { return c.path() == path })
}

// sizeChangesOf finds the claim templates of a live StatefulSet that request
// another size.
func sizeChangesOf(o *object, body *unstructured.Unstructured) sizeChanges {
	if !isStatefulSet(o.id) || o.live == nil {
		return nil
	}
	var out sizeChanges
	have := claimTemplates(o.live)
	for _, want := range claimTemplates(body) {
		if old, ok := templateNamed(have, want.name); ok && !old.storage.IsZero() && !want.storage.IsZero() && old.storage.Cmp(want.storage) != 0 {
			out = append(out, sizeChange{want, old.storage, want.storage})
		}
	}
	return out
}

// keepSizes leaves the claim templates of a StatefulSet as large as they are
// where going back to an earlier revision would shrink them: claims cannot
// shrink, and that must not block the way back.
func (in intended) keepSizes() intended {
	if len(sizeChangesOf(in.object, in.body)) == 0 {
		return in
	}
	in.body = in.body.DeepCopy() // its templates are changed in place
	for _, s := range sizeChangesOf(in.object, in.body) {
		if s.to.Cmp(s.from) > 0 {
			continue
		}
		if err := unstructured.SetNestedField(s.template.object, s.from.String(), "spec", "resources", "requests", "storage"); err != nil {
			continue // it was read from there
		}
		in = in.withNote(fmt.Sprintf("%s stays %s, because claims cannot shrink; that revision requests %s", s, &s.from, &s.to))
	}
	return in
}

// withTemplateDefaults gives the claim templates of a local merge what the API
// server fills in: they are a list that is applied as a whole, so that the
// defaults look removed.
func withTemplateDefaults(o *object, merged *unstructured.Unstructured) *unstructured.Unstructured {
	if !isStatefulSet(o.id) || merged == nil || o.live == nil || len(claimTemplates(merged)) == 0 {
		return merged
	}
	out := merged.DeepCopy()
	have := claimTemplates(o.live)
	for _, t := range claimTemplates(out) {
		old, ok := templateNamed(have, t.name)
		if !ok {
			continue
		}
		for _, path := range [][]string{{"apiVersion"}, {"kind"}, {"status"}, {"spec", "volumeMode"}, {"metadata", "creationTimestamp"}} {
			v, ok, _ := unstructured.NestedFieldCopy(old.object, path...)
			if _, set, _ := unstructured.NestedFieldNoCopy(t.object, path...); !ok || set {
				continue
			}
			if err := unstructured.SetNestedField(t.object, v, path...); err != nil {
				return out // the template has no such shape, which the API server refuses
			}
		}
	}
	return out
}

// growthPlan is what becomes of the claims of a StatefulSet whose templates
// request other sizes. Not possible: problems say why, and the claims stay.
type growthPlan struct {
	possible bool
	grows    []claimGrowth
	related  []diff.Change // of the claims; the first are those of grows
	reason   string
	problems []Problem
	warnings []string
	missing  []Permission
}

// planGrowth decides about claim templates that request another size. If the
// caller's policy replaces the StatefulSet whatever changes, claims that cannot
// follow keep their size, with a warning.
func (j *judge) planGrowth(ctx context.Context, o *object, sizes sizeChanges, policy ReplacePolicy) (growthPlan, error) {
	g := growthPlan{possible: true}
	refuse := func(field, message, hint string) {
		if policy.replaces() {
			g.warnings = append(g.warnings, message+"; only claims created from now on follow the template")
			return
		}
		g.possible = false
		g.problems = append(g.problems, newProblem(ProblemImmutable, o.id, message, hint, field))
	}
	if policy == ReplaceNever {
		s := sizes[0]
		refuse(s.path(), fmt.Sprintf("%s changes from %s to %s, for which the StatefulSet must be recreated", s, &s.from, &s.to),
			fmt.Sprintf("the policy is never: remove the annotation %s, or the rule of Options.Replace; its pods and claims stay when it is recreated", AnnotationReplace))
		return g, nil
	}
	claims, err := j.claimsOf(ctx, o.id, claimTemplates(o.live))
	if apierrors.IsForbidden(err) {
		g.missing = append(g.missing, Permission{Verb: "list", Resource: "persistentvolumeclaims", Namespace: o.id.Namespace})
		claims, err = nil, nil
	}
	if err != nil {
		return growthPlan{}, err
	}
	newClaims := fmt.Sprintf("or, to change it only for claims created from now on, annotate the StatefulSet with %s: orphan", AnnotationReplace)
	var reasons []string
	for _, s := range sizes {
		if s.to.Cmp(s.from) < 0 {
			refuse(s.path(), fmt.Sprintf("%s shrinks from %s to %s, and a claim cannot shrink", s, &s.from, &s.to),
				fmt.Sprintf("set it back to %s; or move the data to another StatefulSet with smaller claims; %s", &s.from, newClaims))
			reasons = append(reasons, fmt.Sprintf("%s shrinks from %s to %s, and its claims keep their size", s, &s.from, &s.to))
			continue
		}
		grown, err := j.growClaims(ctx, o, s, claims)
		if err != nil {
			return growthPlan{}, err
		}
		for _, why := range grown.refusals {
			refuse(s.path(), why, "set it back to "+s.from.String()+"; or allow its StorageClass to expand, by allowVolumeExpansion: true, if its driver can; "+newClaims)
		}
		g.grows, g.related = append(g.grows, grown.grows...), append(g.related, grown.related...)
		g.warnings, g.missing = append(g.warnings, grown.warnings...), append(g.missing, grown.missing...)
		reasons = append(reasons, fmt.Sprintf("%s grows from %s to %s, which cannot change on a live StatefulSet, so %s expanded first", s, &s.from, &s.to, claimsAre(len(grown.grows))))
	}
	if !g.possible {
		g.grows, g.related = nil, nil
		return g, nil
	}
	g.reason = strings.Join(reasons, "; ")
	return g, nil
}

func claimsAre(n int) string {
	if n == 1 {
		return "1 claim is"
	}
	return fmt.Sprintf("%d claims are", n)
}

// grownClaims are those of one template's claims that grow, and why others
// cannot.
type grownClaims struct {
	growthPlan
	refusals []string
}

func (j *judge) growClaims(ctx context.Context, o *object, s sizeChange, claims []boundClaim) (grownClaims, error) {
	var out grownClaims
	for _, c := range claims {
		if c.template != s.template.name {
			continue
		}
		requested := c.Spec.Resources.Requests.Storage()
		change := diff.Change{Object: c.object(), Action: diff.Unchanged}
		g := claimGrowth{claim: c, size: s.to, request: requested.Cmp(s.to) < 0}
		switch {
		case c.DeletionTimestamp != nil:
			out.warnings = append(out.warnings, fmt.Sprintf("claim %s is being deleted, and does not grow", c.Name))
			continue
		case c.Status.Phase != corev1.ClaimBound:
			out.warnings = append(out.warnings, fmt.Sprintf("claim %s has no volume yet, and keeps requesting %s", c.Name, requested))
			continue
		case g.request:
			why, missing, err := j.refusesGrowth(ctx, g)
			if err != nil {
				return grownClaims{}, err
			}
			out.missing = append(out.missing, missing...)
			if why != "" {
				out.refusals = append(out.refusals, why)
				continue
			}
			change.Action = diff.Updated
			change.Fields = []diff.Field{{Path: "spec.resources.requests.storage", Base: requested.String(), Live: requested.String(), Desired: s.to.String(), Cause: diff.Chart}}
			change.Reason = "it is expanded before " + o.id.Kind + " " + o.id.Name + " is recreated"
		case c.Status.Capacity.Storage().Cmp(s.to) >= 0:
			continue // it is that large already
		default:
			change.Reason = fmt.Sprintf("growth to %s was requested before, and is waited for", requested)
		}
		out.grows, out.related = append(out.grows, g), append(out.related, change)
	}
	return out, nil
}

// refusesGrowth is why a claim cannot grow; empty: it can.
func (j *judge) refusesGrowth(ctx context.Context, g claimGrowth) (why string, missing []Permission, err error) {
	classes, err := j.readClasses(ctx)
	if err != nil {
		return "", nil, err
	}
	name := deref(g.claim.Spec.StorageClassName)
	class, known := classes.byName[name]
	switch {
	case name == "":
		return fmt.Sprintf("claim %s has a manually created volume, without a StorageClass that could expand it", g.claim.Name), nil, nil
	case !known && !classes.hidden:
		return fmt.Sprintf("claim %s cannot grow, because its StorageClass %s no longer exists", g.claim.Name, name), nil, nil
	case known && !class.expands:
		return fmt.Sprintf("claim %s cannot grow, because its StorageClass %s does not allow expansion", g.claim.Name, name), nil, nil
	case j.asking.DryRun == DryRunNone, class.own:
		// Of the release's own class, the API server knows only the live state.
		return "", nil, nil
	}
	err = j.dryRun.dryRunResize(ctx, g)
	switch {
	case err == nil:
		return "", nil, nil
	case apierrors.IsForbidden(err) && lacksPermission(err):
		return "", []Permission{{Verb: "patch", Resource: "persistentvolumeclaims", Namespace: g.claim.Namespace}}, nil
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), isAdmission(err):
		return fmt.Sprintf("claim %s cannot grow: %s", g.claim.Name, j.redactor.String(err.Error())), nil, nil
	}
	return "", nil, fmt.Errorf("ask whether claim %s may grow: %w", g.claim.Name, err)
}

// partitionWarning is what a StatefulSet that is recreated loses: it knows no
// version before its present template. Empty: nothing.
func partitionWarning(in intended, body *unstructured.Unstructured, change diff.Change) string {
	current, _, _ := unstructured.NestedString(in.live.Object, "status", "currentRevision")
	update, _, _ := unstructured.NestedString(in.live.Object, "status", "updateRevision")
	partition := numberAt(body, 0, "spec", "updateStrategy", "rollingUpdate", "partition")
	if partition > 0 && (current != update || slices.ContainsFunc(change.Fields, ofPodTemplate)) {
		return fmt.Sprintf("pods below partition %d keep running, but one that is recreated gets the new template, because the StatefulSet no longer knows the old one", partition)
	}
	return ""
}
