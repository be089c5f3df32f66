package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// ProblemKind classifies why a plan cannot be applied.
type ProblemKind string

const (
	// ProblemConflict: another field manager owns fields that would change.
	ProblemConflict ProblemKind = "Conflict"
	// ProblemImmutable: a field changes that the API server does not let
	// change.
	ProblemImmutable ProblemKind = "Immutable"
	// ProblemOwned: the object belongs to another release, or to another apply
	// set.
	ProblemOwned ProblemKind = "OwnedByOther"
	// ProblemUnowned: the object exists and belongs to no release, and
	// Release.Adopt is not set.
	ProblemUnowned ProblemKind = "Unowned"
	// ProblemInvalid: the API server finds the object invalid, or rejects it
	// by admission or quota.
	ProblemInvalid ProblemKind = "Invalid"
	// ProblemForbidden: a permission to apply the change is missing.
	ProblemForbidden ProblemKind = "Forbidden"
	// ProblemStorageClass: a new claim names no StorageClass and the cluster
	// has no default one, or its StorageClass does not allow expansion.
	ProblemStorageClass ProblemKind = "StorageClass"
	// ProblemNotAllowed: Options.Allow blocks the object.
	ProblemNotAllowed ProblemKind = "NotAllowed"
	// ProblemTerminating: the object is being deleted and still exists.
	ProblemTerminating ProblemKind = "Terminating"
	// ProblemOrder: the ordering annotations cannot be followed: they are
	// malformed, name an object that the release does not have, or form a
	// cycle.
	ProblemOrder ProblemKind = "Order"
	// ProblemDefinition: a CustomResourceDefinition would lose a version or
	// field that is in use.
	ProblemDefinition ProblemKind = "Definition"
	// ProblemPrune: more would be deleted than is likely to be intended. Its
	// Object is the first that would be deleted.
	ProblemPrune ProblemKind = "Prune"
	// ProblemUnknownKind: the API server does not serve the kind of a hook.
	// An object of an unknown kind is an error instead: there is no plan.
	ProblemUnknownKind ProblemKind = "UnknownKind"
	// ProblemHook: a hook cannot be created: an object of the manifest has its
	// name, or an earlier run left one that is not deleted first.
	ProblemHook ProblemKind = "Hook"
	// ProblemContents: objects or data that are not part of the plan would be
	// deleted along with the object.
	ProblemContents ProblemKind = "Contents"
)

// Problem is a reason why a plan cannot be applied. It is plain data and also
// an error.
type Problem struct {
	Kind    ProblemKind `json:"kind"`
	Object  diff.Object `json:"object"`
	Message string      `json:"message"`
	// Source is the template that the object comes from; empty if there is
	// none, or if the object is no longer part of the release.
	Source string `json:"source,omitempty"`
	// Fields concerned, in the notation of diff.Field; may be empty.
	Fields []string `json:"fields,omitempty"`
	// Hint says what to do next.
	Hint string `json:"hint,omitempty"`
	// Hook is set if the object is a hook: ApplyOptions.NoHooks lifts the
	// problem.
	Hook bool `json:"hook,omitempty"`
}

func (p Problem) Error() string {
	s := p.Message
	switch {
	case p.Source != "":
		s = fmt.Sprintf("%s from %s: %s", p.Object, p.Source, p.Message)
	case p.Object != (diff.Object{}):
		s = fmt.Sprintf("%s: %s", p.Object, p.Message)
	}
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return clean.Text(s)
}

func newProblem(kind ProblemKind, o diff.Object, message, hint string, fields ...string) Problem {
	return Problem{Kind: kind, Object: o, Message: message, Hint: hint, Fields: fields}
}

// kindGone is the problem of an object that was applied, and whose kind is gone.
func kindGone(o diff.Object) Problem {
	return newProblem(ProblemUnknownKind, o, "it is gone, because the API server no longer serves its kind", "install the CustomResourceDefinition again")
}

func hasProblem(problems []Problem, kind ProblemKind) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Kind == kind })
}

// Is reports whether the problem is what a sentinel error names: ErrNotAllowed,
// ErrUnknownKind and ErrQuota, for errors.Is.
func (p Problem) Is(target error) bool {
	switch p.Kind {
	case ProblemNotAllowed:
		return target == ErrNotAllowed
	case ProblemUnknownKind:
		return target == ErrUnknownKind
	case ProblemInvalid:
		return target == ErrQuota && saysQuota.MatchString(p.Message)
	}
	return false
}

// ProblemsError is returned when a plan has problems, and holds them all.
// Nothing was written.
type ProblemsError struct {
	Key      Key
	Problems []Problem // in the order of the report
}

func (e *ProblemsError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s cannot be applied, nothing was written:", e.Key)
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s", p.Error())
	}
	return clean.Text(b.String())
}

// Unwrap returns the problems one by one, for errors.As with a Problem.
func (e *ProblemsError) Unwrap() []error {
	out := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		out[i] = p
	}
	return out
}
