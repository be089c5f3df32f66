package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/merge"
)

func (o Ownership) matches(manager, fieldPath string, object diff.Object) bool {
	if o.Kind != "" && !namesKind(o.Kind, object) {
		return false
	}
	if o.Manager != "" {
		if ok, err := path.Match(o.Manager, manager); err != nil || !ok {
			return false
		}
	}
	return o.Path == "" || isWithin(fieldPath, o.Path)
}

// namesKind reports whether name is the object's kind: "Deployment", or
// "Deployment.apps".
func namesKind(name string, o diff.Object) bool {
	return name == o.Kind || name == o.Kind+"."+o.Group
}

// settle decides by policy what becomes of a field that another manager owns.
func (p premise) settle(manager, fieldPath string, o diff.Object) Settle {
	if p.policy.force || p.isSetParent(o) || p.field != "" && isWithin(fieldPath, p.field) {
		return Take
	}
	for _, rule := range p.policy.ownership {
		if rule.matches(manager, fieldPath, o) {
			return rule.Settle
		}
	}
	if p.mode.undoesDrift() {
		return Take
	}
	return Fail
}

// isSetParent reports whether an object is the parent of the apply set that is
// wanted: a tool takes its own fields in it from any manager, as kubectl does.
func (p premise) isSetParent(o diff.Object) bool {
	return p.set.wanted && identity(o) == setParentOf(p.key)
}

// settle decides what becomes of a field of a live object that another manager
// owns. Beyond the policy, the release takes replicas that an autoscaler set
// which no longer exists, the rules of a role that is no longer aggregated, and,
// on the way back from a revision that failed, the fields that it had applied
// before.
func (j *judge) settle(o *object, manager, fieldPath string) Settle {
	if s := j.premise.settle(manager, fieldPath, o.id); s != Fail {
		return s
	}
	switch {
	case fieldPath == "spec.replicas" && j.scalers[identity(o.id)] == "" && (manager == replicaManager || j.released[identity(o.id)]):
		return Take
	case fieldPath == "rules" && manager == aggregationManager && o.stopsAggregating():
		return Take
	case j.mode == rollingBack && !wasHealthy(j.history.last.Status) && wasApplied(o, fieldPath):
		return Take
	}
	return Fail
}

// replicaManager is the field manager under which the HorizontalPodAutoscaler
// controller scales a workload.
const replicaManager = "kube-controller-manager"

// wasApplied reports whether a revision that counts has applied the field.
func wasApplied(o *object, fieldPath string) bool {
	return slices.ContainsFunc(o.candidates, func(c candidate) bool {
		_, found, err := diff.Lookup(c.object, fieldPath)
		return err == nil && found
	})
}

// takesAll reports whether all these fields of a manager are taken.
func (j *judge) takesAll(o *object, manager string, fields []string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool { return j.settle(o, manager, f) != Take })
}

// clientSideApply is the manager of kubectl apply without --server-side.
const clientSideApply = "kubectl-client-side-apply"

// formerManagers are the field managers whose fields in the live object count
// as the release's own: those of Options.FormerManagers; those that recorded a
// revision, or wrote the release's mark into the object by other means than
// server-side apply, which is how Helm writes, under the name of whatever
// program it is built into; and, of an object that is being adopted, kubectl's
// client-side apply.
func (p premise) formerManagers(live *unstructured.Unstructured) []string {
	managers := slices.DeleteFunc(slices.Clone(p.policy.formerManagers), isPattern)
	if live == nil {
		return managers
	}
	for _, entry := range live.GetManagedFields() {
		if p.isFormer(entry.Manager) {
			managers = appendNew(managers, entry.Manager)
		}
	}
	switch owner(live) {
	case p.key:
		managers = appendNew(p.history.recorders(managers), p.manager) // for what it wrote by a patch
		if len(live.GetManagedFields()) == 0 {
			// The API server takes all of it for another manager's.
			return appendNew(managers, merge.UnmanagedFields)
		}
	case Key{}:
		if p.policy.adopt {
			managers = appendNew(managers, clientSideApply)
		}
		if live.GroupVersionKind().GroupKind() == crdKind { // those of crds/ have no mark
			managers = p.history.recorders(managers)
		}
		return managers
	default:
		return managers
	}
	for _, entry := range live.GetManagedFields() {
		if entry.Operation == metav1.ManagedFieldsOperationUpdate && ownsMark(entry) {
			managers = appendNew(managers, entry.Manager)
		}
	}
	return managers
}

// isFormer reports whether Options.FormerManagers has a field manager.
func (p premise) isFormer(manager string) bool {
	return slices.ContainsFunc(p.policy.formerManagers, func(pattern string) bool {
		ok, err := path.Match(pattern, manager)
		return pattern == manager || err == nil && ok
	})
}

