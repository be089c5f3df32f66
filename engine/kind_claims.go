package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// claimsOf are the claims of a StatefulSet, by the names that its controller
// gives them, TEMPLATE-STATEFULSET-ORDINAL, including those that no pod uses any
// more. They are ordered as the templates and then by ordinal.
func (j *judge) claimsOf(ctx context.Context, set diff.Object, templates []claimTemplate) ([]boundClaim, error) {
	if len(templates) == 0 {
		return nil, nil
	}
	claims, err := j.lister.claims(ctx, set.Namespace)
	if err != nil {
		return nil, fmt.Errorf("list the claims of %s: %w", set, err)
	}
	var out []boundClaim
	for _, t := range templates {
		from := len(out)
		for _, claim := range claims {
			number, ok := strings.CutPrefix(claim.Name, t.name+"-"+set.Name+"-")
			ordinal, err := strconv.ParseUint(number, 10, 31)
			if !ok || err != nil {
				continue
			}
			out = append(out, boundClaim{claim, t.name, int(ordinal), set.Name + "-" + number})
		}
		slices.SortFunc(out[from:], func(a, b boundClaim) int { return a.ordinal - b.ordinal })
	}
	return out, nil
}

// claimsOfDeleted are the claims of a StatefulSet that is deleted: no manifest
// names them.
func (j *judge) claimsOfDeleted(ctx context.Context, o *object) ([]diff.Change, error) {
	return j.claimsLeft(ctx, o, o.live, "whenDeleted", "the StatefulSet", func(int) bool { return true })
}

// claimsOfScaledDown are the claims whose pods a StatefulSet will no longer
// have.
func (j *judge) claimsOfScaledDown(ctx context.Context, o *object, merged *unstructured.Unstructured, change diff.Change) ([]diff.Change, error) {
	if !isStatefulSet(o.id) || !change.Changed() || len(claimTemplates(o.live)) == 0 {
		return nil, nil
	}
	had, will := podsOfSet(o.live), podsOfSet(merged)
	if will.from <= had.from && will.to >= had.to {
		return nil, nil
	}
	return j.claimsLeft(ctx, o, merged, "whenScaled", "its pod", func(n int) bool { return had.has(n) && !will.has(n) })
}

// claimsLeft are those claims of a StatefulSet whose pods are deleted for good.
// policy is the field of its retention policy that decides about them.
func (j *judge) claimsLeft(ctx context.Context, o *object, set *unstructured.Unstructured, policy, outlived string, goes func(ordinal int) bool) ([]diff.Change, error) {
	retention, _, _ := unstructured.NestedString(set.Object, "spec", "persistentVolumeClaimRetentionPolicy", policy)
	claims, err := j.claimsOf(ctx, o.id, claimTemplates(o.live))
	if apierrors.IsForbidden(err) {
		return []diff.Change{{
			Object: diff.Object{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: o.id.Namespace, Name: "(of " + o.id.Name + ")"},
			Action: diff.Kept, Reason: "claims of a StatefulSet stay; without the permission to list them their names are not known",
		}}, nil
	}
	if err != nil {
		return nil, err
	}
	var out []diff.Change
	for _, c := range claims {
		if !goes(c.ordinal) {
			continue
		}
		size := c.Status.Capacity.Storage()
		change := diff.Change{Object: c.object(), Action: diff.Kept, Reason: fmt.Sprintf("its data (%s) outlives %s; delete the claim to delete the data", size, outlived)}
		if retention == "Delete" {
			change.Action, change.Reason = diff.Deleted, fmt.Sprintf("persistentVolumeClaimRetentionPolicy.%s is Delete: its data (%s) is deleted", policy, size)
		}
		out = append(out, change)
	}
	return out, nil
}
