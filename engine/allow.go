package engine

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// Access is what a release wants to do with one object, for [Options.Allow].
type Access struct {
	Key    Key         // of the release
	Object diff.Object // for a lookup, namespace and name may be empty: all of them
	// Desired is the object as the release wants it to be, hooks included. It
	// must not be changed. Nil: the object is only read or deleted.
	Desired *unstructured.Unstructured
}

// OwnNamespace is a value for Options.Allow that restricts each release to its
// own namespace: it blocks objects in other namespaces and cluster-scoped
// objects. Package engine/allow has more rules, and combines them.
func OwnNamespace(a Access) error {
	switch a.Object.Namespace {
	case a.Key.Namespace:
		return nil
	case "":
		return errors.New("it is cluster-scoped, and the release is restricted to its own namespace")
	}
	return fmt.Errorf("it is not in namespace %s, to which the release is restricted", a.Key.Namespace)
}

// blocked returns why the release may not read and write an object; nil: it
// may. desired is nil if the object is only read or deleted.
func (e *Engine) blocked(k Key, o diff.Object, desired *unstructured.Unstructured) error {
	return policy{allow: e.opts.Allow}.blocked(Access{k, o, desired})
}

func (p policy) blocked(a Access) error {
	if p.allow == nil {
		return nil
	}
	return p.allow(a)
}

// blocked returns why the release may not read and write an object of the plan;
// nil: it may.
func (p premise) blocked(o *object) error {
	return p.policy.blocked(Access{p.key, o.id, o.desired})
}

// reveals reports whether an object beside those of the plan may be named to
// who reads the plan.
func (p premise) reveals(o diff.Object) bool {
	return p.policy.blocked(Access{Key: p.key, Object: o}) == nil
}

// blockedProblem is the problem of an object that Options.Allow blocks.
func blockedProblem(o diff.Object, why error) Problem {
	return newProblem(ProblemNotAllowed, o, "blocked by Options.Allow: "+why.Error(), "leave it out of the chart, or ask for it to be allowed")
}

// notAllowed returns the error for a blocked object that is not in the plan: a
// hook, a lookup, the release's namespace.
func notAllowed(op string, k Key, o diff.Object, why error) *Error {
	return &Error{Op: op, Key: k, Object: o, Hint: "leave it out, or have it allowed by Options.Allow", Err: fmt.Errorf("%w: %w", ErrNotAllowed, why)}
}
