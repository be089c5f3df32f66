package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
)

// claimGrowth is one claim that grows.
type claimGrowth struct {
	claim heldClaim
	size  resource.Quantity
	ask   bool // else it was asked for already, and is only waited for
}

// sizeChange is a claim template that asks for another size.
type sizeChange struct {
	template claimTemplate // as desired
	from, to resource.Quantity
}

func (c sizeChange) path() string {
	return fmt.Sprintf("spec.volumeClaimTemplates[%d].spec.resources.requests.storage", c.template.index)
}

type sizeChanges []sizeChange

func (s sizeChanges) covers(path string) bool {
	return slices.ContainsFunc(s, func(c sizeChange) bool { return c.path() == path })
}

// sizeChanges finds the claim templates of a living StatefulSet that ask for
// another size.
func (it *item) sizeChanges() sizeChanges {
	if !isStatefulSet(it.object) || it.live == nil {
		return nil
	}
	var out sizeChanges
	have := claimTemplates(it.live)
	for _, want := range claimTemplates(it.desired) {
		if old, ok := templateNamed(have, want.name); ok && !old.storage.IsZero() && !want.storage.IsZero() && old.storage.Cmp(want.storage) != 0 {
			out = append(out, sizeChange{want, old.storage, want.storage})
		}
	}
	return out
}

// keepSizes leaves the claim templates of a StatefulSet as great as they are,
// where going back to an earlier revision would shrink them: no claim can
// follow, and nobody who has to go back wants to be held up by that.
func (it *item) keepSizes() {
	if len(it.sizeChanges()) == 0 {
		return
	}
	it.desired = it.desired.DeepCopy() // its templates are changed where they are
	for _, s := range it.sizeChanges() {
		if s.to.Cmp(s.from) > 0 {
			continue
		}
		if err := unstructured.SetNestedField(s.template.object, s.from.String(), "spec", "resources", "requests", "storage"); err != nil {
			continue // it was read from there
		}
		it.notes = append(it.notes, fmt.Sprintf("storage of claim template %s stays %s, because claims cannot shrink; that revision asks for %s", s.template.name, &s.from, &s.to))
	}
}

// fillTemplates gives the claim templates of a merge that was done here what
// the API server fills in: they are a list that is applied as a whole, which
// looks as if that were removed.
func (it *item) fillTemplates(merged *unstructured.Unstructured) {
	if !isStatefulSet(it.object) || merged == nil {
		return
	}
	have := claimTemplates(it.live)
	for _, t := range claimTemplates(merged) {
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
				return // the template has no such shape, which the API server will say
			}
		}
	}
}

// growth decides about claim templates that ask for another size, and says
// what becomes of the claims. What stands in the way becomes problems, and
// the answer is empty. Whoever told by a policy that the StatefulSet be
// replaced whatever changes gets claims that keep their size, and a warning.
func (pl *planning) growth(ctx context.Context, it *item, sizes sizeChanges, policy ReplacePolicy, redactor *diff.Redactor) (reason string, err error) {
	told := policy == ReplaceRecreate || policy == ReplaceOrphan
	var said []string
	possible := true
	refuse := func(fields []string, message, hint string) {
		if told {
			it.change.Warnings = append(it.change.Warnings, message+"; only claims made from now on follow the template")
			return
		}
		possible = false
		it.problems = append(it.problems, Problem{Kind: ProblemImmutable, Object: it.object, Fields: fields, Message: message, Hint: hint})
	}
	newClaims := fmt.Sprintf("or, to change it for claims made from now on alone, annotate the StatefulSet with %s: orphan", AnnotationReplace)
	if policy == ReplaceNever {
		refuse([]string{sizes[0].path()}, fmt.Sprintf("storage of claim template %s changes from %s to %s, for which the StatefulSet is to be created again", sizes[0].template.name, &sizes[0].from, &sizes[0].to),
			fmt.Sprintf("the policy is never: leave out the annotation %s, or the rule of Options.Replace, and its pods and claims stay while it is", AnnotationReplace))
		return "", nil
	}
	claims, err := pl.e.claimsOf(ctx, it.object, claimTemplates(it.live))
	if apierrors.IsForbidden(err) {
		it.missing = append(it.missing, right{verb: "list", resource: "persistentvolumeclaims", namespace: it.object.Namespace})
		claims, err = nil, nil
	}
	if err != nil {
		return "", err
	}
	for _, s := range sizes {
		if s.to.Cmp(s.from) < 0 {
			refuse([]string{s.path()}, fmt.Sprintf("storage of claim template %s shrinks from %s to %s, and a claim cannot shrink", s.template.name, &s.from, &s.to),
				fmt.Sprintf("set it back to %s; or bring the data into another StatefulSet with smaller claims; %s", &s.from, newClaims))
			said = append(said, fmt.Sprintf("storage of claim template %s shrinks from %s to %s, and its claims keep their size", s.template.name, &s.from, &s.to))
			continue
		}
		of := slices.DeleteFunc(slices.Clone(claims), func(c heldClaim) bool { return c.template != s.template.name })
		grows, refusals, err := pl.grow(ctx, it, of, s.to, redactor)
		if err != nil {
			return "", err
		}
		for _, why := range refusals {
			refuse([]string{s.path()}, why, "set it back to "+s.from.String()+"; or let its class allow expansion, by allowVolumeExpansion: true, if its driver can do that; "+newClaims)
		}
		it.grows = append(it.grows, grows...)
		said = append(said, fmt.Sprintf("storage of claim template %s grows from %s to %s, which cannot change on a living StatefulSet, so %s grown first", s.template.name, &s.from, &s.to, are(len(grows))))
	}
	if !possible {
		it.grows, it.related = nil, nil
		return "", nil
	}
	pl.growingUpdate(it)
	return strings.Join(said, "; "), nil
}

