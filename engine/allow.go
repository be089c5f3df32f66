package engine

import (
	"github.com/fairlead-dev/fairlead/diff"
)

// OwnNamespace is a value for Options.Allow that restricts each release to its
// own namespace: it blocks objects in other namespaces and cluster-scoped
// objects.
func OwnNamespace(k Key, o diff.Object) bool { return o.Namespace == k.Namespace }

// allowed reports whether the release may read and write the object.
func (e *Engine) allowed(k Key, o diff.Object) bool {
	return e.opts.Allow == nil || e.opts.Allow(k, o)
}

// notAllowed returns the error for a blocked object that is not in the plan: a
// hook, a lookup, the release's namespace.
func notAllowed(op string, k Key, o diff.Object) *Error {
	return &Error{Op: op, Key: k, Object: o, Hint: "leave it out, or have it allowed by Options.Allow", Err: ErrNotAllowed}
}
