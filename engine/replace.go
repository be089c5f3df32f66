package engine

import (
	"context"
	"fmt"
	"hash/crc32"
	"path"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// ReplacePolicy says what is done about an object of which a field changes
// that the API server does not let change.
type ReplacePolicy string

const (
	// ReplaceNever reports a problem, and the plan is not applied. The
	// default, but for a StatefulSet of which only the storage grows.
	ReplaceNever ReplacePolicy = "Never"
	// ReplaceRecreate deletes the object with all that it owns, waits until
	// it is gone, and creates it again.
	ReplaceRecreate ReplacePolicy = "Recreate"
	// ReplaceOrphan deletes the object, leaves what it owns, and creates it
	// again.
	ReplaceOrphan ReplacePolicy = "Orphan"
)

// Replace is the policy for some objects. Empty parts match all; but objects
// with which data would go (PersistentVolumeClaim, PersistentVolume,
// Namespace, CustomResourceDefinition, and whatever has
// helm.sh/resource-policy: keep) are matched only by a rule that names their
// kind.
type Replace struct {
	// Kind is "Job", or "Job.batch" where two groups have one.
	Kind string
	// Name is a pattern of the object's name, with * and ?.
	Name   string
	Policy ReplacePolicy
}

// AnnotationReplace on an object of the release is its policy, in lower case:
// never, recreate, orphan. Options.Replace goes before it.
const AnnotationReplace = "fairlead.dev/replace"

func (r Replace) matches(it *item) bool {
	if r.Kind == "" && it.holdsData() || r.Kind != "" && r.Kind != it.object.Kind && r.Kind != it.object.Kind+"."+it.object.Group {
		return false
	}
	ok, err := path.Match(r.Name, it.object.Name)
	return r.Name == "" || err == nil && ok
}

func (it *item) holdsData() bool {
	switch it.object.Kind {
	case "PersistentVolumeClaim", "PersistentVolume", "Namespace", "CustomResourceDefinition":
		return true
	}
	return keeps(it.live)
}

// replacePolicy is the policy for the item; empty if nobody has set one.
func (pl *planning) replacePolicy(it *item) ReplacePolicy {
	for _, rule := range pl.e.opts.Replace {
		if rule.matches(it) {
			return rule.Policy
		}
	}
	text := it.desired.GetAnnotations()[AnnotationReplace]
	for _, p := range []ReplacePolicy{ReplaceNever, ReplaceRecreate, ReplaceOrphan} {
		if text == strings.ToLower(string(p)) {
			return p
		}
	}
	if text != "" {
		it.problem(ProblemInvalid, fmt.Sprintf("annotation %s is %q", AnnotationReplace, text), "it may be never, recreate or orphan")
	}
	return ""
}

// settleImmutable decides about fields that change and cannot: whether the
// object is replaced, or that is a problem.
func (pl *planning) settleImmutable(ctx context.Context, it *item, f forecast, redactor *diff.Redactor) error {
	if it.live == nil || f.confirmed {
		return nil // what the API server accepts can change
	}
	var refusal *Problem
	it.problems = slices.DeleteFunc(it.problems, func(p Problem) bool {
		if p.Kind == ProblemImmutable {
			refusal = &p
		}
		return p.Kind == ProblemImmutable
	})
	var reported []string
	if refusal != nil {
		reported = refusal.Fields
	}
	sizes := it.sizeChanges()
	fields := it.markImmutable(reported)
	if len(fields) == 0 && refusal == nil {
		return nil
	}
	fields = slices.DeleteFunc(fields, sizes.covers)

	policy := pl.replacePolicy(it)
	told := policy == ReplaceRecreate || policy == ReplaceOrphan
	var reasons []string
	possible := true
	if len(sizes) > 0 {
		reason, err := pl.growth(ctx, it, sizes, policy, redactor)
		if err != nil {
			return err
		}
		reasons, possible = append(reasons, reason), reason != ""
	}
	if len(fields) > 0 || len(sizes) == 0 {
		p := Problem{Kind: ProblemImmutable, Object: it.object, Fields: fields}
		if len(fields) == 0 {
			p.Message = refusal.Message // it did not name one
		} else {
			p.Message = fmt.Sprintf("%s cannot change on a living %s", strings.Join(fields, ", "), it.object.Kind)
		}
		p.Hint = fmt.Sprintf("set it back, or let it be replaced, by the annotation %s: recreate (or orphan, which leaves what it owns) or by Options.Replace", AnnotationReplace)
		why := it.forbidsReplacing(policy)
		if why != "" {
			p.Message += "; " + why
		}
		if !told || why != "" {
			it.problems = append(it.problems, p)
			possible = false
		}
		reasons = append(reasons, p.Message)
	}
	if !possible {
		it.related = nil
		return nil
	}
	if !told {
		policy = ReplaceOrphan // which is how storage grows
	}
	it.change.Action = diff.Replaced
	it.change.Reason = strings.Join(reasons, "; ") + ": " + consequence(it.object.Kind, policy)
	it.orphan = policy == ReplaceOrphan
	return pl.mayReplace(ctx, it, redactor)
}

// forbidsReplacing says why a policy cannot be followed; empty if it can.
func (it *item) forbidsReplacing(policy ReplacePolicy) string {
	if it.object.Group != "apps" || it.object.Kind != "StatefulSet" {
		return ""
	}
	retention, _, _ := unstructured.NestedString(it.live.Object, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted")
	selector := slices.ContainsFunc(it.change.Fields, func(f diff.Field) bool { return f.Immutable && isWithin(f.Path, "spec.selector") })
	switch {
	case policy == ReplaceRecreate && retention == "Delete":
		return "it is not deleted, because persistentVolumeClaimRetentionPolicy.whenDeleted is Delete and its data would go with it: set that to Retain first"
	case policy == ReplaceOrphan && selector:
		return "its pods cannot be left behind, because the new selector would not find them and their names would be taken"
	}
	return ""
}

// consequence says what replacing means for what runs and for data.
func consequence(kind string, policy ReplacePolicy) string {
	if policy == ReplaceOrphan {
		switch kind {
		case "StatefulSet":
			return "it is deleted without its pods and claims, and created again; they stay and are its own again"
		case "Deployment", "DaemonSet", "ReplicaSet":
			return "it is deleted without its pods, and created again; what its selector does not find runs on and belongs to nobody"
		case "Job":
			return "it is deleted without its pods, and created again, so that it runs once more beside them"
		}
		return "it is deleted without what it owns, and created again"
	}
	switch kind {
	case "StatefulSet":
		return "it is deleted with its pods, and created again; nothing of it runs in between; its claims and their data stay"
	case "Deployment", "DaemonSet", "ReplicaSet", "Pod":
		return "it is deleted with its pods, and created again; nothing of it runs in between"
	case "Job":
		return "it is deleted with its pods, and created again, so that it runs once more"
	case "Service":
		return "it is deleted and created again; nobody reaches it in between, and it may get another address"
	case "StorageClass":
		return "it is deleted and created again; the claims and volumes that there are stay as they are, new ones follow it"
	case "PersistentVolumeClaim":
		return "it is deleted when no pod uses it any more, AND ITS DATA WITH IT unless the volume's reclaim policy is Retain; then an empty one is created"
	case "PersistentVolume":
		return "it is deleted and created again; what becomes of its data is the storage driver's business"
	case "Namespace":
		return "it is deleted WITH ALL THAT IS IN IT, and created again"
	case "CustomResourceDefinition":
		return "it is deleted WITH ALL OBJECTS OF ITS KIND, and created again"
	case "RoleBinding", "ClusterRoleBinding":
		return "it is deleted and created again; in between its subjects lack the role"
	case "Secret", "ConfigMap":
		return "it is deleted and created again; pods that start in between wait for it"
	}
	return "it is deleted with what it owns, and created again"
}

// mayReplace finds out whether the object could be created as it shall be, which the API server does not say while it exists: it is
// asked about one of another name.
func (pl *planning) mayReplace(ctx context.Context, it *item, redactor *diff.Redactor) error {
	it.lostFields(pl)
	if pl.opts.DryRun == DryRunNone {
		return nil
	}
	if it.object.Kind == "CustomResourceDefinition" {
		return nil // its name is part of what it is
	}
	twin := *it
	twin.live, twin.desired = nil, it.desired.DeepCopy()
	name := it.object.Name
	twin.object.Name = fmt.Sprintf("%s-%08x", strings.TrimRight(name[:min(len(name), 40)], "-."), crc32.ChecksumIEEE([]byte(name)))
	twin.desired.SetName(twin.object.Name)
	withoutAllocated(twin.desired)
	_, err := pl.e.applyObject(ctx, &twin, true)
	switch {
	case err == nil:
		it.change.Local = false
	case apierrors.IsForbidden(err) && lacksRight(err):
		it.missing = append(it.missing, rightTo("patch", it), rightTo("create", it))
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), isUntyped(err):
		it.problem(ProblemInvalid, "it could not be created again: "+hide(redactor, it.object, err.Error()), mend)
	case apierrors.IsForbidden(err), isAdmission(err):
		// A quota counts the one that is there; a webhook may mind the name.
		it.change.Warnings = append(it.change.Warnings, "whether it may be created again is not known: "+hide(redactor, it.object, err.Error()))
	default:
		return fmt.Errorf("ask whether it could be created again: %w", err)
	}
	return nil
}

// withoutAllocated takes out of a Service what can be given only once.
func withoutAllocated(u *unstructured.Unstructured) {
	if u.GetKind() != "Service" || u.GetAPIVersion() != "v1" {
		return
	}
	if ip, _, _ := unstructured.NestedString(u.Object, "spec", "clusterIP"); ip != "None" {
		unstructured.RemoveNestedField(u.Object, "spec", "clusterIP")
		unstructured.RemoveNestedField(u.Object, "spec", "clusterIPs")
	}
	unstructured.RemoveNestedField(u.Object, "spec", "healthCheckNodePort")
	ports, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "ports")
	if ports, ok := ports.([]any); ok {
		for _, p := range ports {
			if p, ok := p.(map[string]any); ok {
				delete(p, "nodePort")
			}
		}
	}
}

