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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

func (r Replace) matches(o *object) bool {
	if r.Kind == "" && holdsData(o) || r.Kind != "" && !namesKind(r.Kind, o.id) {
		return false
	}
	ok, err := path.Match(r.Name, o.id.Name)
	return r.Name == "" || err == nil && ok
}

// holdsData reports whether data is lost with the object.
func holdsData(o *object) bool {
	switch o.id.Kind {
	case "PersistentVolumeClaim", "PersistentVolume", "Namespace", "CustomResourceDefinition":
		return true
	}
	return diff.Keeps(o.live)
}

// replacePolicy is the policy for an object; empty if none is set. An
// annotation with another value is a problem.
func (p premise) replacePolicy(o *object) (ReplacePolicy, []Problem) {
	for _, rule := range p.policy.replace {
		if rule.matches(o) {
			return rule.Policy, nil
		}
	}
	text := annotation(o.desired, AnnotationReplace)
	if text == "" {
		return "", nil
	}
	var accepted []string
	for _, p := range replacePolicies {
		name := strings.ToLower(string(p.policy))
		if text == name {
			return p.policy, nil
		}
		accepted = append(accepted, name)
	}
	return "", []Problem{newProblem(ProblemInvalid, o.id, fmt.Sprintf("annotation %s is %q", AnnotationReplace, text), "accepted are "+strings.Join(accepted, ", "))}
}

// judgeReplacement decides whether the object is replaced: where fields change
// that cannot, by the policy for it, or that is a problem. It adds to v, and
// changes nothing of it but the marks of such fields.
func (j *judge) judgeReplacement(ctx context.Context, in intended, f prediction, v verdict) (verdict, error) {
	var stuck []diff.Field
	if in.live != nil {
		stuck = stuckFields(in, f.merged)
	}
	if in.live == nil || f.confirmed && len(stuck) == 0 {
		return v, nil // what the API server accepts can change
	}
	if f.confirmed {
		v.change.Fields, v.change.Action = append(slices.Clip(v.change.Fields), stuck...), diff.Updated
	}
	refused := f.refusal.immutable
	var reported []string
	if refused != nil {
		reported = refused.Fields
	}
	sizes := sizeChangesOf(in.object, f.body)
	var fields []string
	if v.change.Fields, fields = markImmutable(in.object, v.change.Fields, reported); len(fields) == 0 && refused == nil {
		return v, nil
	}
	fields = slices.DeleteFunc(fields, sizes.covers)

	policy, problems := j.replacePolicy(in.object)
	v.problems = append(v.problems, problems...)
	var reasons []string
	possible := true
	if len(sizes) > 0 {
		g, err := j.planGrowth(ctx, in.object, sizes, policy)
		if err != nil {
			return verdict{}, err
		}
		v.problems, v.missing = append(v.problems, g.problems...), append(v.missing, g.missing...)
		v.change.Warnings = append(v.change.Warnings, g.warnings...)
		v.related, v.write.growth = g.related, g.grows
		if possible = g.possible; possible {
			if w := partitionWarning(in, f.body, v.change); w != "" {
				v.change.Warnings = append(v.change.Warnings, w)
			}
		}
		reasons = append(reasons, g.reason)
	}
	if len(fields) > 0 || len(sizes) == 0 {
		p, forbidden := immutableProblem(in.object, v.change, fields, refused, policy)
		if !policy.replaces() || forbidden {
			v.problems = append(v.problems, p)
			possible = false
		}
		reasons = append(reasons, p.Message)
	}
	if !possible {
		v.related, v.write.growth = nil, nil
		return v, nil
	}
	return j.replaced(ctx, in, f, v, policy, strings.Join(reasons, "; "))
}

// immutableProblem says which fields cannot change, and what can be done.
// forbidden reports that a policy that replaces the object cannot be followed.
func immutableProblem(o *object, change diff.Change, fields []string, refused *Problem, policy ReplacePolicy) (p Problem, forbidden bool) {
	p = newProblem(ProblemImmutable, o.id, "", fmt.Sprintf(
		"set it back, or let it be replaced, by the annotation %s: recreate (or orphan, which leaves what it owns) or by Options.Replace", AnnotationReplace), fields...)
	if len(fields) == 0 {
		p.Message = refused.Message // the API server named no field
	} else {
		p.Message = fmt.Sprintf("%s cannot change on a live %s", strings.Join(fields, ", "), o.id.Kind)
	}
	if why := forbidsReplacing(o, change, policy); why != "" {
		p.Message += "; " + why
		return p, true
	}
	return p, false
}

// replaced is the verdict on an object that is deleted and created again.
func (j *judge) replaced(ctx context.Context, in intended, f prediction, v verdict, policy ReplacePolicy, reason string) (verdict, error) {
	if !policy.replaces() {
		policy = ReplaceOrphan // which is how storage grows
	}
	v.change.Action = diff.Replaced
	v.change.Reason = reason + ": " + consequence(in.id.Kind, policy)
	v.write.replace = replacedWithDependents
	if policy == ReplaceOrphan {
		v.write.replace = replacedOrphaning
	}
	if w := j.lostFields(in.object); w != "" {
		v.change.Warnings = append(v.change.Warnings, w)
	}
	v.write.body = keepLiveReplicas(in.object, f.body)
	return j.tryRecreate(ctx, in, f, v)
}

