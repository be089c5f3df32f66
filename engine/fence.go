package engine

import (
	"errors"

	"github.com/fairlead-dev/fairlead/diff"
)

// ErrNotAllowed: Options.Allow does not let the release touch an object.
var ErrNotAllowed = errors.New("not allowed")

// OwnNamespace is an Options.Allow that keeps releases within their own
// namespaces: nothing in others, and nothing that is in none.
func OwnNamespace(k Key, o diff.Object) bool { return o.Namespace == k.Namespace }

// allowed says whether the release may touch the object, or read it.
func (e *Engine) allowed(k Key, o diff.Object) bool {
	return e.opts.Allow == nil || e.opts.Allow(k, o)
}

// fence says whether the item lies outside of what the release may touch, and
// makes a problem of it. What lies outside is not read either.
func (pl *planning) fence(it *item) bool {
	if pl.e.allowed(pl.key, it.object) {
		return false
	}
	it.problem(ProblemNotAllowed, "releases here may not touch it", "leave it out of the chart, or ask for it to be allowed")
	it.change = diff.Change{Object: it.object, Action: diff.Unchanged, Reason: "it is outside of what releases here may touch", Local: true}
	return true
}

// notAllowed refuses what is no object of the plan.
func notAllowed(op string, k Key, o diff.Object) *Error {
	return &Error{Op: op, Key: k, Object: o, Hint: "leave it out, or ask for it to be allowed", Err: ErrNotAllowed}
}