// fieldsOfNobody are field managers whose fields come back by themselves.
var fieldsOfNobody = regexp.MustCompile(`^(kube-controller-manager|kube-scheduler|kubelet|before-first-apply)$`)

// lostFields warns of what other field managers have set: it goes with the
// object. The number of replicas is kept.
func (it *item) lostFields(pl *planning) {
	former := append(pl.formerManagers(it.live), pl.manager)
	var others []string
	for _, e := range it.live.GetManagedFields() {
		if e.Subresource == "" && !slices.Contains(former, e.Manager) && !fieldsOfNobody.MatchString(e.Manager) {
			others = appendNew(others, e.Manager)
		}
	}
	if len(others) > 0 {
		it.change.Warnings = append(it.change.Warnings, "what these have set on it, beside the number of replicas, goes with it: "+strings.Join(others, ", "))
	}
	if _, ok, _ := unstructured.NestedFieldNoCopy(it.desired.Object, "spec", "replicas"); ok {
		return
	}
	if have, ok, _ := unstructured.NestedFieldCopy(it.live.Object, "spec", "replicas"); ok && it.live.GetKind() != "Pod" {
		if err := setField(it.desired, have, "spec", "replicas"); err != nil {
			return // spec is no map, which the API server will say
		}
	}
}

// deleteToReplace deletes the very object that was looked at.
func (e *Engine) deleteToReplace(ctx context.Context, it *item) error {
	uid, propagation := it.live.GetUID(), metav1.DeletePropagationForeground
	if it.orphan {
		propagation = metav1.DeletePropagationOrphan
	}
	return e.c.resource(it.mapping, it.object.Namespace).Delete(ctx, it.object.Name, metav1.DeleteOptions{
		PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid},
	})
}