func are(claims int) string {
	if claims == 1 {
		return "1 claim is"
	}
	return fmt.Sprintf("%d claims are", claims)
}

// grow says which of a template's claims grow to size, and why others cannot.
func (pl *planning) grow(ctx context.Context, it *item, claims []heldClaim, size resource.Quantity, redactor *diff.Redactor) (grows []claimGrowth, refusals []string, err error) {
	for _, c := range claims {
		asked := c.Spec.Resources.Requests.Storage()
		change := diff.Change{Object: c.object(), Action: diff.Unchanged}
		g := claimGrowth{claim: c, size: size, ask: asked.Cmp(size) < 0}
		switch {
		case c.DeletionTimestamp != nil:
			it.change.Warnings = append(it.change.Warnings, fmt.Sprintf("claim %s is being deleted, and does not grow", c.Name))
			continue
		case c.Status.Phase != corev1.ClaimBound:
			it.change.Warnings = append(it.change.Warnings, fmt.Sprintf("claim %s has no volume yet, and keeps asking for %s", c.Name, asked))
			continue
		case g.ask:
			why, err := pl.mayGrow(ctx, it, g, redactor)
			if err != nil {
				return nil, nil, err
			}
			if why != "" {
				refusals = append(refusals, why)
				continue
			}
			change.Action = diff.Updated
			change.Fields = []diff.Field{{Path: "spec.resources.requests.storage", Base: asked.String(), Live: asked.String(), Desired: size.String(), Cause: diff.Chart}}
			change.Reason = "it is grown before " + it.object.Kind + " " + it.object.Name + " is created again"
		case c.Status.Capacity.Storage().Cmp(size) >= 0:
			continue // it is that great already
		default:
			change.Reason = fmt.Sprintf("it was asked to grow to %s before, and is waited for", asked)
		}
		grows = append(grows, g)
		it.related = append(it.related, change)
	}
	return grows, refusals, nil
}

// mayGrow says why a claim cannot grow; empty if it can.
func (pl *planning) mayGrow(ctx context.Context, it *item, g claimGrowth, redactor *diff.Redactor) (string, error) {
	classes, err := pl.classes(ctx)
	if err != nil {
		return "", err
	}
	name := deref(g.claim.Spec.StorageClassName)
	class, known := classes.byName[name]
	switch {
	case name == "":
		return fmt.Sprintf("claim %s has a volume made by hand, without a StorageClass that could expand it", g.claim.Name), nil
	case !known && !classes.hidden:
		return fmt.Sprintf("claim %s cannot grow, because its StorageClass %s does not exist any more", g.claim.Name, name), nil
	case known && !class.expands:
		return fmt.Sprintf("claim %s cannot grow, because its StorageClass %s does not allow expansion", g.claim.Name, name), nil
	case pl.opts.DryRun == DryRunNone, class.own:
		// Of its own class, the API server knows only how it is now.
		return "", nil
	}
	_, err = pl.e.resizeClaim(ctx, g, true)
	switch {
	case err == nil:
		return "", nil
	case apierrors.IsForbidden(err) && lacksRight(err):
		it.missing = append(it.missing, right{verb: "patch", resource: "persistentvolumeclaims", namespace: it.object.Namespace})
		return "", nil
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), isAdmission(err):
		return fmt.Sprintf("claim %s cannot grow: %s", g.claim.Name, redactor.String(err.Error())), nil
	}
	return "", fmt.Errorf("ask whether claim %s may grow: %w", g.claim.Name, err)
}

// resizeClaim asks for the size, of the very claim that was looked at.
func (e *Engine) resizeClaim(ctx context.Context, g claimGrowth, dryRun bool) (*corev1.PersistentVolumeClaim, error) {
	patch := fmt.Sprintf(`{"metadata":{"uid":%q},"spec":{"resources":{"requests":{"storage":%q}}}}`, g.claim.UID, g.size.String())
	opts := metav1.PatchOptions{FieldManager: e.opts.FieldManager}
	if dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	return e.c.typed.CoreV1().PersistentVolumeClaims(g.claim.Namespace).Patch(ctx, g.claim.Name, types.MergePatchType, []byte(patch), opts)
}

// growingUpdate warns of what a StatefulSet that is created again forgets: it
// knows of no version before its present template.
func (pl *planning) growingUpdate(it *item) {
	current, _, _ := unstructured.NestedString(it.live.Object, "status", "currentRevision")
	update, _, _ := unstructured.NestedString(it.live.Object, "status", "updateRevision")
	partition := numberAt(it.desired, 0, "spec", "updateStrategy", "rollingUpdate", "partition")
	if partition > 0 && (current != update || slices.ContainsFunc(it.change.Fields, ofPodTemplate)) {
		it.change.Warnings = append(it.change.Warnings, fmt.Sprintf("pods below partition %d keep running as they are, but one that is made anew gets the new template, because the StatefulSet no longer knows the old one", partition))
	}
}
