package engine

import "github.com/fairlead-dev/fairlead/diff"

// Precondition is what a plan assumes of a live object that it changes.
type Precondition struct {
	Object diff.Object `json:"object"`
	// Identity is a keyed digest of the object's UID: another object of the same
	// name is not the one that was planned for.
	Identity string `json:"identity"`
	// Fields are the live values that the plan changes, by path.
	Fields []FieldPrecondition `json:"fields,omitempty"`
}

// FieldPrecondition is what a plan assumes of one field.
type FieldPrecondition struct {
	Path string `json:"path"`
	// Digest is a keyed digest of the live value; see docs/plans.md. Without
	// read access to the object it reveals nothing about the value.
	Digest string `json:"digest"`
}
