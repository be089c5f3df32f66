package engine

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/merge"
)

// verdict is what judging an object returns. It is never edited afterwards.
type verdict struct {
	// change is zero if there is nothing to say about the object.
	change diff.Change
	// related are changes of other objects that come with this one's, such as
	// those of a StatefulSet's claims.
	related  []diff.Change
	problems []Problem
	// missing are permissions that a dry-run has shown to be missing.
	missing []Permission
	write   write
	// proven: a dry-run has shown that the object can be applied.
	proven bool
}

// write is how an object is written. Of an object that is deleted or kept it
// is zero.
type write struct {
	// body is what is applied; nil: nothing is.
	body *unstructured.Unstructured
	// force: all conflicts with other field managers are settled in favour of
	// the release.
	force bool
	// twice: body is applied once more, since the first apply does not give all of
	// it.
	twice bool
	// takeOver says which fields of former managers become the release's own
	// before body is applied; nil: none.
	takeOver *merge.Former
	// takeBack says which fields of others become the release's own again; nil:
	// none.
	takeBack *takeBack
	// overwrite is what the live object is patched into before body is applied,
	// where the apply alone would be refused; nil: it is not. from is the live
	// object that was planned for.
	overwrite *overwrite
	replace   replacement
	// growth are the claims to expand before the object is replaced: the first
	// of the step's related changes.
	growth []claimGrowth
	// awaitKind: the kind may not be served yet, so "not found" is tried again.
	awaitKind bool
	// awaitSchema: the kind's schema changes first, so "invalid" is tried
	// again.
	awaitSchema bool
	// awaitQuota: quotas of the namespace change first, or are not counted yet, so
	// that a refusal by one is tried again.
	awaitQuota bool
}

// withBody is w with another object to apply.
func (w write) withBody(body *unstructured.Unstructured) write {
	w.body = body
	return w
}

// asNew is w for an object that does not exist: there is nothing to take over or
// to overwrite.
func (w write) asNew() write {
	w.takeOver, w.takeBack, w.overwrite, w.twice = nil, nil, nil, false
	return w
}

// afterQuotas is w for an object whose namespace's quotas the plan changes first, or
// not.
func (w write) afterQuotas(change bool) write {
	w.awaitQuota = change
	return w
}

// overwrite changes a live object as a whole, from one state into another.
type overwrite struct{ from, to *unstructured.Unstructured }

// takeBack names fields that are as desired, and the managers that own them,
// beside the former managers of the object.
type takeBack struct {
	former []string
	fields []diff.Field
}

// has reports whether the field is one of those.
func (t takeBack) has(l merge.Lost) bool {
	return slices.ContainsFunc(t.fields, func(f diff.Field) bool { return f.Path == l.Path && f.Manager == l.Manager })
}

// replacement is how an object is deleted and created again.
type replacement int

const (
	notReplaced            replacement = iota
	replacedWithDependents             // deleted along with what it owns
	replacedOrphaning                  // what it owns stays
)

// step is what the apply stage does about one object.
type step struct {
	object  *object
	change  diff.Change
	related []diff.Change
	write   write
}

// named reports whether the plan says anything about the object.
func (s step) named() bool { return s.change.Action != "" }