// forbidsReplacing is why a policy cannot be followed; empty: it can.
func forbidsReplacing(o *object, change diff.Change, policy ReplacePolicy) string {
	if !isStatefulSet(o.id) {
		return ""
	}
	retention, _, _ := unstructured.NestedString(o.live.Object, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted")
	selector := slices.ContainsFunc(change.Fields, func(f diff.Field) bool { return f.Immutable && isWithin(f.Path, "spec.selector") })
	switch {
	case policy == ReplaceRecreate && retention == "Delete":
		return "it is not deleted, because persistentVolumeClaimRetentionPolicy.whenDeleted is Delete and its data would be deleted with it: set that to Retain first"
	case policy == ReplaceOrphan && selector:
		return "its pods cannot be orphaned, because the new selector would not match them and their names would be taken"
	}
	return ""
}

// consequence is what replacing means for what runs and for data.
func consequence(kind string, policy ReplacePolicy) string {
	if policy == ReplaceOrphan {
		switch kind {
		case "StatefulSet":
			return "it is deleted without its pods and claims, and created again; they stay and are adopted by it"
		case "Deployment", "DaemonSet", "ReplicaSet":
			return "it is deleted without its pods, and created again; pods that its selector does not match keep running without an owner"
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
		return "it is deleted and created again; it cannot be reached in between, and may get another address"
	case "StorageClass":
		return "it is deleted and created again; existing claims and volumes stay as they are, new ones follow it"
	case "PersistentVolumeClaim":
		return "it is deleted when no pod uses it any more, AND ITS DATA WITH IT unless the volume's reclaim policy is Retain; then an empty one is created"
	case "PersistentVolume":
		return "it is deleted and created again; what happens to its data is up to the storage driver"
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

// tryRecreate finds out whether the object could be created, which the API
// server does not say while it exists: it is asked about one of another name.
func (j *judge) tryRecreate(ctx context.Context, in intended, f prediction, v verdict) (verdict, error) {
	o := in.object
	if j.asking.DryRun == DryRunNone || o.isDefinition() { // a CRD's name follows from its spec
		return v, nil
	}
	twin, name := o.target, o.id.Name
	twin.id.Name = fmt.Sprintf("%s-%08x", strings.TrimRight(name[:min(len(name), 40)], "-."), crc32.ChecksumIEEE([]byte(name)))
	body := v.write.body.DeepCopy()
	body.SetName(twin.id.Name)
	removeAllocated(body)
	created, err := j.dryRun.dryRunApply(ctx, twin, body, v.write.force)
	switch {
	case err == nil:
		v.change.Local = false
		if v.change.Fields, err = j.withReallocated(in, f, v.change.Fields, created); err != nil {
			return verdict{}, err
		}
	case apierrors.IsForbidden(err) && lacksPermission(err):
		v.missing = append(v.missing, permissionTo("patch", o.target), permissionTo("create", o.target))
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), isUntyped(err):
		v.problems = append(v.problems, newProblem(ProblemInvalid, o.id, "it could not be created again: "+hide(j.redactor, o.id, err.Error()), fixTemplate))
	case apierrors.IsForbidden(err), isAdmission(err):
		// A quota counts the existing one; a webhook may refuse the name.
		v.change.Warnings = append(v.change.Warnings, "whether it can be created again is not known: "+hide(j.redactor, o.id, err.Error()))
	default:
		return verdict{}, fmt.Errorf("ask whether it could be created again: %w", err)
	}
	return v, nil
}

// controllers are field managers that set their fields again by themselves.
var controllers = regexp.MustCompile(`^(kube-controller-manager|kube-scheduler|kubelet|before-first-apply)$`)

// lostFields warns of what other field managers have set, which is lost with
// the object; empty: nothing.
func (j *judge) lostFields(o *object) string {
	former := append(j.formerManagers(o.live), j.manager)
	var others []string
	for _, e := range o.live.GetManagedFields() {
		if e.Subresource == "" && !slices.Contains(former, e.Manager) && !controllers.MatchString(e.Manager) {
			others = appendNew(others, e.Manager)
		}
	}
	if len(others) == 0 {
		return ""
	}
	return "fields set by these managers are lost, except the number of replicas: " + strings.Join(others, ", ")
}

// keepLiveReplicas is body with the live number of replicas where it sets none.
func keepLiveReplicas(o *object, body *unstructured.Unstructured) *unstructured.Unstructured {
	if _, ok, _ := unstructured.NestedFieldNoCopy(body.Object, replicasAt...); ok || o.id.Kind == "Pod" {
		return body
	}
	have, ok, _ := unstructured.NestedFieldCopy(o.live.Object, replicasAt...)
	if !ok {
		return body
	}
	out, err := withField(body, have, replicasAt...)
	if err != nil {
		return body // spec is not a mapping, which the API server refuses
	}
	return out
}
