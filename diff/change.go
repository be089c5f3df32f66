package diff

import "time"

// Action is what will be done with an object.
type Action string

const (
	// Created: it does not exist and will be created.
	Created Action = "Created"
	// Updated: it exists, belongs to the release, and some of its fields change.
	Updated Action = "Updated"
	// Replaced: it is deleted and recreated, as a field that changes is
	// immutable, or for another Reason. Compare never returns this: only the
	// caller knows what may be replaced, and sets Action and Reason.
	Replaced Action = "Replaced"
	// Deleted: it exists and is no longer in the manifest.
	Deleted Action = "Deleted"
	// Adopted: it exists, was not in the last manifest, and is in this one.
	// Fields lists what changes in it, which may be nothing.
	Adopted Action = "Adopted"
	// Unchanged: nothing to do.
	Unchanged Action = "Unchanged"
	// Kept: it is no longer in the manifest, but stays in the cluster because of
	// its annotation helm.sh/resource-policy: keep.
	Kept Action = "Kept"
)

// Cause is the reason why a field changes. Every field has exactly one.
type Cause string

const (
	// Chart: what is desired is not what was applied last.
	Chart Cause = "Chart"
	// Drift: what is desired is what was applied last, but the live object
	// differs, and no other manager owns the field (or Options.Force is set).
	Drift Cause = "Drift"
	// Conflict: the live value differs from the desired one and is owned by
	// another field manager, so that the API server would reject the change
	// unless it is forced. It takes precedence over Chart and Drift.
	Conflict Cause = "Conflict"
	// Default: it is not in the manifest; the API server sets or clears it by
	// itself (defaulting, admission).
	Default Cause = "Default"
	// Removed: it was applied earlier and is no longer desired. Where the
	// field stays with another value (a default, another manager's), Desired
	// is that value.
	Removed Cause = "Removed"
)

// Change is what will be done with one object. It is plain data.
type Change struct {
	Object Object `json:"object"`
	Action Action `json:"action"`
	// Fields lists what changes, in the order of the object: keys sorted,
	// list items as in the merged list. Empty for Deleted, Kept and Unchanged.
	Fields []Field `json:"fields,omitempty"`
	// Reason is a sentence on why Action was chosen, where that is not obvious:
	// the immutable field of a replacement, the policy of a Kept object.
	Reason string `json:"reason,omitempty"`
	// Source is the file that the object was rendered from. Display only.
	Source string `json:"source,omitempty"`
	// Local is true if the result was computed locally and not confirmed by the
	// API server, so that it lacks defaults and admission.
	Local bool `json:"local,omitempty"`
	// Warnings are human-readable: those of the API server, and those of Compare
	// about the object.
	Warnings []string `json:"warnings,omitempty"`
}

// Changed reports whether this change writes to the cluster. Adopted objects are
// written to take over ownership, even if no field changes.
func (c Change) Changed() bool {
	switch c.Action {
	case Unchanged, Kept, "":
		return false
	}
	return true
}

// Conflicts returns the fields whose cause is Conflict.
func (c Change) Conflicts() []Field { return c.By(Conflict) }

// By returns the fields with the given cause, in their order.
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
// stands for everything below the path: items of lists and complete lists are
// added as one field, and a complete map is removed as one. What the API server
// fills in below an added value is listed separately, with cause Default.
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
	// Desired is the value after the change is applied.
	Desired any   `json:"desired,omitempty"`
	Cause   Cause `json:"cause"`
	// Manager is the other field manager that owns the live value, if there is
	// one: the other side of a Conflict, the author of a Drift.
	Manager string `json:"manager,omitempty"`
	// Time is when Manager last wrote to the object; nil if unknown.
	Time *time.Time `json:"time,omitempty"`
	// Reordered is true if the items of the list at Path are the same but
	// their order changes. Live and Desired are then the keys of the items that
	// are in both, in order and in path notation (name="web").
	Reordered bool `json:"reordered,omitempty"`
	// CoOwned is set by callers if the value stays as it is, and is taken back
	// from Manager, which has changed it and changed it back: Live equals
	// Desired.
	CoOwned bool `json:"coOwned,omitempty"`
	// Immutable is set by callers that know that the API server rejects a change
	// of the field.
	Immutable bool `json:"immutable,omitempty"`
	// Secret is true if a value, or a part of one, was replaced by a
	// placeholder.
	Secret bool `json:"secret,omitempty"`
}
