package readiness

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
)

// State is the verdict on one object.
type State string

const (
	// Ready: the object's current generation is fully rolled out.
	Ready State = "Ready"
	// Progressing: not ready yet.
	Progressing State = "Progressing"
	// Failed: its controller has given up, or it cannot become ready.
	Failed State = "Failed"
	// Unknown: the object has no status by which to judge it, for example a
	// custom resource without conditions.
	Unknown State = "Unknown"
)

// ReasonNotSeen is the reason of the first Update of a target, before it was
// read.
const ReasonNotSeen = "NotSeen"

// Status is a verdict with its reason.
type Status struct {
	State   State  `json:"state"`
	Reason  string `json:"reason,omitempty"`  // one CamelCase word
	Message string `json:"message,omitempty"` // for people

	// Counts of what the object is made of: pods of a workload, completions
	// of a Job. All zero for kinds that count nothing.
	Ready   int `json:"ready,omitempty"`
	Updated int `json:"updated,omitempty"` // of the current revision
	Desired int `json:"desired,omitempty"`
}

// String is "State: Reason: Message".
func (s Status) String() string {
	parts := []string{string(s.State)}
	if s.Reason != "" {
		parts = append(parts, s.Reason)
	}
	if s.Message != "" {
		parts = append(parts, s.Message)
	}
	return strings.Join(parts, ": ")
}

// Rule judges one object. It must be pure and safe for concurrent use. An
// error means that the object cannot be judged now; the wait shows it and
// goes on.
type Rule func(obj *unstructured.Unstructured) (Status, error)

// Assess returns the status of obj by its own fields. rules, which may be nil,
// override the built-in ones; what holds for every kind (deletion, a generation
// not yet observed) is decided before either. Assess is pure as far as the rules
// are: no cluster, no clock. A nil object is Unknown.
func Assess(obj *unstructured.Unstructured, rules map[schema.GroupKind]Rule) Status {
	if obj == nil || obj.Object == nil {
		return Status{State: Unknown, Reason: "NoObject", Message: "no object"}
	}
	gk := obj.GroupVersionKind().GroupKind()
	if obj.GetDeletionTimestamp() != nil {
		return terminating(obj)
	}
	custom, overridden := rules[gk]
	builtin, known := builtinRules[gk]
	if seen, ok := integer(obj, "status", "observedGeneration"); ok && seen < obj.GetGeneration() {
		st := Status{
			State: Progressing, Reason: "NotObserved",
			Message: fmt.Sprintf("its controller has observed generation %d, not yet %d", seen, obj.GetGeneration()),
		}
		if known && !overridden {
			counted := builtin(obj)
			st.Desired = counted.Desired
		}
		return st
	}
	switch {
	case overridden:
		st, err := custom(obj)
		if err != nil {
			return Status{State: Progressing, Reason: "RuleError", Message: fmt.Sprintf("the readiness rule for %s failed: %v", gk, err)}
		}
		return st
	case known:
		return builtin(obj)
	case diff.IsBuiltinGroup(gk.Group):
		return Status{State: Ready, Reason: "Exists"}
	}
	return customResource(obj)
}

func terminating(obj *unstructured.Unstructured) Status {
	st := Status{State: Failed, Reason: "Terminating", Message: "it is being deleted"}
	if fs := obj.GetFinalizers(); len(fs) > 0 {
		st.Message += ", waiting for finalizers " + strings.Join(fs, ", ")
	}
	return st
}

// Reads reports whether a wait reads pods, and claims, to say why an object is
// not ready. desired may be nil, for an object that has claims or not.
func Reads(gk schema.GroupKind, desired *unstructured.Unstructured) (pods, claims bool) {
	t := Target{GVR: schema.GroupVersionResource{Group: gk.Group}, Kind: gk.Kind}
	pods = ownsPods(t) || gk.Group == "" && gk.Kind == "Pod"
	return pods, isClaim(t) || pods && mountsClaims(desired)
}

// mountsClaims reports whether an object's pods may have claims: it is not known
// without the object, and of a custom resource.
func mountsClaims(u *unstructured.Unstructured) bool {
	if u == nil || !diff.IsBuiltinGroup(u.GroupVersionKind().Group) {
		return true
	}
	if templates, _, _ := unstructured.NestedSlice(u.Object, "spec", "volumeClaimTemplates"); len(templates) > 0 {
		return true
	}
	for _, path := range [][]string{{"spec", "volumes"}, {"spec", "template", "spec", "volumes"}, {"spec", "jobTemplate", "spec", "template", "spec", "volumes"}} {
		volumes, _, _ := unstructured.NestedSlice(u.Object, path...)
		for _, v := range volumes {
			if v, ok := v.(map[string]any); ok && (v["persistentVolumeClaim"] != nil || v["ephemeral"] != nil) {
				return true
			}
		}
	}
	return false
}

// mayChange reports whether a target can be anything but ready from now on.
func (t Target) mayChange(rules map[schema.GroupKind]Rule) bool {
	return Watched(t.GroupKind(), rules) && !ReadyOnceWritten(t.Applied, rules)
}

// ReadyOnceWritten reports whether an object of a kind that is watched is ready once
// it was written: a Service other than a load balancer.
func ReadyOnceWritten(obj *unstructured.Unstructured, rules map[schema.GroupKind]Rule) bool {
	if obj == nil || obj.GetDeletionTimestamp() != nil || obj.GroupVersionKind().GroupKind() != serviceKind || text(obj, "spec", "type") == "LoadBalancer" {
		return false
	}
	_, ruled := rules[serviceKind]
	return !ruled
}

// Watched reports whether objects of this kind can be anything but ready
// once they were written. Other kinds cost the wait no request.
func Watched(gk schema.GroupKind, rules map[schema.GroupKind]Rule) bool {
	if _, ok := rules[gk]; ok {
		return true
	}
	if _, ok := builtinRules[gk]; ok {
		return true
	}
	return !diff.IsBuiltinGroup(gk.Group)
}
