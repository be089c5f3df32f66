package diff

import "time"

// Action is what becomes of an object.
type Action string

const (
	// Created: it does not exist and will.
	Created Action = "Created"
	// Updated: it exists, belongs to the release, and fields of it change.
	Updated Action = "Updated"
	// Replaced: it is deleted and created anew, because a field that changes
	// is immutable. Compare never answers this: what is immutable, and whether
	// replacing is allowed, is known to its caller, who sets Action and Reason.
	Replaced Action = "Replaced"
	// Deleted: it exists and left the manifest.
	Deleted Action = "Deleted"
	// Adopted: it exists, was not in the last manifest, and is in this one.
	// Fields lists what changes in it, which may be nothing.
	Adopted Action = "Adopted"
	// Unchanged: nothing is to be done.
	Unchanged Action = "Unchanged"
	// Kept: it left the manifest, and its annotation
	// helm.sh/resource-policy: keep says that it stays in the cluster.
	Kept Action = "Kept"
)

// Cause is the reason why a field changes. Every field has exactly one.
type Cause string

const (
	// Chart: what is desired is not what was applied last.
	Chart Cause = "Chart"
	// Drift: what is desired is what was applied last, but the live object
	// differs, and no other manager claims the field (or Options.Force is set).
	Drift Cause = "Drift"
	// Conflict: the live value differs from the desired one and belongs to
	// another field manager, so that the API server would refuse the change
	// unless it is forced. It wins over Chart and Drift.
	Conflict Cause = "Conflict"
	// Default: nobody asked for it; the API server sets, fills in or clears
	// it by itself (defaulting, admission).
	Default Cause = "Default"
	// Removed: it was applied earlier and is no longer desired. Where the
	// field stays with another value (a default, another manager's), Desired
	// holds that value.
	Removed Cause = "Removed"
)

// Change is what becomes of one object. It is plain data.
type Change struct {
	Object Object `json:"object"`
	Action Action `json:"action"`
	// Fields lists what changes, in the order of the object: keys sorted,
	// list items as in the merged list. Empty for Deleted, Kept and Unchanged.
	Fields []Field `json:"fields,omitempty"`
	// Reason says in a sentence why Action was chosen, where that is not
	// obvious: the immutable field of a replacement, the policy of a Kept
	// object.
	Reason string `json:"reason,omitempty"`
	// Source is the file that the object was rendered from. Display only.
	Source string `json:"source,omitempty"`
	// Local is true if the outcome was computed here and not confirmed by the
	// API server, so that defaults and admission are not in it.
	Local bool `json:"local,omitempty"`
	// Warnings are for people: the API server's own, and what Compare found
	// odd about the object.
	Warnings []string `json:"warnings,omitempty"`
}

// Changed reports whether the cluster is written for this change. Adopted
// objects are, for their ownership, even if no field changes.
func (c Change) Changed() bool {
	switch c.Action {
	case Unchanged, Kept, "":
		return false
	}
	return true
}

// Conflicts are the fields whose cause is Conflict.
func (c Change) Conflicts() []Field { return c.By(Conflict) }

// By are the fields with the given cause, in their order.
func (c Change) By(cause Cause) []Field {
	var out []Field
	for _, f := range c.Fields {
		if f.Cause == cause {
			out = append(out, f)
		}
	}
	return out
}

// Field is one difference between the live object and what it will be.
//
// Values are plain JSON values: string, bool, int64, float64, []any,
// map[string]any. A nil value means that the field is absent. A map or a list
// stands for all that is below the path: items of lists and whole lists are
// added as one field, and a whole map is removed as one. What the API server
// fills in below an added value is listed apart, with cause Default.
//
// Secret values are replaced by a placeholder; see [Redactor].
type Field struct {
	// Path is in Kubernetes' own notation, for example
	// spec.template.spec.containers[name="web"].image or
	// metadata.annotations["kubernetes.io/change-cause"]. See [Lookup].
	Path string `json:"path"`
	// Base is the value applied last.
	Base any `json:"base,omitempty"`
	// Live is the value in the cluster now.
	Live any `json:"live,omitempty"`
	// Desired is the value after the change was applied.
	Desired any   `json:"desired,omitempty"`
	Cause   Cause `json:"cause"`
	// Manager is the field manager that owns the live value, if it is not
	// ours: the other side of a Conflict, the author of a Drift.
	Manager string `json:"manager,omitempty"`
	// Time is when Manager last wrote to the object; nil if that is not known.
	Time *time.Time `json:"time,omitempty"`
	// Reordered is true if the items of the list at Path are the same but
	// their order changes. Live and Desired then hold the keys of the items
	// that are in both, as they stand in a path (name="web"), in order.
	Reordered bool `json:"reordered,omitempty"`
	// Immutable is set by callers who know that the API server refuses to
	// change the field.
	Immutable bool `json:"immutable,omitempty"`
	// Secret is true if a value, or a part of one, was replaced by a
	// placeholder.
	Secret bool `json:"secret,omitempty"`
}
