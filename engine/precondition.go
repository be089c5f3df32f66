package engine

import "github.com/fairlead-dev/fairlead/diff"

// Precondition is what a plan assumes of a live object that it changes, beside
// what its report shows.
type Precondition struct {
	Object diff.Object `json:"object"`
	// Identity is a digest of the object's UID: another object of the same name
	// is not the one that was planned for.
	Identity string `json:"identity"`
	// Fields are the live values that the plan changes and hides, by path.
	Fields []FieldPrecondition `json:"fields,omitempty"`
	// ResourceVersion is that of the object, if it has such values and the plan
	// has no key for their digests.
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

// FieldPrecondition is what a plan assumes of one field whose value it hides.
type FieldPrecondition struct {
	Path string `json:"path"`
	// Digest is a keyed digest of the live value. Without read access to the
	// release's Secrets it reveals nothing about the value; see docs/plans.md.
	Digest string `json:"digest"`
}

// DigestKey says what the digests of a plan are keyed with.
type DigestKey string

const (
	// KeyedByRevision: with what the Secret of the release's newest revision
	// holds. The default where there is a revision.
	KeyedByRevision DigestKey = "Revision"
	// KeyedByOptions: with Options.PlanKey.
	KeyedByOptions DigestKey = "Options"
)