// formerOf are the former managers of a live object, and what of them becomes
// the release's own: what they applied last. Of an object that is being adopted
// that is all that managers of Options.FormerManagers own, unless kubectl's
// annotation says so; but not fields that cannot change and that the manifest
// leaves to their defaults.
func (j *judge) formerOf(in intended) merge.Former {
	out := merge.Former{Managers: j.formerManagers(in.live), Base: lastApplied(in.object), Desired: in.body, Mark: annotationName, Reversion: in.reversion}
	if in.live == nil || in.base != nil || in.origin == fromCRDs || !j.policy.adopt {
		return out
	}
	for _, name := range out.Managers {
		if name != helmManager && j.isFormer(name) {
			out.Entire = append(out.Entire, name)
		}
	}
	out.Leave = func(fieldPath string) bool {
		_, wanted, err := diff.Lookup(in.body, fieldPath)
		return err == nil && !wanted && isFrozen(in.live, in.id, fieldPath)
	}
	return out
}

// mayBeFormer reports whether the manager of an entry of managedFields, as it
// is in the object, may be one of formerManagers.
func (p premise) mayBeFormer(entry map[string]any) bool {
	name, _ := entry["manager"].(string)
	if name == clientSideApply || name == p.manager || p.isFormer(name) || slices.Contains(p.history.recorders(nil), name) {
		return true
	}
	_, marks, _ := unstructured.NestedFieldNoCopy(entry, "fieldsV1", "f:metadata", "f:annotations", "f:"+annotationName)
	return marks && entry["operation"] == string(metav1.ManagedFieldsOperationUpdate)
}

// lastApplied is the configuration that the former managers of the live object
// applied last: the release's, or what kubectl wrote down; nil: not known.
func lastApplied(o *object) *unstructured.Unstructured {
	if o.base != nil || o.live == nil {
		return o.base
	}
	if o.origin == fromCRDs { // no revision holds it: all that Helm wrote into it was the chart's
		return o.live
	}
	text := o.live.GetAnnotations()[corev1.LastAppliedConfigAnnotation]
	u := &unstructured.Unstructured{}
	if text == "" || json.Unmarshal([]byte(text), &u.Object) != nil || identity(diff.ObjectOf(u)) != identity(o.id) {
		return nil
	}
	return u
}

// ownershipProblems are what keeps a live object from becoming, or staying, the
// release's. What would change in it is shown all the same.
func (j *judge) ownershipProblems(ctx context.Context, o *object) ([]Problem, error) {
	out := j.setProblems(o)
	if o.live == nil {
		return out, nil
	}
	if o.origin != fromCRDs {
		owned, err := j.releaseProblems(ctx, o)
		if err != nil {
			return nil, err
		}
		out = append(owned, out...)
	}
	if o.live.GetDeletionTimestamp() != nil {
		out = append(out, newProblem(ProblemTerminating, o.id, "it is being deleted and still exists", "wait until it is gone; a finalizer may block the deletion"))
	}
	return out, nil
}

func (j *judge) releaseProblems(ctx context.Context, o *object) ([]Problem, error) {
	other := owner(o.live)
	switch {
	case other == j.key, j.policy.adopt && other == (Key{}):
		return nil, nil
	case other == (Key{}):
		return []Problem{newProblem(ProblemUnowned, o.id, "it exists already and belongs to no release", "set Release.Adopt to take it over, or rename it")}, nil
	}
	uninstalled := false
	if j.reveals(diff.Object{Version: "v1", Kind: "Secret", Namespace: other.Namespace}) {
		var err error
		if uninstalled, err = j.lister.uninstalled(ctx, other); err != nil {
			return nil, err
		}
	}
	switch {
	case !uninstalled:
		return []Problem{newProblem(ProblemOwned, o.id, fmt.Sprintf("it belongs to release %s", other), "rename it here, or remove it there first")}, nil
	case !j.policy.adopt:
		return []Problem{newProblem(ProblemUnowned, o.id, fmt.Sprintf("it was kept from release %s, which is uninstalled", other), "set Release.Adopt to take it over, or rename it")}, nil
	}
	return nil, nil
}

// setProblems are apply sets of others that the object, or what is live of it,
// is a member or the parent of: its manager may prune it.
func (j *judge) setProblems(o *object) []Problem {
	if o.isSetParent() {
		if o.live == nil {
			return nil
		}
		tool, _, _ := strings.Cut(o.live.GetAnnotations()[annotationTooling], "/")
		if tool != "" && tool != setTool {
			return []Problem{newProblem(ProblemOwned, o.id, fmt.Sprintf("it is the parent of an apply set of %s", tool), "delete it there first, or leave Options.ApplySet unset")}
		}
		return nil
	}
	var out []Problem
	chart := otherSet(o.desired, j.set)
	member := j.set.wanted || j.set.keeps && partOf(o.live) == j.set.id
	if chart != "" && member && o.origin != fromCRDs {
		out = append(out, newProblem(ProblemInvalid, o.id, fmt.Sprintf("the chart puts it into an apply set of its own, %s", chart),
			"leave the label "+labelPartOf+" out of the chart, or leave Options.ApplySet unset"))
	}
	if o.live == nil || o.origin == fromCRDs {
		return out
	}
	other := partOf(o.live)
	if other == "" || other == j.set.id || other == partOf(o.desired) || !j.set.wanted && owner(o.live) == j.key {
		return out
	}
	return append(out, newProblem(ProblemOwned, o.id, fmt.Sprintf("it is part of another apply set, %s", other), "remove it from that set first, or rename it here"))
}
