package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// claimTemplate is one of a StatefulSet's volumeClaimTemplates.
type claimTemplate struct {
	index   int
	name    string
	object  map[string]any
	storage resource.Quantity // zero if it asks for none
}

func isStatefulSet(o diff.Object) bool { return o.Group == "apps" && o.Kind == "StatefulSet" }

func claimTemplates(u *unstructured.Unstructured) []claimTemplate {
	if u == nil {
		return nil
	}
	field, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "volumeClaimTemplates")
	list, _ := field.([]any)
	var out []claimTemplate
	for i, entry := range list {
		object, ok := entry.(map[string]any)
		if !ok {
			continue // the API server will say so
		}
		t := claimTemplate{index: i, object: object}
		t.name, _, _ = unstructured.NestedString(object, "metadata", "name")
		if size, ok, _ := unstructured.NestedFieldNoCopy(object, "spec", "resources", "requests", "storage"); ok {
			t.storage, _ = resource.ParseQuantity(fmt.Sprint(size)) // YAML may hold a number
		}
		out = append(out, t)
	}
	return out
}

func templateNamed(list []claimTemplate, name string) (claimTemplate, bool) {
	i := slices.IndexFunc(list, func(t claimTemplate) bool { return t.name == name })
	if i < 0 {
		return claimTemplate{}, false
	}
	return list[i], true
}

// heldClaim is a claim that a StatefulSet has made from a template.
type heldClaim struct {
	corev1.PersistentVolumeClaim
	template string
	ordinal  int
	pod      string // that uses it
}

// claimsOf lists the claims of a StatefulSet, by the names that its controller
// gives them, TEMPLATE-STATEFULSET-ORDINAL; also those that no pod uses any
// more. They are ordered as the templates and then by ordinal.
func (e *Engine) claimsOf(ctx context.Context, set diff.Object, templates []claimTemplate) ([]heldClaim, error) {
	if len(templates) == 0 {
		return nil, nil
	}
	list, err := e.c.typed.CoreV1().PersistentVolumeClaims(set.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the claims of %s: %w", set, err)
	}
	var out []heldClaim
	for _, t := range templates {
		from := len(out)
		for _, claim := range list.Items {
			number, ok := strings.CutPrefix(claim.Name, t.name+"-"+set.Name+"-")
			ordinal, err := strconv.ParseUint(number, 10, 31)
			if !ok || err != nil {
				continue
			}
			out = append(out, heldClaim{claim, t.name, int(ordinal), set.Name + "-" + number})
		}
		slices.SortFunc(out[from:], func(a, b heldClaim) int { return a.ordinal - b.ordinal })
	}
	return out, nil
}

func (c heldClaim) object() diff.Object {
	return diff.Object{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: c.Namespace, Name: c.Name}
}

// claimsOfRemoved names the claims of a StatefulSet that is deleted: no
// manifest does.
func (pl *planning) claimsOfRemoved(ctx context.Context, it *item) error {
	if !isStatefulSet(it.object) || it.live == nil || it.change.Action != diff.Deleted {
		return nil
	}
	return pl.claimsLeft(ctx, it, it.live, "whenDeleted", "the StatefulSet", func(int) bool { return true })
}

// claimsOfScaledDown names the claims whose pods a StatefulSet will not have
// any more.
func (pl *planning) claimsOfScaledDown(ctx context.Context, it *item, merged *unstructured.Unstructured) error {
	if !isStatefulSet(it.object) || it.live == nil || !it.change.Changed() || len(claimTemplates(it.live)) == 0 {
		return nil
	}
	had, will := podsOfSet(it.live), podsOfSet(merged)
	if will.from <= had.from && will.to >= had.to {
		return nil
	}
	return pl.claimsLeft(ctx, it, merged, "whenScaled", "its pod", func(n int) bool { return had.has(n) && !will.has(n) })
}

// claimsLeft lists along with a StatefulSet those of its claims whose pods go
// for good. policy is the field of its retention policy that decides.
func (pl *planning) claimsLeft(ctx context.Context, it *item, set *unstructured.Unstructured, policy, outlived string, goes func(ordinal int) bool) error {
	retention, _, _ := unstructured.NestedString(set.Object, "spec", "persistentVolumeClaimRetentionPolicy", policy)
	claims, err := pl.e.claimsOf(ctx, it.object, claimTemplates(it.live))
	if apierrors.IsForbidden(err) {
		it.related = append(it.related, diff.Change{
			Object: diff.Object{Version: "v1", Kind: "PersistentVolumeClaim", Namespace: it.object.Namespace, Name: "(of " + it.object.Name + ")"},
			Action: diff.Kept, Reason: "claims of a StatefulSet stay; without the right to list them their names are not known",
		})
		return nil
	}
	if err != nil {
		return err
	}
	for _, c := range claims {
		if !goes(c.ordinal) {
			continue
		}
		size := c.Status.Capacity.Storage()
		change := diff.Change{Object: c.object(), Action: diff.Kept, Reason: fmt.Sprintf("its data (%s) outlives %s; delete the claim to delete the data", size, outlived)}
		if retention == "Delete" {
			change.Action, change.Reason = diff.Deleted, fmt.Sprintf("persistentVolumeClaimRetentionPolicy.%s is Delete: its data (%s) go", policy, size)
		}
		it.related = append(it.related, change)
	}
	return nil
}

// ordinals are the numbers of a StatefulSet's pods: from, up to but not to.
type ordinals struct{ from, to int }

func (o ordinals) has(n int) bool { return o.from <= n && n < o.to }

func podsOfSet(u *unstructured.Unstructured) ordinals {
	start, replicas := numberAt(u, 0, "spec", "ordinals", "start"), numberAt(u, 1, "spec", "replicas")
	return ordinals{start, start + replicas}
}

// numberAt is a number of an object, which may be of either type that JSON is
// decoded to.
func numberAt(u *unstructured.Unstructured, missing int, path ...string) int {
	field, _, _ := unstructured.NestedFieldNoCopy(u.Object, path...)
	switch n := field.(type) {
	case int64:
		return int(n)
	case float64:
		return int(n)
	}
	return missing
}

// settleRelated tells what has become of the claims that the plan names along
// with an object, of which e tells.
func (r *run) settleRelated(it *item, e Event) {
	for ; it.told < len(it.related); it.told++ {
		c := it.related[it.told]
		switch e := e.(type) {
		case Failed:
			r.e.events.emit(Skipped{about(r.p.Key), c.Object, it.object.String() + " failed"})
		case Skipped:
			r.e.events.emit(Skipped{about(r.p.Key), c.Object, e.Reason})
		default:
			if c.Action == diff.Kept {
				r.e.events.emit(Kept{about(r.p.Key), c.Object, c.Reason})
				continue
			}
			r.e.events.emit(Applied{about(r.p.Key), c.Object, c.Action, 0})
		}
	}
}
