package readiness

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// reasonProgressDeadline is the Deployment controller's own word.
const reasonProgressDeadline = "ProgressDeadlineExceeded"

// progressing fills in a status that is not there yet.
func (s Status) progressing(reason, format string, args ...any) Status {
	s.State, s.Reason, s.Message = Progressing, reason, fmt.Sprintf(format, args...)
	return s
}

func (s Status) failed(reason, message string) Status {
	s.State, s.Reason, s.Message = Failed, reason, message
	return s
}

func (s Status) ready(reason, message string) Status {
	s.State, s.Reason, s.Message = Ready, reason, message
	return s
}

// observed reports whether the controller has written a status at all. The
// generations were compared before.
func observed(obj *unstructured.Unstructured) bool {
	_, ok := integer(obj, "status", "observedGeneration")
	return ok
}

// deployment is ready when every replica is of the new ReplicaSet and
// available, and no pod of an old one is left: what `kubectl rollout status`
// calls complete. The conditions are not used, since they lag behind and are
// missing at zero replicas.
func deployment(obj *unstructured.Unstructured) Status {
	st := Status{
		Desired: countOr(obj, 1, "spec", "replicas"),
		Updated: count(obj, "status", "updatedReplicas"),
	}
	total, available := count(obj, "status", "replicas"), count(obj, "status", "availableReplicas")
	// Old pods keep serving during a rollout; only new ones count, and the
	// status does not show how many of the available ones are new.
	old := max(0, total-st.Updated)
	st.Ready = min(st.Updated, max(0, available-old))
	if st.Updated >= st.Desired && old == 0 {
		st.Ready = available
	}
	if !observed(obj) {
		return st.progressing("NotObserved", "its controller has not observed it yet")
	}
	if truth(obj, "spec", "paused") {
		return st.ready("Paused", "the rollout is paused (spec.paused)")
	}
	if c, ok := conditionOf(obj, "Progressing"); ok && c.Reason == reasonProgressDeadline {
		return st.failed(reasonProgressDeadline, cmp.Or(c.Message, "the progress deadline is exceeded"))
	}
	switch {
	case st.Updated < st.Desired:
		return st.progressing("Updating", "%s", podsOf(st.Updated, st.Desired, "are of the new revision")+terminatingPods(obj))
	case old > 0:
		return st.progressing("OldPodsLeft", "%s", counted(old, "pod of an old revision is still there", "pods of an old revision are still there"))
	case total > st.Desired:
		return st.progressing("ScalingDown", "%s", counted(total-st.Desired, "pod too many is still there", "pods too many are still there"))
	case available < st.Desired:
		return st.progressing("Unavailable", "%s", podsOf(available, st.Desired, "are available")+terminatingPods(obj))
	case st.Desired == 0:
		return st.ready("ScaledToZero", "scaled to 0")
	}
	return st.ready("Available", podsOf(available, st.Desired, "are available"))
}

// terminatingPods says how many pods are on their way out, and that new ones wait
// for them where the workload asks for that; empty if there are none.
func terminatingPods(obj *unstructured.Unstructured) string {
	n := count(obj, "status", "terminatingReplicas")
	if n == 0 {
		return ""
	}
	s := "; " + counted(n, "pod is still terminating", "pods are still terminating")
	if text(obj, "spec", "podReplacementPolicy") == "TerminationComplete" || text(obj, "spec", "strategy", "type") == "Recreate" {
		s += ", and new ones are created when they are gone"
	}
	return s
}

// statefulSet is ready when all pods are ready and those that the strategy
// updates (all, the ordinals from the partition on, none with OnDelete) are of
// the update revision.
func statefulSet(obj *unstructured.Unstructured) Status {
	st := Status{
		Desired: countOr(obj, 1, "spec", "replicas"),
		Updated: count(obj, "status", "updatedReplicas"),
		Ready:   count(obj, "status", "readyReplicas"),
	}
	total := count(obj, "status", "replicas")
	if !observed(obj) {
		return st.progressing("NotObserved", "its controller has not observed it yet")
	}
	partition := countOr(obj, 0, "spec", "updateStrategy", "rollingUpdate", "partition")
	wantUpdated := max(0, st.Desired-partition)
	onDelete := text(obj, "spec", "updateStrategy", "type") == "OnDelete"
	if onDelete {
		wantUpdated = 0
	}
	switch {
	case total < st.Desired:
		return st.progressing("Creating", "%s", podsOf(total, st.Desired, "exist"))
	case total > st.Desired:
		return st.progressing("ScalingDown", "%s", counted(total-st.Desired, "pod too many is still there", "pods too many are still there"))
	case st.Updated < wantUpdated:
		return st.progressing("Updating", "%s", podsOf(st.Updated, wantUpdated, "are of the new revision"))
	case st.Ready < st.Desired:
		return st.progressing("Unready", "%s", podsOf(st.Ready, st.Desired, "are ready"))
	}
	if countOr(obj, 0, "spec", "minReadySeconds") > 0 {
		if available := count(obj, "status", "availableReplicas"); available < st.Desired {
			return st.progressing("Unavailable", "%s", podsOf(available, st.Desired, "are available"))
		}
	}
	current, update := text(obj, "status", "currentRevision"), text(obj, "status", "updateRevision")
	switch {
	case st.Desired == 0:
		return st.ready("ScaledToZero", "scaled to 0")
	case onDelete && current != update && st.Updated < st.Desired:
		return st.ready("OnDelete", fmt.Sprintf("%s ready, %d of them of the new revision: the strategy OnDelete updates a pod when it is deleted", counted(st.Ready, "pod is", "pods are"), st.Updated))
	case partition > 0 && st.Updated < st.Desired:
		return st.ready("PartitionUpdated", fmt.Sprintf("%s ready, %d of them of the new revision (partition %d)", counted(st.Ready, "pod is", "pods are"), st.Updated, partition))
	case partition == 0 && !onDelete && current != update:
		return st.progressing("Updating", "all pods are updated, the revision is not yet recorded as current")
	}
	return st.ready("Ready", podsOf(st.Ready, st.Desired, "are ready"))
}

