package diff

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Input is one object in up to four states; nil means that it is absent in
// that state. Compare does not change them.
type Input struct {
	// Object is the identity to report. Zero: taken from the states, Live first.
	Object Object
	// Base is the object as the last release applied it.
	Base *unstructured.Unstructured
	// Live is the object in the cluster; its managedFields are required to
	// report conflicts.
	Live *unstructured.Unstructured
	// Desired is the object to be applied.
	Desired *unstructured.Unstructured
	// Merged is the object after applying Desired: the API server's response to
	// a dry-run, or a local merge. Nil: computed by a structural three-way merge
	// with the schema of Options.Schema, without defaults and admission. If it is
	// the same pointer as Live, nothing changes.
	Merged *unstructured.Unstructured
	// Manager is the field manager that applies. Live's managedFields show which
	// fields other managers own. Empty: no conflicts are reported.
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
	// FormerManagers are field managers whose fields count as Manager's own,
	// such as those of an earlier client-side apply ("helm").
	FormerManagers []string
	// Force takes fields over from other managers: nothing is a Conflict, but
	// Chart or Drift with the Manager named.
	Force bool
	// Takes does the same for single fields: it reports whether the one at path,
	// in the notation of Field, is taken over from manager. Nil: none is.
	Takes func(manager, path string) bool
}

// IdentityError is returned by [Compare] when the states are not of one object,
// or all nil.
type IdentityError struct {
	// Object is the identity of the first state.
	Object Object
	// Other is the identity that does not match; zero if all states are nil.
	Other Object
}

func (e *IdentityError) Error() string {
	if e.Other == (Object{}) {
		return "compare: at least one of Base, Live and Desired must be set"
	}
	return fmt.Sprintf("compare %s: another state is of %s; all states must be of the same object", e.Object, e.Other)
}

// Compare returns the change of one object: the action, and the fields in which
// the live object and the merged one differ, each with its cause.
//
// It returns an [*IdentityError] if the states are not of one object, or all
// nil, and another error if a state contains values that are not JSON.
func Compare(in Input, opts Options) (Change, error) {
	o, err := identity(in)
	if err != nil {
		return Change{}, err
	}
	c := &comparer{obj: o, schema: opts.Schema, force: opts.Force, takes: opts.Takes, native: IsBuiltinGroup(o.Group)}
	if c.schema == nil {
		c.schema = Builtin()
	}
	ch := Change{Object: o}
	if n := in.Live; n != nil && in.Desired != nil && n.GetDeletionTimestamp() != nil {
		ch.Warnings = append(ch.Warnings, "the live object is being deleted: what is applied now will be deleted with it")
	}
	ch.Action, ch.Reason = action(in)
	if ch.Action == Deleted || ch.Action == Kept || in.Desired == nil {
		return ch, nil
	}
	if in.Live != nil && in.Merged == in.Live {
		if ch.Action == Updated {
			ch.Action = Unchanged
		}
		return ch, nil
	}
	var states [4]map[string]any
	for i, u := range []*unstructured.Unstructured{in.Base, in.Live, in.Desired, in.Merged} {
		if states[i], err = c.state(u); err != nil {
			return Change{}, fmt.Errorf("compare: %w", err)
		}
	}
	if in.Live != nil && in.Merged != nil { // no apply removes metadata as a whole
		for _, state := range states {
			if state != nil && state["metadata"] == nil {
				state["metadata"] = map[string]any{}
			}
		}
	}
	var warnings []string
	c.owners, warnings = ownersOf(in.Live, in.Manager, opts.FormerManagers)
	ch.Warnings = append(ch.Warnings, warnings...)
	b, l, d, m := orNil(states[0]), orNil(states[1]), orNil(states[2]), orNil(states[3])
	if m == nil {
		m = c.merge(b, l, d)
	}
	c.created = l == nil
	c.walk(b, l, d, m)
	ch.Fields = c.fields
	if ch.Action == Updated && len(ch.Fields) == 0 {
		ch.Action = Unchanged
	}
	r := opts.Secrets
	if r == nil {
		r = NewRedactor(RedactorOptions{}, in.Base, in.Live, in.Desired, in.Merged)
	}
	return r.Change(ch), nil
}

// orNil keeps an absent state from becoming a non-nil any.
func orNil(m map[string]any) any {
	if m == nil {
		return nil
	}
	return m
}

const (
	keepAnnotation = "helm.sh/resource-policy"
	keepValue      = "keep"
)

// action returns the action before fields are compared.
func action(in Input) (Action, string) {
	switch {
	case in.Desired == nil && in.Live == nil:
		return Unchanged, "already deleted"
	case in.Desired == nil && Keeps(in.Live):
		return Kept, "the live object has " + keepAnnotation + ": " + keepValue
	case in.Desired == nil && Keeps(in.Base):
		return Kept, "the last applied object has " + keepAnnotation + ": " + keepValue
	case in.Desired == nil:
		return Deleted, ""
	case in.Live == nil && in.Base != nil:
		return Created, "it was applied before, and is missing"
	case in.Live == nil:
		return Created, ""
	case in.Base == nil:
		return Adopted, "it exists but was not in the last manifest"
	}
	return Updated, ""
}

// Keeps reports whether an object asks to stay when it is no longer wanted, by
// Helm's annotation helm.sh/resource-policy: keep, which Helm reads whatever its
// case and the space around it. It is false for nil.
func Keeps(u *unstructured.Unstructured) bool {
	return u != nil && strings.EqualFold(strings.TrimSpace(u.GetAnnotations()[keepAnnotation]), keepValue)
}

// identity returns the object that all states are of. API versions may differ,
// and the namespace may be missing in a rendered state.
func identity(in Input) (Object, error) {
	o := in.Object
	for _, u := range []*unstructured.Unstructured{in.Live, in.Merged, in.Desired, in.Base} {
		if u == nil {
			continue
		}
		p := ObjectOf(u)
		if o == (Object{}) {
			o = p
			continue
		}
		if o.Namespace == "" && in.Object == (Object{}) {
			o.Namespace = p.Namespace
		}
		if p.Kind != o.Kind || p.Name != o.Name || p.Group != o.Group ||
			p.Namespace != "" && o.Namespace != "" && p.Namespace != o.Namespace {
			return o, &IdentityError{Object: o, Other: p}
		}
	}
	if in.Base == nil && in.Live == nil && in.Desired == nil {
		return o, &IdentityError{Object: in.Object}
	}
	return o, nil
}
