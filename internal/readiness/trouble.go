package readiness

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// trouble is one thing that is wrong with a target.
type trouble struct {
	key     string // the same trouble later on has the same key
	cause   Cause
	reason  string
	message string
	pod     *PodDiagnosis // nil: about the workload itself
	// Never ends the wait: of an old revision, or for another controller to judge.
	harmless bool
}

// troublesOf returns what is wrong with a target that is not ready: in its
// status, at its ReplicaSet, in its events, and in its pods. The worst comes
// first. obj may be nil when the object is absent.
func troublesOf(v *view, t Target, obj *unstructured.Unstructured, st Status) []trouble {
	if obj == nil && st.State == Failed && slices.Contains(jobFailures, st.Reason) {
		return []trouble{{key: "status/" + st.Reason, cause: CauseFinal, reason: st.Reason, message: st.Message}}
	}
	if obj == nil && st.Reason == reasonEnded {
		return nil
	}
	if obj == nil {
		return []trouble{{key: "gone", cause: CauseGone, reason: "NotFound", message: "the object does not exist"}}
	}
	if d, ok := t.displaced(obj); ok {
		return []trouble{d}
	}
	var out []trouble
	if st.State == Failed {
		out = append(out, failedStatus(obj, st))
	}
	f := familyOf(v, obj)
	out = append(out, creationTroubles(v, obj, f)...)
	isJob := obj.GetKind() == "Job" && t.GVR.Group == "batch"
	for _, p := range f.now {
		for _, tr := range podTroubles(p, v.eventsAbout(p.UID)) {
			// A Job counts the failures of its pods itself, against its
			// backoffLimit.
			if isJob && slices.Contains([]Cause{CauseCrashLoop, CauseOutOfMemory, CausePodFailed}, tr.cause) {
				tr.harmless = true
			}
			out = append(out, tr)
		}
	}
	for _, p := range f.old {
		for _, tr := range podTroubles(p, v.eventsAbout(p.UID)) {
			tr.harmless, tr.pod.Old = tr.harmless || !blockedByOld(obj), true
			out = append(out, tr)
		}
	}
	slices.SortStableFunc(out, func(a, b trouble) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.key, b.key))
	})
	return out
}

// blockedByOld reports whether a broken pod of an earlier revision blocks the
// rollout that would fix it: a StatefulSet with OrderedReady does not replace
// such a pod before it is ready.
func blockedByOld(obj *unstructured.Unstructured) bool {
	seen, _ := integer(obj, "status", "observedGeneration")
	return obj.GetKind() == "StatefulSet" && seen >= obj.GetGeneration() &&
		text(obj, "spec", "podManagementPolicy") == "OrderedReady" &&
		text(obj, "spec", "updateStrategy", "type") != "OnDelete"
}

func failedStatus(obj *unstructured.Unstructured, st Status) trouble {
	tr := trouble{key: "status/" + st.Reason, cause: CauseStalled, reason: st.Reason, message: st.Message}
	switch kind := obj.GetKind(); {
	case st.Reason == "Terminating":
		tr.cause = CauseGone
	case kind == "Deployment" && st.Reason == reasonProgressDeadline:
		tr.cause = CauseDeadline
	case slices.Contains([]string{"Job", "Pod", "PersistentVolumeClaim", "PersistentVolume"}, kind):
		tr.cause = CauseFinal
	}
	return tr
}

// rank sorts the likeliest cause first: an exceeded deadline is only the
// consequence of what is wrong with the pods.
func rank(t trouble) int {
	order := []Cause{
		CauseServiceAccount, CauseQuota, CauseLimits, CauseAdmission,
		CauseImageRefused, CauseClaimRefused, CauseConfig, CauseImagePull,
		CauseOutOfMemory, CauseCrashLoop, CauseClaim, CauseUnschedulable,
		CausePodFailed, CauseUnready, CauseEvicted, CauseGated,
		CauseGone, CauseFinal, CauseDeadline, CauseStalled,
	}
	i := slices.Index(order, t.cause)
	if i < 0 {
		i = len(order)
	}
	if t.harmless {
		i += 100
	}
	return i
}

// creationTroubles returns why pods are missing that the API server did not
// admit. A Deployment's ReplicaSet reports it in a condition, other kinds only
// in events.
func creationTroubles(v *view, obj *unstructured.Unstructured, f family) []trouble {
	if f.set != nil {
		for _, c := range f.set.Status.Conditions {
			if c.Type == "ReplicaFailure" && c.Status == corev1.ConditionTrue {
				return []trouble{refusedPod(c.Reason, c.Message)}
			}
		}
	}
	if c, ok := conditionOf(obj, "ReplicaFailure"); ok && c.isTrue() && f.set == nil && len(f.old) == 0 {
		return []trouble{refusedPod(c.Reason, c.Message)}
	}
	// Enough pods: an earlier rejection no longer matters.
	want := countOr(obj, 1, "spec", "replicas")
	switch obj.GetKind() {
	case "DaemonSet":
		want = count(obj, "status", "desiredNumberScheduled")
	case "Job":
		want = 1
	}
	if len(f.now)+len(f.old) >= want {
		return nil
	}
	about := v.eventsAbout(obj.GetUID())
	if f.set != nil {
		about = append(about, v.eventsAbout(f.set.UID)...)
	}
	since := specChanged(obj)
	for _, e := range about {
		if e.Reason == "FailedCreate" && !lastSeen(e).Before(since) {
			return []trouble{refusedPod(e.Reason, e.Message)}
		}
	}
	return nil
}

// specChanged returns when more than the status of an object was last written,
// by the server's clock, to separate events about this state from earlier ones.
func specChanged(obj *unstructured.Unstructured) time.Time {
	at := obj.GetCreationTimestamp().Time
	for _, m := range obj.GetManagedFields() {
		if m.Subresource == "" && m.Time != nil && m.Time.After(at) {
			at = m.Time.Time
		}
	}
	return at
}

// refusedPod classifies the API server's error for a controller that creates a
// pod.
func refusedPod(reason, message string) trouble {
	tr := trouble{key: "create", cause: CauseAdmission, reason: cmp.Or(reason, "FailedCreate"), message: message}
	low := strings.ToLower(message)
	switch {
	case strings.Contains(low, "exceeded quota"), strings.Contains(low, "failed quota"):
		tr.cause = CauseQuota
	case strings.Contains(low, "serviceaccount") && strings.Contains(low, "not found"):
		tr.cause = CauseServiceAccount
	case strings.Contains(low, "persistentvolumeclaim") || strings.Contains(low, "storageclass"):
		tr.cause = CauseClaimRefused
	case strings.Contains(low, "admission webhook"), strings.Contains(low, "violates podsecurity"), strings.Contains(low, "validatingadmissionpolicy"):
		tr.cause = CauseAdmission
	// Messages of the LimitRanger.
	case strings.Contains(low, "usage per container"), strings.Contains(low, "usage per pod"), strings.Contains(low, "limit to request ratio per"):
		tr.cause = CauseLimits
	}
	return tr
}