// daemonSet is ready when each node that should run a pod runs an available
// one, of the current template unless the strategy is OnDelete.
func daemonSet(obj *unstructured.Unstructured) Status {
	st := Status{
		Desired: count(obj, "status", "desiredNumberScheduled"),
		Updated: count(obj, "status", "updatedNumberScheduled"),
		Ready:   count(obj, "status", "numberAvailable"),
	}
	if !observed(obj) {
		return st.progressing("NotObserved", "its controller has not observed it yet")
	}
	onDelete := text(obj, "spec", "updateStrategy", "type") == "OnDelete"
	switch {
	case !onDelete && st.Updated < st.Desired:
		return st.progressing("Updating", "%d of %d nodes run the new revision", st.Updated, st.Desired)
	case st.Ready < st.Desired:
		return st.progressing("Unavailable", "the pods of %d of %s are available", st.Ready, counted(st.Desired, "node", "nodes"))
	case st.Desired == 0:
		return st.ready("NoNodes", "no node matches it")
	}
	return st.ready("Available", fmt.Sprintf("the pods of %d of %s are available", st.Ready, counted(st.Desired, "node", "nodes")))
}

// replicaSet is the rule of ReplicaSets and ReplicationControllers without an owner.
func replicaSet(obj *unstructured.Unstructured) Status {
	st := Status{
		Desired: countOr(obj, 1, "spec", "replicas"),
		Ready:   count(obj, "status", "availableReplicas"),
	}
	total := count(obj, "status", "replicas")
	st.Updated = min(total, st.Desired)
	switch {
	case !observed(obj):
		return st.progressing("NotObserved", "its controller has not observed it yet")
	case total > st.Desired:
		return st.progressing("ScalingDown", "%s", counted(total-st.Desired, "pod too many is still there", "pods too many are still there"))
	case st.Ready < st.Desired:
		return st.progressing("Unavailable", "%s", podsOf(st.Ready, st.Desired, "are available"))
	case st.Desired == 0:
		return st.ready("ScaledToZero", "scaled to 0")
	}
	return st.ready("Available", podsOf(st.Ready, st.Desired, "are available"))
}

// job is ready when it is complete. A suspended Job counts as ready, as it runs
// only once it is resumed.
func job(obj *unstructured.Unstructured) Status {
	st := Status{
		Desired: countOr(obj, 1, "spec", "completions"),
		Ready:   count(obj, "status", "succeeded"),
	}
	st.Updated = st.Ready
	if c, ok := conditionOf(obj, "Complete"); ok && c.isTrue() {
		return st.ready("Complete", counted(st.Ready, "pod", "pods")+" succeeded")
	}
	// FailureTarget comes before Failed, while the last pods still terminate.
	for _, kind := range []string{"Failed", "FailureTarget"} {
		if c, ok := conditionOf(obj, kind); ok && c.isTrue() {
			return st.failed(cmp.Or(c.Reason, "JobFailed"), cmp.Or(c.Message, "the Job has failed"))
		}
	}
	if c, ok := conditionOf(obj, "SuccessCriteriaMet"); ok && c.isTrue() {
		return st.progressing(cmp.Or(c.Reason, "SuccessCriteriaMet"), "it has succeeded, and its last pods are terminating")
	}
	active, bad := count(obj, "status", "active"), count(obj, "status", "failed")
	switch {
	case truth(obj, "spec", "suspend"):
		return st.ready("Suspended", "the Job is suspended (spec.suspend)")
	case text(obj, "status", "startTime") == "":
		return st.progressing("NotStarted", "its controller has not started it yet")
	case bad > 0:
		return st.progressing("Running", "%d of %d completions, %s running, %d failed", st.Ready, st.Desired, counted(active, "pod", "pods"), bad)
	}
	return st.progressing("Running", "%d of %d completions, %s running", st.Ready, st.Desired, counted(active, "pod", "pods"))
}

// pod is ready when its Ready condition is true, or when it has succeeded.
func pod(obj *unstructured.Unstructured) Status {
	st := Status{Desired: 1}
	switch phase := text(obj, "status", "phase"); phase {
	case "Succeeded":
		st.Ready = 1
		return st.ready("Completed", "it has succeeded")
	case "Failed":
		return st.failed(cmp.Or(text(obj, "status", "reason"), "PodFailed"), cmp.Or(text(obj, "status", "message"), "it has failed"))
	case "Running":
		c, _ := conditionOf(obj, "Ready")
		if c.isTrue() {
			st.Ready = 1
			return st.ready("Ready", "it is ready")
		}
		return st.progressing(cmp.Or(c.Reason, "Unready"), "%s", cmp.Or(c.Message, "it runs but is not ready"))
	default:
		if c, ok := conditionOf(obj, "PodScheduled"); ok && c.isFalse() {
			return st.progressing(cmp.Or(c.Reason, "Pending"), "%s", cmp.Or(c.Message, "it has no node yet"))
		}
		return st.progressing(cmp.Or(phase, "Pending"), "it has not started yet")
	}
}
